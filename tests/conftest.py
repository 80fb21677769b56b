"""What the tests of several floors share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

# One thread a process: tiny models gain nothing from more, and sums come out the same everywhere.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session", autouse=True)
def state_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where drivers started by tests keep their black boxes, in place of the user's own folder."""
    folder = tmp_path_factory.mktemp("state")
    before = os.environ.get("XDG_STATE_HOME")
    os.environ["XDG_STATE_HOME"] = str(folder)
    yield folder
    os.environ.pop("XDG_STATE_HOME")
    if before is not None:
        os.environ["XDG_STATE_HOME"] = before


@pytest.fixture(scope="session")
def play_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small data set of play in the simulation: 12 episodes of 31 frames, 32×32 pixels. Copy it to change it."""
    from sim.play_process import play

    root = tmp_path_factory.mktemp("play") / "set"
    play(dataset=root, episodes=12, blocks=30, processes=1, size=32)
    return root
