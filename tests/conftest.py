"""What the tests of several floors share."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.soak import load_profile

# One thread a process: tiny models gain nothing from more, and sums come out the same everywhere.
os.environ.setdefault("OMP_NUM_THREADS", "1")
load_profile()


@pytest.fixture(scope="session", autouse=True)
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Where processes started by tests keep flight logs and keys, in place of the user's own folders."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))
        yield


@pytest.fixture(scope="session", autouse=True)
def signals() -> None:
    """Signals as in a terminal, for what tests start: it inherits what is ignored here, as under nohup or in a shell's
    background."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(autouse=True)
def ordinary_priority() -> Iterator[None]:
    """Fail a test that leaves this thread at real-time priority: whatever a later test starts would inherit it, and
    keep drivers from the processor."""
    yield
    if sys.platform != "linux":
        return
    policy = os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK
    if policy != os.SCHED_OTHER:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        pytest.fail(f"this test changed the scheduling policy of its thread to {policy}")


@pytest.fixture(scope="session")
def play_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small data set of play in the simulation: 12 episodes of 31 frames, 32×32 pixels. Copy it to change it."""
    from sim.commands.play import PlayOptions, play

    root = tmp_path_factory.mktemp("play") / "set"
    play(PlayOptions(dataset=root, episodes=12, blocks=30, processes=1, size=32))
    return root


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what hypothesis draws examples for as worth a soak."""
    for item in items:
        if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
            item.add_marker(pytest.mark.soak)
