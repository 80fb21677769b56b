"""The tool's positions of a set of any arm: by the kinematics that the set carries, and of older sets by name."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest

from robot.arm.interface import ArmSpec
from robot.arm.kinematics import Kinematics
from robot.dataset import Dataset, DatasetWriter, Feature
from robot.dataset.edit.merge import merge
from robot.dataset.edit.split import split
from robot.dataset.format.arm_kinematics import KEY, ArmKinematics, kinematics_of, read_kinematics
from robot.dataset.format.columns import MEASURED
from robot.dataset.report.workspace_coverage import TOOL, covered
from robot.errors import DatasetError
from robot.hardware.franka.description import franka_spec
from robot.known_arms import known_spec
from tests.robot.panda import panda_spec

STRANGER = msgspec.structs.replace(panda_spec(), name="no-maker-we-know")
"""An arm of a package that is not here."""
ROWS = 12


def sweep(arm: ArmSpec, seed: int = 0) -> np.ndarray:
    """Joints (T, n) rad near home."""
    rng = np.random.default_rng(seed)
    return (np.array(arm.home) + rng.uniform(-0.2, 0.2, (ROWS, arm.dof))).astype(np.float32)


def written(root: Path, arm: ArmSpec, kinematics: ArmKinematics | None, seed: int = 0) -> Path:
    """A set of two episodes of `arm` that carries `kinematics`."""
    features = {MEASURED: Feature("float32", (arm.dof,), arm.joint_names)}
    metadata = {} if kinematics is None else kinematics.to_metadata()
    with DatasetWriter.create(root, 10, features, arm.name, metadata, durable=False) as writer:
        for episode in range(2):
            writer.save_episode({MEASURED: sweep(arm, seed + episode)}, "sweep")
    return root


def assert_covers_the_tool(root: Path, arm: ArmSpec, seeds: tuple[int, ...]) -> None:
    found = covered(Dataset.open(root))
    assert found is not None
    coverage, points = found
    assert (coverage.of, coverage.names) == ("tool", TOOL)
    kinematics = Kinematics(arm)
    expected = [kinematics.position(row.astype(np.float64)) for seed in seeds for row in sweep(arm, seed)]
    np.testing.assert_array_equal(points, expected)


def test_the_tool_of_an_arm_that_worldarm_does_not_know_is_found(tmp_path: Path) -> None:
    root = written(tmp_path / "set", STRANGER, kinematics_of(STRANGER))
    assert_covers_the_tool(root, STRANGER, (0, 1))
    carried = read_kinematics(Dataset.open(root).info)
    assert carried is not None and "<visual" not in carried.urdf and "<collision" not in carried.urdf


def test_merge_and_split_keep_the_kinematics(tmp_path: Path) -> None:
    first = written(tmp_path / "first", STRANGER, kinematics_of(STRANGER))
    older = written(tmp_path / "older", STRANGER, None, seed=2)
    for inputs, seeds in (([first, older], (0, 1, 2, 3)), ([older, first], (2, 3, 0, 1))):
        joined = tmp_path / f"joined-{seeds[0]}"
        merge(joined, inputs)
        assert_covers_the_tool(joined, STRANGER, seeds)
    split(tmp_path / "joined-0", tmp_path / "parts", {"some": [1, 2], "rest": [0]})
    assert_covers_the_tool(tmp_path / "parts/some", STRANGER, (1, 2))
    assert_covers_the_tool(tmp_path / "parts/rest", STRANGER, (0,))


def test_sets_of_two_arms_under_one_name_are_not_merged(tmp_path: Path) -> None:
    longer = msgspec.structs.replace(kinematics_of(STRANGER), tool_frame="panda_hand")
    sets = [
        written(tmp_path / "older", STRANGER, None),
        written(tmp_path / "first", STRANGER, kinematics_of(STRANGER)),
        written(tmp_path / "second", STRANGER, longer),
    ]
    with pytest.raises(
        DatasetError,
        match=r'kinematics of their arms differ in worldarm\.kinematics\.tool_frame .*"panda_hand" of the other',
    ):
        merge(tmp_path / "joined", sets)
    assert not (tmp_path / "joined").exists()


def test_a_set_of_before_is_read_by_the_name_of_its_arm(tmp_path: Path) -> None:
    assert_covers_the_tool(written(tmp_path / "franka", franka_spec(), None), franka_spec(), (0, 1))
    assert known_spec(STRANGER.name) is None
    found = covered(Dataset.open(written(tmp_path / "unknown", STRANGER, None)))
    assert found is not None and found[0].of == "state", "joints without kinematics are no tool positions"


def test_an_entry_that_is_not_valid_is_named(tmp_path: Path) -> None:
    root = written(tmp_path / "set", STRANGER, kinematics_of(STRANGER))
    document = json.loads((root / "meta/info.json").read_text())
    document["worldarm"][KEY]["joint_names"] = 7
    (root / "meta/info.json").write_text(json.dumps(document))
    with pytest.raises(DatasetError, match=rf"worldarm\.{KEY} entry in meta/info\.json is not valid"):
        covered(Dataset.open(root))
