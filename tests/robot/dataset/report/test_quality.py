"""What the quality report says of recordings in which something is known to be wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot.dataset import Dataset, DatasetWriter, Feature
from robot.dataset.edit.check import check
from robot.dataset.edit.merge import merge
from robot.dataset.format.columns import CLAMPS, GOVERNED, MEASURED, REQUESTED, age_column, capture_column
from robot.dataset.format.recorder_columns import FRAME_LATE, FRAME_MISSING, MARKS, recorded_features
from robot.dataset.report.quality import idle_frames, measure_quality, pace_of, same_starts
from robot.dataset.report.workspace_coverage import covered
from robot.errors import DatasetError
from robot.hardware.ur.description import JOINTS
from tests.commands import in_process
from tests.robot.dataset.samples import write

FPS = 10
PERIOD_NS = 100_000_000
REASONS = ("velocity", "workspace", "table")
FEATURES = {
    "observation.images.front": Feature("image", (8, 8, 3)),
    "observation.images.side": Feature("image", (8, 8, 3)),
    "observation.state": Feature("float32", (len(JOINTS),), JOINTS),
    "action": Feature("float32", (len(JOINTS),), JOINTS),
    **recorded_features(("front", "side"), JOINTS, REASONS),
}


def recorded(length: int, start: float = 0.0) -> dict[str, npt.NDArray[Any]]:
    """An episode without a flaw: every joint moves evenly, every picture is 20 ms old."""
    joints = np.tile(start + 0.1 * np.arange(length, dtype=np.float32)[:, None], (1, len(JOINTS)))
    times = 10**15 + PERIOD_NS * np.arange(length)
    pictures = np.full((length, 8, 8, 3), 100, np.uint8)
    return {
        "observation.images.front": pictures,
        "observation.images.side": pictures,
        "observation.state": joints,
        "action": joints,
        MEASURED: joints,
        REQUESTED: joints,
        GOVERNED: joints,
        CLAMPS: np.zeros((length, len(REASONS)), bool),
        **{capture_column(camera): times for camera in ("front", "side")},
        **{age_column(camera): np.full(length, 20_000_000) for camera in ("front", "side")},
    }


@pytest.fixture(scope="module")
def flawed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four episodes: sound; with gaps, old pictures and clamps; with a pause; beginning as the first does."""
    root = tmp_path_factory.mktemp("sets") / "flawed"
    with DatasetWriter.create(root, FPS, FEATURES, "ur5e", durable=False) as writer:
        writer.save_episode(recorded(20), "sweep", {MARKS: []})
        bad = recorded(20, 0.3)
        late = PERIOD_NS * np.cumsum([0, *[1] * 9, 4, *[1] * 9])  # three pictures are missing
        late[15] = late[14]  # and one was taken twice
        bad[capture_column("side")] = 10**15 + late
        bad[age_column("front")] = np.array([20_000_000] * 19 + [180_000_000])
        bad[CLAMPS] = bad[CLAMPS].copy()
        bad[CLAMPS][3:8, 0] = bad[CLAMPS][7:9, 2] = True
        bad[GOVERNED] = bad[REQUESTED] - np.float32(0.25) * bad[CLAMPS][:, :1]
        writer.save_episode(bad, "sweep", {MARKS: [FRAME_LATE, FRAME_MISSING]})
        pause = recorded(30, -0.2)
        pause["observation.state"] = pause["observation.state"].copy()
        pause["observation.state"][10:22] = pause["observation.state"][10]
        writer.save_episode(pause, "wait", {MARKS: [FRAME_LATE]})
        writer.save_episode(recorded(20, 1e-4), "sweep", {MARKS: []})
    return root


def test_flaws_are_found_where_they_are(flawed: Path) -> None:
    found = measure_quality(Dataset.open(flawed))
    assert check(flawed).problems == ()
    sound, bad, pause, again = found.episodes
    assert (sound.rate_hz, sound.worst_gap_s, sound.drops, sound.repeats) == (
        pytest.approx(10),
        pytest.approx(0.1),
        0,
        0,
    )
    assert (sound.clamped_frames, sound.clamped, sound.idle_s, sound.marks) == (0, {}, 0, ())
    assert bad.drops == 3 + 1  # the picture after the one taken twice is two periods on
    assert bad.repeats == 1
    assert bad.worst_gap_s == pytest.approx(0.4)
    assert bad.pace["front"].drops == 0 and bad.pace["side"].rate_hz == pytest.approx(19 / 2.2)
    assert bad.ages["front"].worst_s == pytest.approx(0.18) and bad.ages["side"].worst_s == pytest.approx(0.02)
    assert (bad.clamped_frames, bad.clamped) == (6, {"velocity": 5, "table": 2})
    assert bad.worst_change_rad == pytest.approx(0.25)
    assert bad.marks == (FRAME_LATE, FRAME_MISSING)
    assert pause.idle_s == pause.longest_idle_s == pytest.approx(1.2)
    assert [one.same_start_as for one in found.episodes] == [None, None, None, 0]
    assert found.same_starts == ((0, 3),)
    assert found.marks == {FRAME_LATE: 2, FRAME_MISSING: 1}
    assert (found.times, found.drops, found.worst_gap_s) == ("captured", 4, pytest.approx(0.4))
    assert again.drops == 0


def test_the_report_tells_it(flawed: Path, tmp_path: Path) -> None:
    written, picture = tmp_path / "deep/quality.json", tmp_path / "workspace.png"
    result = in_process("dataset", "quality", str(flawed), "--json", str(written), "--plot", str(picture))
    assert (result.returncode, result.stderr) == (0, "")
    assert "4 episodes, 90 frames, 0.1 minutes; times captured" in result.stdout
    assert "worst gap 0.400 s, 4 dropped, 1 repeated, oldest 0.180 s" in result.stdout
    assert "clamped 6 frames: velocity 5, table 2" in result.stdout
    assert "the governor changed a set-point by at most 0.2500 rad" in result.stdout
    assert "marked: frame late 2, frame missing 1" in result.stdout
    assert "2 episodes start in the same state: 0, 3" in result.stdout
    assert "frame late, frame missing, 4 dropped, 1 repeated, 6 clamped (velocity, table)" in result.stdout
    assert "starts as episode 0" in result.stdout
    document = json.loads(written.read_text())
    assert document["episodes"][1]["pace"]["side"]["drops"] == 4
    assert document["workspace"]["of"] == "tool" and document["workspace"]["cells"] > 1
    drawn = cv2.imread(str(picture))
    assert drawn is not None and drawn.std() > 5


def test_a_set_without_times_says_so_and_marks_survive_a_merge(flawed: Path, tmp_path: Path) -> None:
    plain = measure_quality(Dataset.open(write(tmp_path / "plain", 3)))
    assert (plain.times, plain.rate_hz, plain.drops, plain.worst_age_s) == ("nominal", 8, 0, None)
    assert plain.clamped_frames is None and plain.worst_change_rad is None
    merge(tmp_path / "twice", [flawed, merge(tmp_path / "copy", [flawed]) and tmp_path / "copy"])
    assert measure_quality(Dataset.open(tmp_path / "twice")).marks == {FRAME_LATE: 4, FRAME_MISSING: 2}


def test_the_tool_is_where_kinematics_put_it(flawed: Path) -> None:
    found = covered(Dataset.open(flawed))
    assert found is not None
    coverage, points = found
    assert points.shape == (90, 3)
    # All joints at zero: a UR5e lies stretched out along its base's x, its wrists beside and below.
    np.testing.assert_allclose(points[0], [0.8172, 0.2329, 0.0628], atol=1e-4)
    assert np.linalg.norm(points[:, :2], axis=1).max() < 0.95
    assert coverage.names == ("tool.x", "tool.y", "tool.z")


def test_a_damaged_set_is_told(tmp_path: Path) -> None:
    root = write(tmp_path / "set", 2)
    (root / "data/chunk-000/file-001.parquet").write_bytes(b"torn")
    with pytest.raises(DatasetError, match=r"file-001\.parquet cannot be read"):
        measure_quality(Dataset.open(root))
    result = in_process("dataset", "quality", str(root), "--plot", str(tmp_path / "plot.txt"))
    assert result.returncode == 1 and "is not a supported picture format" in result.stderr


@given(drops=st.lists(st.integers(0, 5), min_size=1, max_size=40), jitter=st.integers(-30, 30), fps=st.integers(1, 60))
def test_every_missing_frame_is_counted(drops: list[int], jitter: int, fps: int) -> None:
    period = 1e9 / fps
    times = np.cumsum([0.0, *((1 + lost) * period for lost in drops)])
    times[1::2] += jitter / 100 * period * 0.5
    pace = pace_of(times.round().astype(np.int64), fps)
    assert (pace.drops, pace.repeats) == (sum(drops), 0)
    assert pace.worst_gap_s == pytest.approx(np.diff(times).max() * 1e-9, rel=1e-6, abs=1e-8)


@given(moves=st.integers(0, 60), pause=st.integers(0, 60), entries=st.integers(1, 4))
def test_standstill_is_as_long_as_it_lasts(moves: int, pause: int, entries: int) -> None:
    path = np.concatenate([np.arange(moves + 1), np.full(pause, moves), moves + 1 + np.arange(moves)])
    states = np.tile(path[:, None].astype(float), (1, entries)) * 2.0  # 2 % of the range a frame
    idle = idle_frames(states, np.full(entries, 100.0), FPS)
    assert idle.sum() == (pause + 1 if pause + 1 >= 6 else 0)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30))
def test_starts_are_grouped_with_the_first_of_their_kind(kinds: list[int]) -> None:
    starts = np.array(kinds, dtype=float)[:, None]
    expected = [kinds.index(kind) if kinds.index(kind) < number else None for number, kind in enumerate(kinds)]
    assert same_starts(starts, np.array([5.0])) == expected
