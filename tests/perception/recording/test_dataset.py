"""What a recording's data set says of its arm, and which arms it goes on with."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest

from perception.recording.dataset import open_set, recorded_embodiment
from robot.arm.interface import ArmSpec
from robot.arm.kinematics import Kinematics
from robot.dataset import Dataset, DatasetWriter
from robot.dataset.format.arm_kinematics import KEY
from robot.dataset.report.workspace_coverage import covered
from robot.embodiment.actions import PLANAR_PUSH
from robot.errors import DatasetError
from tests.perception.recording.known import ARM, CAMERA, FPS, WRIST, written


def opened(root: Path, arm: ArmSpec) -> DatasetWriter:
    return open_set(root, FPS, "png", arm, recorded_embodiment(arm, (CAMERA, WRIST), PLANAR_PUSH))


def test_a_recording_carries_the_kinematics_of_its_arm(tmp_path: Path) -> None:
    dataset = written(tmp_path / "set", seconds=0.5)
    assert dataset.info.metadata[KEY]["joint_names"] == list(ARM.joint_names)
    found = covered(dataset)
    assert found is not None
    # Joints are recorded in single precision.
    home = np.array(ARM.home, np.float32).astype(np.float64)
    np.testing.assert_array_equal(found[1][0], Kinematics(ARM).position(home))


def test_an_arm_that_is_described_otherwise_is_not_recorded_into_the_same_set(tmp_path: Path) -> None:
    root = written(tmp_path / "set", seconds=0.5).root
    opened(root, ARM).close()
    with pytest.raises(DatasetError, match="other kinematics of the arm 'panda'"):
        opened(root, msgspec.structs.replace(ARM, tool_frame="panda_hand"))


def test_a_recording_of_before_is_gone_on_with(tmp_path: Path) -> None:
    root = written(tmp_path / "set", seconds=0.5).root
    document = json.loads((root / "meta/info.json").read_text())
    del document["worldarm"][KEY]
    (root / "meta/info.json").write_text(json.dumps(document))
    opened(root, ARM).close()
    assert KEY not in Dataset.open(root).info.metadata
