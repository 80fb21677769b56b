"""An SO-101 that must not be switched on is left as it is, and one that reports an error is let go of nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot.errors import ArmError
from robot.hardware.so101.arm import So101
from robot.hardware.so101.bus import PRESENT, STATUS, STEPS, TORQUE
from robot.hardware.so101.description import MOTORS
from robot.hardware.so101.emulator import usual_calibration
from robot.hardware.so101.servo_errors import ANGLE, CURRENT, HEAT, HOTTEST_C, OVERLOAD, VOLTAGE
from tests.commands import in_process
from tests.robot.driver.command import until
from tests.robot.hardware.arm_bench import PATIENCE_S, SO101, driver_process, driving, standing
from tests.robot.limp_arm import LimpArm, limp_arm

CALIBRATION = usual_calibration()
_VOLTS, _CELSIUS = 62, 63
WORDS = {
    OVERLOAD: "was overloaded and has switched its torque off",
    HEAT: "is too hot, at 30 °C",
    CURRENT: "draws too much current",
    ANGLE: "reports that its angle sensor fails",
    VOLTAGE: "has 7.4 V, outside its range",
    0x10: "reports the errors 0x10",
}


@pytest.fixture(scope="module")
def limp() -> Iterator[LimpArm]:
    with limp_arm() as limp:
        yield limp


def written(limp: LimpArm) -> dict[int, bytes]:
    """Each servo's table without what it measures."""
    return {number: bytes(servo.table[:PRESENT]) for number, servo in limp.servos.items()}


@contextmanager
def arm_of(limp: LimpArm) -> Iterator[So101]:
    arm = So101(limp.path, CALIBRATION)
    try:
        yield arm
    finally:
        arm.close()


def refusal(limp: LimpArm) -> str:
    """Start the arm, which must refuse, change nothing and not stir; return its words."""
    before, stood = written(limp), [servo.position for servo in limp.servos.values()]
    with arm_of(limp) as arm, pytest.raises(ArmError) as refused:
        arm.start()
    assert written(limp) == before
    assert [servo.position for servo in limp.servos.values()] == stood
    return str(refused.value)


@settings(max_examples=12)
@given(st.sampled_from(MOTORS), st.sampled_from(list(WORDS)))
def test_a_servo_with_an_error_is_not_switched_on(limp: LimpArm, name: str, bit: int) -> None:
    servo = limp.servos[CALIBRATION[name].id]
    servo.table[STATUS] = bit
    try:
        assert refusal(limp).startswith(f"{name} (servo {CALIBRATION[name].id}) {WORDS[bit]}")
    finally:
        servo.table[STATUS] = 0


@pytest.mark.parametrize(("at", "value", "words"), [(_CELSIUS, HOTTEST_C, "too hot"), (_VOLTS, 44, "power supply")])
def test_a_servo_without_an_error_that_is_hot_or_without_power_is_not_switched_on(
    limp: LimpArm, at: int, value: int, words: str
) -> None:
    servo = limp.servos[3]
    before = servo.table[at]
    servo.table[at] = value
    try:
        assert "elbow_flex (servo 3)" in (said := refusal(limp)) and words in said
    finally:
        servo.table[at] = before


@settings(max_examples=12)
@given(st.sampled_from(MOTORS), st.one_of(st.integers(-20000, -1), st.integers(STEPS, 20000), st.floats(0.12, 0.3)))
def test_wherever_a_joint_stands_outside_nothing_is_written(limp: LimpArm, name: str, beyond: int | float) -> None:
    """Outside the servo's turn, in steps, or outside the joint's range, in rad."""
    calibrated = CALIBRATION[name]
    servo, lower = limp.servos[calibrated.id], calibrated.range_min
    stood = servo.position
    outside = lower - beyond * STEPS / (2.0 * np.pi)
    turned = isinstance(beyond, int) or outside < 0.0
    servo.position = float(beyond) if isinstance(beyond, int) else outside
    servo.move(0.0)
    try:
        said = refusal(limp)
        assert said.startswith(f"{name} (servo {calibrated.id}) ") and "by hand" in said
        assert ("outside its turn" in said) is turned
    finally:
        servo.position = stood
        servo.move(0.0)


@pytest.mark.parametrize(("at", "value", "words"), [(STATUS, HEAT, "too hot"), (TORQUE, 0, "has lost its torque")])
def test_an_error_while_it_runs_is_raised_once_it_lasts(at: int, value: int, words: str) -> None:
    with limp_arm() as limp, arm_of(limp) as arm:
        arm.start()
        table = limp.servos[2].table
        usual = table[at]

        def fresh() -> None:
            """Read until an answer came: a busy machine may lose one."""
            before = arm.read().time_ns
            until(lambda: arm.read().time_ns != before)

        table[at] = value
        until(lambda: arm._erroneous == 1 if arm.read() else False)
        table[at] = usual
        fresh()
        table[at] = value
        with pytest.raises(ArmError, match=rf"shoulder_lift \(servo 2\).*{words}"):
            until(lambda: not arm.read())


@pytest.mark.real_time
def test_a_joint_outside_its_limits_is_moved_back_slowly_by_the_option_that_says_so(tmp_path: Path) -> None:
    with standing(SO101, tmp_path, (0.0, -0.6, 0.6, 1.0, 2.9)) as stand:
        words = ("--black-box", str(tmp_path / "black-box"), *stand.words)
        with driver_process(*words) as refused:
            assert "wrist_roll (servo 5) stands" in refused.communicate(timeout=PATIENCE_S)[1]
        begin = time.monotonic()
        with driver_process(*words, "--recover") as process:
            out, err = process.communicate(timeout=PATIENCE_S)
        assert (process.returncode, err) == (0, "")
        assert "moving wrist_roll by -7.3°" in out and "at rest and parked" in out
        assert time.monotonic() - begin > 0.127 / 0.1
        with driving(stand, tmp_path) as driver, driver.client() as client:
            assert client.state(10.0).measured[-1] == pytest.approx(2.77, abs=0.01)


def test_an_arm_that_cannot_be_brought_back_is_refused() -> None:
    for option, words in (("--recover", "not brought back by its driver"), ("--read-only", "leave --read-only out")):
        result = in_process("driver", "--arm", "sim", "--recover", option)
        assert result.returncode == 1 and words in result.stderr
