"""An arm that does again what an episode did, through a real driver."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import numpy as np
import pytest

from robot.client.recorded_motion import read_trace
from robot.dataset import Dataset
from robot.dataset.format.columns import GOVERNED
from robot.errors import DatasetError
from tests.commands import running as started
from tests.robot.dataset.recording import FPS, recording, sway
from tests.robot.driver.command import DriverProcess, until
from tests.robot.panda import panda_spec
from worldarm import main

SPEC = panda_spec()


@pytest.mark.real_time
def test_an_arm_repeats_an_episode_and_tells_how_near_it_came(
    running: DriverProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = recording(tmp_path / "set", SPEC, sway(SPEC))
    words = ["--command-address", running.command, "--json", str(tmp_path / "found.json")]
    assert main(["replay", str(root), "0", *words]) == 0
    told = capsys.readouterr().out
    assert told.startswith("replay: episode 0 of ") and "on Ctrl-C it holds" in told.splitlines()[0]
    assert "from what was measured then, over 30 moments" in told
    assert all(name in told for name in SPEC.joint_names)
    found = json.loads((tmp_path / "found.json").read_text())
    # This arm follows its set-points with a lag of a few ticks.
    assert max(found["worst_rad"]) < 0.05 and 0 < found["tool_rms_m"] < 0.02 and found["clamped"] == 0
    with running.client() as client:
        until(lambda: client.state(5.0).holder == "")
        state = client.state(5.0)
        np.testing.assert_allclose(state.governed, sway(SPEC)[-1], atol=1e-3)
        assert state.gripper_command == pytest.approx(0.05, abs=1e-3)


@pytest.mark.real_time
def test_on_ctrl_c_the_arm_holds(running: DriverProcess, tmp_path: Path) -> None:
    root = recording(tmp_path / "set", SPEC, sway(SPEC, 10.0))
    with running_replay(running, root) as process, running.client() as client:
        until(lambda: client.state(5.0).holder == "replay" and np.abs(client.state(5.0).governed_velocity).max() > 0.01)
        status, _, error = process.end(signal.SIGINT)
        assert status == 130 and error.endswith("worldarm: interrupted\n") and "Traceback" not in error
        until(lambda: not client.state(5.0).holder and not any(client.state(5.0).governed_velocity))


def running_replay(driver: DriverProcess, root: Path):  # type: ignore[no-untyped-def]
    return started("replay", str(root), "0", "--command-address", driver.command)


def test_nothing_moves_for_what_this_arm_cannot_do(
    running: DriverProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    beyond = sway(SPEC)
    beyond[10] += 3.0
    fast = sway(SPEC)
    fast[10, 0] += 0.2
    down = np.linspace(np.array(SPEC.home), np.array(SPEC.home) + np.array([0, 1.5, 0, 0, 0, 0, 0]), 90)
    others = tuple(f"joint{number}" for number in range(7))
    with running.client() as client:
        before = client.state(5.0).governed
        for name, root, words in (
            (
                "robot",
                recording(tmp_path / "robot", SPEC, sway(SPEC), robot="so101"),
                "was recorded with the arm so101",
            ),
            ("names", recording(tmp_path / "names", SPEC, sway(SPEC), names=others), "has the joints joint0"),
            ("bare", recording(tmp_path / "bare", SPEC, sway(SPEC), columns=("action",)), f"no column '{GOVERNED}'"),
            ("beyond", recording(tmp_path / "beyond", SPEC, beyond), "exceeds the joints' limits after 0.33 s"),
            ("fast", recording(tmp_path / "fast", SPEC, fast), "it is allowed"),
            ("down", recording(tmp_path / "down", SPEC, down), "s on, the"),
        ):
            assert main(["replay", str(root), "0", "--command-address", running.command]) == 1, name
            told = capsys.readouterr()
            assert words in told.err and "replay:" not in told.out, (name, told.err)
        assert client.state(5.0).governed == before
    assert main(["replay", str(tmp_path / "down"), "7", "--command-address", running.command]) == 1
    assert "7 is not among them" in capsys.readouterr().err


def test_without_times_and_measurements_the_rate_tells_when(tmp_path: Path) -> None:
    root = recording(tmp_path / "set", SPEC, sway(SPEC), columns=(GOVERNED,))
    trace = read_trace(Dataset.open(root), 0, SPEC)
    np.testing.assert_allclose(trace.seconds, np.arange(30) / FPS)
    assert trace.measured is None and trace.widths is None
    whole = read_trace(Dataset.open(recording(tmp_path / "whole", SPEC, sway(SPEC))), 0, SPEC)
    np.testing.assert_allclose(whole.seconds, trace.seconds, atol=1e-8)
    assert whole.widths is not None and whole.measured is not None
    with pytest.raises(DatasetError, match="not among them"):
        read_trace(Dataset.open(root), 1, SPEC)
