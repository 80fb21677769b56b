from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import sim.execution.processes
from perception.camera.subscriber import FrameSubscriber
from robot.client.client import Client
from robot.client.scene_client import SceneClient
from robot.errors import ConnectionLost
from robot.wire.camera_spec import CameraSpec
from sim.execution.processes import SimulatedProcesses
from sim.world.cameras import front_camera
from tests.commands import ROOT, environment
from tests.sim.execution.children import assert_gone, children, of_kind

CAMERA = front_camera(32, 32)
PATIENCE_S = 120.0


def running() -> list[int]:
    """The driver and the camera that this process has started."""
    return [*of_kind("driver"), *of_kind("camera")]


def renamed(name: str) -> CameraSpec:
    """A camera that the simulation does not have."""
    return type(CAMERA)(name, CAMERA.width, CAMERA.height, CAMERA.focal, CAMERA.centre)


@pytest.fixture
def occupied() -> Iterator[str]:
    """An address that someone else has bound."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield f"tcp://127.0.0.1:{other.getsockname()[1]}"


def test_both_run_answer_and_are_gone_afterwards() -> None:
    processes = SimulatedProcesses(CAMERA)
    with processes as addresses:
        started = running()
        assert len(started) == 2
        with Client(addresses.command, PATIENCE_S) as client, SceneClient(addresses.state) as scenes:
            assert client.arm.name == "panda-sim" and client.state_address == addresses.state
            assert scenes.latest(PATIENCE_S).objects[0].name == "cube"
        with FrameSubscriber(addresses.frames) as frames:
            assert frames.latest(PATIENCE_S).camera == CAMERA
        assert processes.timing() == []
    assert_gone(started, 0.0)
    assert any("lateness" in line for line in processes.timing()), "the driver tells how late its ticks were"


def test_both_are_gone_when_the_body_raises() -> None:
    with pytest.raises(RuntimeError, match="in the body"), SimulatedProcesses(CAMERA):
        started = running()
        raise RuntimeError("in the body")
    assert len(started) == 2
    assert_gone(started, 0.0)


def test_one_that_does_not_listen_to_ctrl_c_is_made_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sim.execution.processes, "STOP_TIMEOUT_S", 0.5)
    with SimulatedProcesses(CAMERA):
        started = running()
        for number in started:
            os.kill(number, signal.SIGSTOP)
        began = time.monotonic()
    assert time.monotonic() - began < 10.0
    assert_gone(started, 0.0)


def test_a_parent_that_is_killed_leaves_none_behind() -> None:
    script = """
import time
from sim.execution.processes import SimulatedProcesses
from sim.world.cameras import front_camera
with SimulatedProcesses(front_camera(32, 32)):
    print("both run", flush=True)
    time.sleep(600)
"""
    words = [sys.executable, "-c", script]
    with subprocess.Popen(words, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None and parent.stdout.readline() == "both run\n"
        started = list(children(parent.pid))
        parent.kill()
    assert len(started) == 2
    assert_gone(started)


def test_an_interruption_while_stopping_leaves_none_behind() -> None:
    def again(_signal: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, again)
    try:
        with pytest.raises(KeyboardInterrupt), SimulatedProcesses(CAMERA):
            started = running()
            os.kill(of_kind("camera")[0], signal.SIGSTOP)  # so that it is waited for
            signal.setitimer(signal.ITIMER_REAL, 0.3)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert len(started) == 2
    assert_gone(started)


def test_a_driver_that_cannot_start_is_told_in_its_own_words(occupied: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sim.execution.processes, "ANY_PORT", occupied)
    with (
        pytest.raises(ConnectionLost, match=rf"the driver ended at once: .*{occupied}"),
        SimulatedProcesses(CAMERA),
    ):
        pytest.fail("the driver cannot have started")
    assert running() == []


def test_a_camera_that_cannot_start_is_told_and_takes_the_driver_along() -> None:
    with (
        pytest.raises(ConnectionLost, match=r"the camera ended at once: .*no camera called 'wrist'"),
        SimulatedProcesses(renamed("wrist")),
    ):
        pytest.fail("the camera cannot have started")
    assert running() == []


def test_one_that_says_nothing_is_not_waited_for_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "worldarm.py").write_text("import time\nprint('soon', flush=True)\ntime.sleep(600)\n")
    monkeypatch.chdir(tmp_path)  # where `python -m` looks first
    monkeypatch.setattr(sim.execution.processes, "START_TIMEOUT_S", 1.0)
    with pytest.raises(ConnectionLost, match="the driver did not start within 1 s"), SimulatedProcesses(CAMERA):
        pytest.fail("nothing can have started")
    assert running() == []
