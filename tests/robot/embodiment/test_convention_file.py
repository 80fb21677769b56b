"""Conventions as files hold them: what is written today, what was written before, and what others bring."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from robot.arm.kinematics import Kinematics
from robot.embodiment.actions import PLANAR_PUSH, TABLETOP
from robot.embodiment.box_action import BoxAction
from robot.embodiment.convention import ActionConvention, ArmConvention, arm_convention
from robot.embodiment.convention_file import differences, read_convention
from robot.embodiment.joint_displacement import JointDisplacement
from robot.errors import ConfigurationError
from robot.wire.messages import Waypoint
from tests.robot.embodiment import stranger
from tests.robot.panda import panda_spec

JOINTS = JointDisplacement.of(panda_spec())
BOX = BoxAction(2, 0.1, 4)


def read(stored: object) -> ActionConvention:
    return msgspec.convert(stored, ActionConvention, dec_hook=read_convention)


@pytest.mark.parametrize("convention", [PLANAR_PUSH, TABLETOP, JOINTS, BOX])
def test_a_convention_comes_back_as_it_was(convention: ActionConvention) -> None:
    stored = msgspec.json.decode(msgspec.json.encode(convention))
    assert isinstance(convention, msgspec.Struct)
    assert stored["kind"] == convention.__struct_config__.tag
    assert read(stored) == convention and hash(read(stored)) == hash(convention)


def test_files_from_before_conventions_had_kinds_read_as_what_they_meant() -> None:
    shipped = {"axes": ["x", "y"], "scale_m": 0.035, "block_s": 1 / 7, "waypoints": 5,
               "bounds": {"lower": [0.33, -0.25, 0.045], "upper": [0.69, 0.25, 0.045]},
               "rotation": [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, -1.0]], "gripper_width": 0.0}  # fmt: skip
    assert read(shipped) == PLANAR_PUSH
    nowhere = {"lower": [0.0, 0.0, 0.0], "upper": [0.0, 0.0, 0.0]}
    environment = {"axes": ["action0", "action1"], "scale_m": 0.0, "block_s": 0.1, "waypoints": 4, "bounds": nowhere}
    assert read(environment) == BOX
    assert BOX.names == ("action0", "action1")


@pytest.mark.parametrize(
    ("stored", "said"),
    [
        ("push", "a mapping"),
        ({"kind": "telepathy"}, "no installed package offers actions of the kind 'telepathy'"),
        ({"kind": "joint-displacement", "joints": ["a"]}, "scale_rad"),
        ({"axes": ["x"]}, "scale_m"),
        ({"axes": ["action0"]}, "missing required field"),
    ],
)
def test_what_is_no_convention_is_refused(stored: object, said: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=said):
        read(stored)


def test_what_differs_is_named() -> None:
    assert differences(PLANAR_PUSH, msgspec.structs.replace(PLANAR_PUSH, scale_m=0.1)) == ("scale_m",)
    assert "kind" in differences(PLANAR_PUSH, BOX)


def test_a_box_moves_no_arm() -> None:
    assert arm_convention(TABLETOP) is TABLETOP
    with pytest.raises(ConfigurationError, match="cannot move an arm"):
        arm_convention(BOX)
    with pytest.raises(msgspec.ValidationError, match="ArmConvention"):
        msgspec.convert(msgspec.to_builtins(BOX), ArmConvention[Any], dec_hook=read_convention)


def test_a_stranger_s_convention_is_read_by_its_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    stranger.install(tmp_path)
    swing = arm_convention(read({"kind": "swing", "step_rad": 0.05}))
    assert (swing.size, swing.block_s) == (1, 0.2)
    kinematics = Kinematics(panda_spec())
    start = swing.set_point(kinematics, kinematics.home, 0.0)
    blocks = swing.block(kinematics, start, swing.target(start, np.ones(1)), kinematics.home, 0)
    assert blocks[-1] == Waypoint(200_000_000, (kinematics.home[0] + 0.05, *kinematics.home[1:]), 0.0)
