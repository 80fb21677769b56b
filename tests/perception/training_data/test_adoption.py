"""A set as LeRobot records it, several episodes to a file and no word of worldarm's, is adopted and learnt from."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perception.training_data.block_extraction import read_blocks
from robot.dataset import Dataset
from robot.dataset.edit.check import check
from robot.embodiment.description import read_recorded_embodiment
from robot.embodiment.joint_source import Units, joint_source
from robot.errors import ConfigurationError
from robot.known_arms import known_spec
from tests.commands import in_process
from tests.robot.dataset.edit.edits import tree
from tests.robot.dataset.foreign import write_foreign

FPS = 30
NAMES = [f"{joint}.pos" for joint in ("shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll")]
NAMES.append("gripper.pos")
ARM = known_spec("so101")
assert ARM is not None


def motion(episode: int, seconds: float = 6.0) -> np.ndarray:
    """Joints in degrees that swing, and a gripper that opens and closes, 0 to 100."""
    at = np.arange(round(seconds * FPS))[:, None] / FPS
    joints = 15.0 * np.sin((0.5 + 0.1 * episode) * at + np.arange(5)) + [0.0, -20.0, 20.0, 40.0, 0.0]
    return np.column_stack([joints, 50.0 + 50.0 * np.sign(np.sin(at))]).astype(np.float32)


def recorded(root: Path, episodes: int = 6, numbers: Any = lambda each: each, names: Any = NAMES) -> Path:
    ways = [numbers(motion(episode)) for episode in range(episodes)]
    entry = {"shape": [ways[0].shape[1]], "names": names}
    return write_foreign(root, [[0] * len(way) for way in ways], fps=FPS, of_action=entry, motion=ways)


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recorded(tmp_path_factory.mktemp("theirs") / "set")


@pytest.fixture
def root(theirs: Path, tmp_path: Path) -> Path:
    shutil.copytree(theirs, tmp_path / "set")
    return tmp_path / "set"


ADOPT = ("dataset", "adopt")
SO101 = ("--arm", "so101", "--units", "degrees")


def adopted(root: Path, *words: str) -> str:
    result = in_process(*ADOPT, str(root), *words)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_only_the_info_changes_and_other_programs_find_all_they_had(root: Path) -> None:
    before, problems, said = tree(root), check(root).problems, json.loads((root / "meta/info.json").read_text())
    out = adopted(root, *SO101)
    assert "1080 frames of the arm so101, cameras front, actions joints" in out
    assert "shoulder_lift  from   -35.0° to    -5.0°" in out
    after = tree(root)
    changed = {path for path in {*before, *after} if before.get(path) != after.get(path)}
    assert {str(path) for path in changed} <= {"meta/info.json", ".lock"}
    now = json.loads((root / "meta/info.json").read_text())
    assert {**now, "worldarm": None} == {**said, "worldarm": None}
    assert check(root).problems == problems
    adopted(root, *SO101)  # again, for instance with other options


def test_blocks_are_the_joints_that_were_sent_in_the_arm_s_own_units(root: Path) -> None:
    adopted(root, *SO101)
    dataset = Dataset.open(root)
    embodiment = read_recorded_embodiment(dataset.info)
    assert embodiment is not None and embodiment.arm == "so101"
    blocks = read_blocks(dataset, embodiment, embodiment.cameras[0])
    names, scale = embodiment.state_names, embodiment.action.scale_rad
    assert {stretch.episode for stretch in blocks.stretches} == set(range(6))
    for stretch in blocks.stretches[:3]:
        truth = np.radians(motion(stretch.episode)[stretch.rows])
        np.testing.assert_allclose(stretch.states[:, :5], truth[:, :5], atol=1e-4)
        width = stretch.states[:, names.index("gripper.width")]
        np.testing.assert_allclose(width, 0.07 * motion(stretch.episode)[stretch.rows, 5] / 100, atol=1e-4)
        np.testing.assert_allclose(stretch.actions[:-1, :5] * scale, np.diff(truth[:, :5], axis=0), atol=2e-3)


def test_what_was_adopted_trains_and_is_judged(root: Path, tmp_path: Path) -> None:
    from tests.control.conftest import QUICK

    words = ("--dataset", str(root), "--run", str(tmp_path / "run"), "--output", str(tmp_path / "checkpoint"), *QUICK)
    refused = in_process("train", *words)
    assert refused.returncode == 1 and "`worldarm dataset adopt`" in refused.stderr
    adopted(root, *SO101)
    done = in_process("train", *words)
    assert done.returncode == 0, done.stderr
    cache = str(tmp_path / "cache")
    judged = in_process("check", str(tmp_path / "checkpoint"), "--dataset", str(root), "--cache", cache)
    assert judged.returncode in (0, 1) and "plannable" in judged.stdout, judged.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--arm", "so101", "--units", "radians"), "cannot be joints of the arm so101: .* would go from"),
        (("--arm", "franka", "--units", "degrees"), "there is no entry 'fr3_joint1'|there is no entry"),
        (("--arm", "r2d2", "--units", "degrees"), "--arm must be one of franka, so101, ur3e"),
        ((*SO101, "--cameras", "wrist"), "has no camera 'wrist' with colour pictures; it has front"),
        ((*SO101, "--joints", "0", "1"), "names 2 entries, and the arm so101 has 5 joints"),
        ((*SO101, "--joints", "0", "1", "2", "3", "9"), "there is no entry '9'"),
        ((*SO101, "--reverse", "knee"), "has no joint 'knee'"),
        ((*SO101, "--offsets-deg", "elbow_flex=90"), "elbow_flex would go from 9.* to 1"),
        ((*SO101, "--gripper-range", "1", "1"), "two different numbers"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(root: Path, words: tuple[str, ...], says: str) -> None:
    before = (root / "meta/info.json").read_bytes()
    result = in_process(*ADOPT, str(root), *words)
    assert result.returncode == 1 and re.search(says, result.stderr), result.stderr
    assert (root / "meta/info.json").read_bytes() == before


def test_an_arm_that_stands_still_is_refused_and_entries_are_named_by_their_places(tmp_path: Path) -> None:
    root = recorded(tmp_path / "still", 2, lambda each: np.radians(each) / 10)
    result = in_process(*ADOPT, str(root), *SO101)
    assert result.returncode == 1 and "would move no joint by more than" in result.stderr
    root = recorded(tmp_path / "apart", 2, lambda each: np.column_stack([each, each[:, :5] - 60.0]), None)
    result = in_process(*ADOPT, str(root), *SO101, "--joints", "0", "1", "2", "3", "4", "--gripper", "5")
    assert result.returncode == 0, result.stderr  # the same entries of both columns
    described = json.loads((root / "meta/info.json").read_text())["worldarm"]["recorded"]["source"]
    assert [each["action"] for each in described["joints"]] == [0, 1, 2, 3, 4] and described["gripper"]["state"] == 5


def rewrite(root: Path, column: str, numbers: np.ndarray) -> None:
    """Put `numbers` (frames, n) in place of a column of the set's one data file."""
    path = root / "data/chunk-000/file-000.parquet"
    table = pq.read_table(path)
    values = pa.array(numbers.tolist(), table.schema.field(column).type)
    pq.write_table(table.set_column(table.column_names.index(column), column, values), path)


@pytest.mark.parametrize("kind", ["relative to the start", "of another zero"])
def test_actions_far_from_the_measured_states_are_refused_and_nothing_is_written(tmp_path: Path, kind: str) -> None:
    raised = [0.0, 0.0, 0.0, 20.0, 0.0, 0.0]  # the wrist is far from zero, about which relative actions are
    root = recorded(tmp_path / "set", 2, lambda each: each[: 2 * FPS] + raised)
    states = np.concatenate([motion(episode)[: 2 * FPS] + raised for episode in range(2)])
    starts = np.repeat(states[:: 2 * FPS], 2 * FPS, axis=0)
    rewrite(root, "action", states - starts if kind == "relative to the start" else states - 45.0)
    before = tree(root)
    result = in_process(*ADOPT, str(root), *SO101)
    assert result.returncode == 1
    apart = re.search(r"would be (\d+)° from those measured, in the median", result.stderr)
    assert apart and (int(apart[1]) > 50 if kind == "relative to the start" else int(apart[1]) == 45), result.stderr
    assert "its actions are not joint positions" in result.stderr
    assert {path: data for path, data in tree(root).items() if path != ".lock"} == before


def test_an_arm_that_lags_behind_its_actions_is_adopted(tmp_path: Path) -> None:
    root = recorded(tmp_path / "set", 2, lambda each: each[: 2 * FPS])
    states = np.concatenate([motion(episode)[: 2 * FPS] for episode in range(2)])
    rewrite(root, "observation.state", states - 35.0)
    assert "120 frames of the arm so101" in adopted(root, *SO101)


def test_a_set_that_worldarm_recorded_needs_none(tmp_path: Path) -> None:
    from tests.perception.recording.known import written

    root = written(tmp_path / "own", seconds=1.0).root
    result = in_process(*ADOPT, str(root), "--arm", "franka", "--units", "radians")
    assert result.returncode == 1 and "was made by worldarm and says itself what training needs" in result.stderr


def test_a_description_that_does_not_fit_the_columns_is_refused_when_it_is_read(root: Path, tmp_path: Path) -> None:
    adopted(root, *SO101)
    path = root / "meta/info.json"
    for place in (-1, 6, 10**9):
        document = json.loads(path.read_text())
        document["worldarm"]["recorded"]["source"]["joints"][2]["action"] = place
        path.write_text(json.dumps(document))
        result = in_process(
            "train", "--dataset", str(root), "--run", str(tmp_path / "r"), "--output", str(tmp_path / "c")
        )
        assert result.returncode == 1 and "run `worldarm dataset adopt` again" in result.stderr


@given(
    units=st.sampled_from(["degrees", "radians", "normalised"]),
    order=st.permutations(range(6)),
    reverse=st.sets(st.sampled_from(ARM.joint_names)),
    offsets=st.dictionaries(st.sampled_from(ARM.joint_names), st.floats(-90, 90)),
    closed=st.floats(-100, 100),
    span=st.floats(1, 100) | st.floats(-100, -1),
    seed=st.integers(0, 100),
)
@settings(max_examples=40, deadline=None)
def test_joints_come_back_from_any_order_units_directions_and_offsets(
    units: Units, order: list[int], reverse: set[str], offsets: dict[str, float], closed: float, span: float, seed: int
) -> None:
    assert ARM is not None
    rng = np.random.default_rng(seed)
    joints, width = rng.uniform(ARM.lower, ARM.upper, (7, 5)), rng.uniform(0.0, 0.07, 7)
    numbers = np.empty((7, 6))
    for number, joint in enumerate(ARM.joint_names):
        turned = (joints[:, number] - np.radians(offsets.get(joint, 0.0))) * (-1 if joint in reverse else 1)
        low, high = ARM.lower[number], ARM.upper[number]
        stored = {
            "degrees": np.degrees(turned),
            "radians": turned,
            "normalised": 200 * (turned - low) / (high - low) - 100,
        }
        numbers[:, number] = stored[units]
    numbers[:, 5] = closed + span * width / 0.07
    names = [NAMES[number] for number in order]
    source = joint_source(ARM, names, NAMES, units, (), tuple(reverse), offsets, "gripper", (closed, closed + span))
    expected = np.column_stack([joints, width])
    np.testing.assert_allclose(source.commanded(numbers[:, order]), expected, atol=1e-9)
    np.testing.assert_allclose(source.measured(numbers), expected, atol=1e-9)


def test_an_entry_that_is_named_twice_is_ambiguous() -> None:
    assert ARM is not None
    with pytest.raises(ConfigurationError, match="or more than one"):
        joint_source(ARM, [*NAMES, "gripper"], [*NAMES, "gripper"], "degrees")
