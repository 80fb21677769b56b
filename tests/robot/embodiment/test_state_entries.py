"""Every entry of a state has one definition, by which it is felt live and read off recordings."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from robot.arm.interface import Vector
from robot.arm.kinematics import Kinematics
from robot.embodiment.actions import TABLETOP
from robot.embodiment.arm_sample import ArmSample
from robot.embodiment.proprioception import GRASPING_STATE_NAMES, Proprioception, states_at
from robot.embodiment.sample_series import SampleSeries
from robot.embodiment.state_entries import STATE_ENTRIES, commands_among, entries_named, mirror_signs, needs_effort
from robot.errors import ConfigurationError
from tests.robot.embodiment import stranger
from tests.robot.panda import panda_spec

SPEC = panda_spec()
KINEMATICS = Kinematics(SPEC)
HOME = np.array(SPEC.home)
EFFORT = np.linspace(-3.0, 3.0, 7)
EVERYTHING = (
    *GRASPING_STATE_NAMES,
    "gripper.holding",
    *(f"{entry.name}.{joint}" for entry in STATE_ENTRIES.values() if entry.per_joint for joint in (1, 7)),
)


def sample(measured: Vector, governed: Vector, width: float, command: float) -> ArmSample:
    poses = KINEMATICS.forward(measured), KINEMATICS.forward(governed)
    return ArmSample(measured, governed, *poses, width, command, EFFORT, TABLETOP.yaw)


def recorded(names: tuple[str, ...]) -> tuple[list[Vector], np.ndarray]:
    """What is felt live at each of three moments, and what a recording of them says of the same moments."""
    moments = [(HOME + 0.02 * k, HOME - 0.01 * k, 0.05 - 0.01 * k, 0.02 * k) for k in range(3)]
    live = Proprioception(names, TABLETOP, KINEMATICS)
    series = SampleSeries(np.arange(3.0), [sample(*moment) for moment in moments])
    return [live.state(*moment, EFFORT) for moment in moments], states_at(names, series, np.arange(3.0))


def test_what_is_felt_live_is_what_a_recording_says() -> None:
    live, read = recorded(EVERYTHING)
    np.testing.assert_array_equal(np.stack(live), read)
    # Between two samples numbers go in a straight line, but what holds or does not.
    series = SampleSeries(np.arange(2.0), [sample(HOME, HOME, 0.04, 0.04), sample(HOME + 0.1, HOME, 0.04, 0.0)])
    between = states_at(("joint.1", "gripper.holding"), series, np.array([0.25, 0.75]))
    np.testing.assert_allclose(between[:, 0], HOME[0] + np.array([0.025, 0.075]))
    assert between[:, 1].tolist() == [0.0, 1.0]


def test_a_stranger_s_entry_is_felt_live_and_from_recordings_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    stranger.install(tmp_path)
    live, read = recorded(("lean", "tool.x"))
    np.testing.assert_array_equal(np.stack(live), read)
    assert abs(read[2, 0]) > 1e-3 and mirror_signs(("lean",)) == (1.0,)
    with pytest.raises(ConfigurationError, match=r"unknown state entries: warmth; known: .*joint\.N.*lean"):
        entries_named(("warmth",))


def test_commands_and_mirror_images_follow_from_the_definitions() -> None:
    assert commands_among(GRASPING_STATE_NAMES) == (4, 5, 6, 8, 9)
    assert commands_among(("joint.1", "setpoint.joint.1", "state.0", "nothing")) == (1,)
    assert mirror_signs(GRASPING_STATE_NAMES) == (1.0, -1.0, 1.0, 1.0, 1.0, -1.0, 1.0, -1.0, -1.0, 1.0)
    with pytest.raises(ConfigurationError, match=r"the mirror image of joint\.2 is not known"):
        mirror_signs(("tool.x", "joint.2"))


@pytest.mark.parametrize("name", ["joint", "joint.0", "joint.one", "joint.-1", "tool.x.1", "effort"])
def test_a_joint_is_named_by_its_number(name: str) -> None:
    with pytest.raises(ConfigurationError, match="unknown state entries"):
        entries_named((name,))


def test_a_joint_that_the_arm_lacks_and_an_effort_that_it_does_not_measure_are_said() -> None:
    for name, said in (("joint.8", "has 7 joints"), ("effort.1", "for 0 of them")):
        with pytest.raises(ConfigurationError, match=said):
            Proprioception((name,), TABLETOP, KINEMATICS).state(HOME, HOME, 0.0, 0.0)


def test_an_arm_that_does_not_feel_what_is_asked_is_refused_before_it_moves() -> None:
    for names in (("effort.7", "joint.7"), GRASPING_STATE_NAMES):
        Proprioception(names, TABLETOP, KINEMATICS).require(SPEC)
    with pytest.raises(ConfigurationError, match="for 0 of them"):
        Proprioception(("effort.7",), TABLETOP, KINEMATICS).require(msgspec.structs.replace(SPEC, effort=()))
    assert needs_effort(("tool.x", "effort.1")) and not needs_effort(EVERYTHING[:11])
