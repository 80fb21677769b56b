"""Which joint of a leader moves which: what a file may say, and what is refused."""

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot.errors import ConfigurationError
from robot.hardware.so101.description import JOINTS, LIMITS, so101_spec
from robot.teleop.devices.joint_map import read_joint_map
from robot.wire.messages import JointState
from tests.robot.panda import panda_spec

PANDA = panda_spec()
SO101 = so101_spec(tuple(-LIMITS[name] for name in JOINTS), tuple(LIMITS[name] for name in JOINTS))


def led(measured: tuple[float, ...], width: float) -> JointState:
    numbers = (0.0,) * len(measured)
    return JointState(
        time_ns=0,
        tick=0,
        mode="idle",
        requested=measured,
        governed=measured,
        measured=measured,
        governed_velocity=numbers,
        measured_velocity=numbers,
        measured_effort=(),
        gripper_command=width,
        gripper_width=width,
        clamps=(),
        holder="",
        active_until_ns=0,
        set_point_ns=0,
        reason="",
    )


def test_sign_scale_and_offset_carry_joints_and_gripper_over(tmp_path: Path) -> None:
    path = tmp_path / "map.json"
    path.write_text(
        json.dumps(
            {
                "joints": {
                    "panda_joint1": {"from": "shoulder_pan", "sign": -1, "scale": 2, "offset": 0.5},
                    "panda_joint7": {"from": "wrist_roll"},
                },
                "gripper": {"scale": 1.5, "offset": -0.01},
            }
        )
    )
    joint_map = read_joint_map(path, SO101, PANDA)
    state = led((0.1, 0.2, 0.3, 0.4, 0.5), 0.04)
    assert joint_map.names == ("panda_joint1", "panda_joint7")
    assert joint_map.joints(state).tolist() == pytest.approx([0.3, 0.5])
    assert joint_map.width(state, 0.0) == pytest.approx(0.05)
    assert joint_map.width(led((0.0,) * 5, 0.07), 0.0) == 0.08


def test_without_a_file_joints_of_the_same_names_follow_each_other() -> None:
    joint_map = read_joint_map(None, PANDA, PANDA)
    assert joint_map.joints(led(PANDA.home, 0.04)).tolist() == list(PANDA.home)
    assert joint_map.width(led(PANDA.home, 0.04), 0.0) == pytest.approx(0.04)
    with pytest.raises(ConfigurationError, match="--joint-map"):
        read_joint_map(None, SO101, PANDA)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "not a joint map"),
        ('{"joints": {}}', "maps no joint"),
        ('{"joints": {"elbow": {"from": "shoulder_pan"}}}', "'elbow'"),
        ('{"joints": {"panda_joint1": {"from": "knee"}}}', "'knee'"),
        ('{"joints": {"panda_joint1": {"from": "shoulder_pan", "sign": 0}}}', "sign"),
        ('{"joints": {"panda_joint1": {"from": "shoulder_pan", "scale": -1}}}', "scale"),
        ('{"joints": {"panda_joint1": {"from": "shoulder_pan", "offset": 1e9}}}', "offset"),
        ('{"joints": {"panda_joint1": {"from": "shoulder_pan", "ofset": 0}}}', "ofset"),
        ('{"joints": {"panda_joint1": {}}}', "from"),
        ('{"joints": {"panda_joint1": {"from": "shoulder_pan"}}, "gripper": {"scale": 0}}', "scale"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused_with_its_name(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "map.json"
    path.write_text(content)
    with pytest.raises(ConfigurationError, match=words) as refused:
        read_joint_map(path, SO101, PANDA)
    assert str(path) in str(refused.value)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_joint_map(tmp_path / "none.json", SO101, PANDA)


@given(st.binary(max_size=80))
def test_no_bytes_are_anything_but_a_map_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError):
        read_joint_map(path, msgspec.structs.replace(SO101, name="leader"), PANDA)
