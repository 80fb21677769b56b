from __future__ import annotations

import re
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import pytest

from robot.embodiment.actions import PLANAR_PUSH
from sim.evaluation.contact_sheet import THUMB
from sim.evaluation.film import LARGE, Layout
from sim.evaluation.goal_film import LAST_FRAMES
from tests.commands import running, worldarm
from tests.sim.execution.children import assert_gone, children
from tests.sim.untrained import untrained_checkpoint
from worldarm import main


@dataclass(frozen=True)
class Shown:
    """A demo that came to its end, and where it left its files."""

    result: subprocess.CompletedProcess[str]
    output: Path


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return untrained_checkpoint(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture(scope="module")
def shown(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Shown:
    """One goal, by a model that has learnt nothing, into a folder that is not there yet."""
    output = tmp_path_factory.mktemp("demo") / "deep" / "out"
    return Shown(
        worldarm("demo", "--task", "push", "--goals", "1", "--checkpoint", str(checkpoint), "--output", str(output)),
        output,
    )


@pytest.mark.real_time
@pytest.mark.alone
def test_a_model_that_reaches_nothing_ends_it_with_the_reason(shown: Shown) -> None:
    assert shown.result.returncode == 1, shown.result.stderr
    lines = shown.result.stdout.splitlines()
    assert lines[0].startswith("demo: 1 held-out push goals, seed 7")
    assert re.fullmatch(r"demo: driver at tcp://127\.0\.0\.1:\d+, camera at tcp://127\.0\.0\.1:\d+", lines[1])
    assert re.match(r"goal  1/1, push: .* cm -> .* cm  not reached .* decisions, median \d+ ms", lines[2])
    assert "lateness" in shown.result.stdout, "driver and camera tell of their timing"
    assert any(line.startswith("demo: 0 of 1 goals reached, median decision") for line in lines)
    assert str(shown.output) in lines[-2]
    assert lines[-1].startswith("demo: fewer than 80% of the goals were reached")
    assert "Traceback" not in shown.result.stderr


@pytest.mark.real_time
@pytest.mark.alone
def test_it_leaves_goal_film_and_contact_sheet_and_nothing_else(shown: Shown) -> None:
    assert sorted(path.name for path in shown.output.iterdir()) == ["contact-sheet.png", "goal-01.mp4", "goal-01.png"]
    assert cv2.imread(str(shown.output / "goal-01.png")).shape == (32, 32, 3)
    sheet = cv2.imread(str(shown.output / "contact-sheet.png"))
    assert sheet.shape[0] > THUMB and sheet.shape[1] > 6 * THUMB


@pytest.mark.real_time
@pytest.mark.alone
def test_the_film_has_a_frame_a_decision(shown: Shown) -> None:
    decided = re.search(r"(\d+) decisions", shown.result.stdout)
    assert decided is not None and 10 <= int(decided[1]) <= 40
    with av.open(str(shown.output / "goal-01.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == Layout(LARGE, (32, 32, 3)).size
        assert stream.average_rate == round(1 / PLANAR_PUSH.block_s)
        assert sum(1 for _ in container.decode(stream)) == int(decided[1]) + LAST_FRAMES


@pytest.mark.parametrize(
    ("how", "after_s", "status"),
    [(signal.SIGINT, 3.0, 130), (signal.SIGTERM, 0.0, 143)],
)
def test_ended_on_the_way_it_leaves_no_process_behind(
    checkpoint: Path, tmp_path: Path, how: signal.Signals, after_s: float, status: int
) -> None:
    words = ["demo", "--task", "push", "--goals", "1", "--checkpoint", str(checkpoint), "--output", str(tmp_path)]
    with running(*words) as demo:
        assert demo.process.stdout is not None
        assert "driver at" in demo.process.stdout.readline()
        started = children(demo.process.pid)
        assert len(started) == 2, started
        time.sleep(after_s)
        ended, _, error = demo.end(how)
    assert ended == status
    assert "Traceback" not in error
    assert_gone(list(started), 0.0)


def test_killed_it_leaves_no_process_behind(checkpoint: Path, tmp_path: Path) -> None:
    with running(
        "demo", "--task", "push", "--goals", "1", "--checkpoint", str(checkpoint), "--output", str(tmp_path)
    ) as demo:
        assert demo.process.stdout is not None
        assert "driver at" in demo.process.stdout.readline()
        started = children(demo.process.pid)
        demo.process.kill()
        assert len(started) == 2, started
        assert_gone(list(started))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--goals", "0"], "--goals must be at least 1, not 0"),
        (["--seed", "-1"], "--seed must be 0 or more, not -1"),
        (["--seed", str(2**63)], "--seed must be below 2**63"),
        (["--checkpoint", "/nowhere/model"], "/nowhere/model holds no checkpoint"),
        (["--subgoals", "things"], "this checkpoint cannot leave things out of a goal"),
        (["--output", "/dev/null/out"], "/dev/null/out cannot be written: Not a directory"),
    ],
)
def test_what_cannot_be_is_one_line(
    checkpoint: Path, tmp_path: Path, options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["demo", "--task", "push", "--checkpoint", str(checkpoint), "--output", str(tmp_path / "out"), *options]
    assert main(words) == 1
    error = capsys.readouterr().err
    assert error.startswith("worldarm: ") and said in error and error.count("\n") == 1
