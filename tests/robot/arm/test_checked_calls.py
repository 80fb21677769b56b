"""What an arm may raise or report, and what the driver is told of it."""

import time

import msgspec
import pytest

from robot.arm.checked_calls import arm_faults, read
from robot.arm.interface import Reading
from robot.errors import ArmError, ConfigurationError, ConnectionLost
from tests.robot.kinematic_arm import KinematicArm, Options


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError("no such port"), "^OSError: no such port$"),
        (ConnectionLost("gone"), "^ConnectionLost: gone$"),
        (TimeoutError(), "^TimeoutError$"),
    ],
)
def test_whatever_an_arm_raises_is_its_fault(error: Exception, words: str) -> None:
    with pytest.raises(ArmError, match=words) as caught, arm_faults():
        raise error
    assert caught.value.__cause__ is error


def test_what_worldarm_expects_stays_what_it_is() -> None:
    own = ArmError("too hot")
    with pytest.raises(ArmError) as caught, arm_faults():
        raise own
    assert caught.value is own
    with pytest.raises(ConfigurationError), arm_faults(but=ConfigurationError):
        raise ConfigurationError("no such port")


class Reporting(KinematicArm):
    """An arm that reports what it is told to."""

    def __init__(self, reading: object) -> None:
        super().__init__(Options())
        self.reading = reading

    def read(self) -> Reading:
        return self.reading  # type: ignore[return-value]


def test_a_reading_that_cannot_be_is_a_fault() -> None:
    good = Reading(time.monotonic_ns(), (0.0,) * 7, (0.0,) * 7, 0.08)
    assert read(Reporting(good)) == good
    for wrong, words in (
        (msgspec.structs.replace(good, velocities=(0.0,) * 6), "joints"),
        (msgspec.structs.replace(good, positions=(float("nan"),) * 7), "not finite"),
        (msgspec.structs.replace(good, gripper_width=float("inf")), "not finite"),
        (msgspec.structs.replace(good, time_ns=good.time_ns - 10**9), "not reported for 1"),
        (None, "AttributeError"),
        (msgspec.structs.replace(good, positions=("0",) * 7), "TypeError"),
    ):
        with pytest.raises(ArmError, match=words):
            read(Reporting(wrong))
