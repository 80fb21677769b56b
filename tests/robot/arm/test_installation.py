"""What a user tells of the arm's surroundings ends up in what guards it, or is refused in plain words."""

import math

import numpy as np
import pytest

from robot.arm.installation import apply_installation
from robot.arm.interface import ArmSpec, Box
from robot.arm.kinematics import Kinematics
from robot.errors import ArmError, ConfigurationError, Refused
from robot.motion.servo import Servo
from robot.wire.messages import Waypoint
from tests.commands import worldarm
from tests.robot.panda import panda_spec

SPEC = panda_spec()
HOME = np.array(SPEC.home)


def sent_to_the_side(spec: ArmSpec) -> str:
    """Why the first joint may not turn a little; empty when it may."""
    servo = Servo(spec)
    servo.engage(HOME, 0.04)
    try:
        servo.accept([Waypoint(9_000_000_000, tuple(HOME + np.array([0.1, 0, 0, 0, 0, 0, 0])), 0.04)], 0)
    except Refused as error:
        return error.reason
    return ""


def test_the_table_the_workspace_and_boxes_are_guarded() -> None:
    tool = Kinematics(SPEC).position(HOME)
    side = float(tool[1])
    assert sent_to_the_side(apply_installation(SPEC)) == ""
    assert (
        sent_to_the_side(apply_installation(SPEC, workspace=(0.25, -0.4, 0.0, 0.8, side + 0.002, 0.7)))
        == "out-of-workspace"
    )
    beside = (0.3, side + 0.13, 0.0, 0.8, 0.5, 0.9)
    assert sent_to_the_side(apply_installation(SPEC, keep_out=(beside,))) == "touches"
    assert sent_to_the_side(apply_installation(SPEC, keep_out=((0.3, -0.5, 0.0, 0.8, -0.3, 0.9),))) == ""
    with pytest.raises(ArmError, match="outside the workspace"):
        sent_to_the_side(apply_installation(SPEC, table_height=float(tool[2]) + 0.1))
    both = apply_installation(apply_installation(SPEC, keep_out=((0, 0, 0, 1, 1, 1),)), keep_out=((2, 2, 2, 3, 3, 3),))
    assert both.keep_out == (Box((0, 0, 0), (1, 1, 1)), Box((2, 2, 2), (3, 3, 3)))
    assert apply_installation(SPEC) == SPEC


@pytest.mark.parametrize(
    "wrong",
    [
        {"table_height": math.nan},
        {"table_height": 0.7},
        {"workspace": (0, 0, 0, 1, 1, 0)},
        {"workspace": (0, 0, 0, 1, 1, math.inf)},
        {"keep_out": ((1, 0, 0, 0, 1, 1),)},
    ],
)
def test_surroundings_that_cannot_be_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match="--"):
        apply_installation(SPEC, **wrong)  # type: ignore[arg-type]


def test_the_command_takes_them_and_refuses_to_start_where_the_arm_stands_in_a_box() -> None:
    words = ("driver", "--state-address", "tcp://127.0.0.1:*", "--command-address", "tcp://127.0.0.1:*")
    inside = worldarm(*words, "--keep-out", "0.3", "-0.3", "0.2", "0.7", "0.3", "0.9", "--duration-s", "1")
    assert (inside.returncode, inside.stdout.count("driver:")) == (1, 0)
    assert "the arm is in a keep-out box" in inside.stderr
    boxes = ("--keep-out", "0.3", "0.5", "0", "0.7", "0.6", "1", "-0.9", "-0.9", "0", "-0.8", "-0.8", "1")
    outside = worldarm(*words, *boxes, "--workspace", "0.3", "-0.3", "0", "0.7", "0.3", "0.6", "--duration-s", "0.5")
    assert outside.returncode == 0, outside.stderr
