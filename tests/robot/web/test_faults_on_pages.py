"""A fault of an arm stands on each page and in the status: which joint, what is wrong, and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from robot.hardware.so101.emulator import STATUS, calibration_file, usual_calibration
from robot.hardware.so101.servo_errors import OVERLOAD
from tests.commands import Running, in_process, running
from tests.robot.driver.command import until
from tests.robot.hardware.arm_bench import Driving, driver_process
from tests.robot.limp_arm import limp_arm
from tests.robot.web.page import Page

FAULT = (
    "elbow_flex (servo 3) was overloaded and has switched its torque off: hold the arm, free the joint of what blocks "
    "or loads it, then switch the arm's power off and on"
)


def url_of(command: Running) -> str:
    """The address of the page that the command names in its first line."""
    assert "http://" in command.first_line, command.first_line + command.end()[2]
    return "http://" + command.first_line.partition("http://")[2].split()[0].rstrip(";,")


@pytest.mark.real_time
def test_a_servo_in_overload_is_on_every_page_and_in_the_status_until_it_is_reset(tmp_path: Path) -> None:
    calibration = tmp_path / "calibration.json"
    calibration.write_bytes(calibration_file(usual_calibration()))
    with limp_arm() as arm:
        words = ("--arm", "so101", "--address", arm.path, "--calibration", str(calibration))
        with driver_process(*words, "--flight-log", str(tmp_path / "log")) as process:
            driving = Driving(process)
            to = ("--command-address", driving.command)
            page = ("--port", "0", *to)
            with (
                running("view", *page, "--camera", "tcp://127.0.0.1:9") as view,
                running("teleop", "--device", "web", *page) as teleop,
                Page(url_of(view)) as watching,
                Page(url_of(teleop)) as moving,
            ):
                until(lambda: "lease:" in watching.text and "lease:" in moving.text)
                arm.servos[3].table[STATUS] = OVERLOAD
                shown = FAULT.replace("'", "&#x27;")
                until(lambda: all(f"<b>fault</b> ({shown})" in each.text for each in (watching, moving)))
                status = in_process("status", *to)
                assert f"mode     fault: {FAULT}\n" in status.stdout, status.stderr
                arm.servos[3].table[STATUS] = 0  # its power was off and on
                assert in_process("reset", *to).returncode == 0
                until(lambda: all("fault" not in each.text for each in (watching, moving)))
