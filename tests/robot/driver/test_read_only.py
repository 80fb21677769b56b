"""A driver that reads its arm and moves nothing: it tells where the arm is, refuses to move it, and writes nothing."""

from __future__ import annotations

import signal
from pathlib import Path

import numpy as np
import pytest

from robot.client.client import Client
from robot.errors import ArmError, Refused
from robot.hardware.so101.arm import So101
from robot.hardware.so101.bus import TORQUE
from robot.hardware.so101.emulator import usual_calibration
from tests.commands import in_process
from tests.robot.driver.checks import away, now
from tests.robot.driver.command import until
from tests.robot.limp_arm import limp_arm, reading

PAN = usual_calibration()["shoulder_pan"]


@pytest.mark.real_time
def test_it_tells_where_a_hand_moves_the_arm_and_grants_nobody_the_lease(tmp_path: Path) -> None:
    with limp_arm() as arm, reading(arm.path, tmp_path) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        before = {number: bytes(servo.table[:56]) for number, servo in arm.servos.items()}
        with Client(line.split("command ")[1].split(",")[0], 5.0) as client:
            arm.servos[PAN.id].position = PAN.steps(0.5)
            until(lambda: abs(now(client).measured[0] - 0.5) < 2e-3)
            state = now(client)
            assert state.mode == "idle" and state.governed == state.measured and "read only" in state.reason
            with pytest.raises(Refused, match="only reads its arm"):
                client.acquire("me", 1.0)
            with pytest.raises(Refused, match="only reads its arm"):
                client.send_waypoints([away(0, 0.1, 1.0)])
            client.stop("nothing to stop")
            # A line that is cut is a fault, and a reset opens it again where the arm is then.
            arm.cut.set()
            until(lambda: now(client).mode == "fault")
            arm.servos[PAN.id].position = PAN.steps(-0.5)
            arm.cut.clear()

            def mended() -> bool:
                try:
                    client.reset()
                except Refused:
                    return False
                return now(client).mode == "idle"

            until(mended)
            until(lambda: abs(now(client).measured[0] + 0.5) < 2e-3)
        assert {number: bytes(servo.table[:56]) for number, servo in arm.servos.items()} == before
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=300)
        assert process.returncode == 130 and "left as it is" in out and "Traceback" not in err
        assert not np.any([servo.torque_dropped for servo in arm.servos.values()])


def test_an_so101_that_its_motors_hold_is_not_let_fall() -> None:
    with limp_arm() as limp:
        for servo in limp.servos.values():
            servo.table[TORQUE] = 1
        arm = So101(limp.path, usual_calibration())
        with pytest.raises(ArmError, match="cut its power"):
            arm.start_reading()
        arm.close()
        assert all(servo.table[TORQUE] and not servo.torque_dropped for servo in limp.servos.values())


def test_what_cannot_be_read_without_being_enabled_is_told(tmp_path: Path) -> None:
    result = in_process("driver", "--arm", "sim", "--read-only")
    assert result.returncode == 1 and "leave --read-only out" in result.stderr
    for option in ("--flight-log", "--black-box"):  # its name before
        result = in_process("driver", "--arm", "sim", "--read-only", option, str(tmp_path))
        assert result.returncode == 1 and "--flight-log" in result.stderr
