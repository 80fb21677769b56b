"""The first run of an SO-101 that was assembled wrongly: what the encoders show, and what only the person sees."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from robot.client.client import Client
from robot.first_run.checks import check_place
from robot.first_run.joints import JointChecks
from robot.hardware.so101.arm import Calibration
from robot.hardware.so101.description import JOINTS
from robot.hardware.so101.emulator import EmulatedServo, So101Emulator, calibration_file, usual_calibration
from tests.robot.first_run.witness import Witness
from tests.robot.hardware.arm_bench import Driving, driver_process
from tests.robot.limp_arm import limp_arm

pytestmark = pytest.mark.real_time

START = (0.0, -0.6, 0.6, 0.6, 0.0, 0.0)
ELBOW, WRIST = JOINTS.index("elbow_flex"), JOINTS.index("wrist_flex")


class StuckServo(EmulatedServo):
    """A servo that answers and does not turn."""

    def move(self, seconds: float) -> None:
        held = self.position
        super().move(seconds)
        self.position = held
        super().move(0.0)


@dataclass
class Setting:
    """A driver's client, and a person who sees the true arm."""

    client: Client
    witness: Witness
    joints: JointChecks


def truth() -> dict[str, Calibration]:
    """The arm as it is: all servos with the same offset, so that the driver cannot tell one from another by it."""
    return {name: msgspec.structs.replace(each, homing_offset=7) for name, each in usual_calibration().items()}


@contextmanager
def setting(
    folder: Path, calibration: dict[str, Calibration], stuck: str = "", wall: float | None = None, walks: str = ""
) -> Iterator[Setting]:
    """An arm as `truth` says, `stuck` at one joint or with the elbow blocked at `wall` rad, and a driver that was given
    `calibration`."""
    arm = So101Emulator(truth(), START)
    if stuck:
        servo = arm.servos[truth()[stuck].id]
        arm.servos[truth()[stuck].id] = StuckServo(servo.position, servo.table)
    if wall is not None:
        arm.servos[truth()["elbow_flex"].id].wall = truth()["elbow_flex"].steps(wall)
    file = folder / "calibration.json"
    file.write_bytes(calibration_file(calibration))
    words = ("--arm", "so101", "--calibration", str(file), "--flight-log", str(folder / "log"))
    with limp_arm(arm) as limp, driver_process(*words, "--address", limp.path) as process:
        driving = Driving(process)
        assert driving.command, driving.first_line + process.communicate(timeout=300)[1]
        with driving.client() as client:
            witness = Witness(limp.servos, truth(), walks)
            yield Setting(client, witness, JointChecks(client, witness))


def swapped(calibration: dict[str, Calibration]) -> dict[str, Calibration]:
    """The elbow's and the wrist's servo with each other's id."""
    elbow, wrist = calibration["elbow_flex"], calibration["wrist_flex"]
    replace = msgspec.structs.replace
    return {**calibration, "elbow_flex": replace(elbow, id=wrist.id), "wrist_flex": replace(wrist, id=elbow.id)}


def test_a_servo_with_another_ones_id_is_seen_by_the_person(tmp_path: Path) -> None:
    with setting(tmp_path, swapped(truth())) as here:
        found = here.joints.direction(ELBOW)
        assert (found.result, found.joint) == ("failed", "elbow_flex")
        assert "another joint turned" in found.found


def test_an_inverted_direction_is_seen_by_the_person_and_by_a_ruler_too(tmp_path: Path) -> None:
    inverted = truth()
    inverted["wrist_flex"] = msgspec.structs.replace(inverted["wrist_flex"], drive_mode=1)
    with setting(tmp_path, inverted) as here:
        assert check_place(here.client, here.witness).result == "failed"
        found = here.joints.direction(WRIST)
        assert (found.result, found.joint) == ("failed", "wrist_flex")
        assert "the other way round" in found.found and "drive_mode" in found.found


def test_a_dead_servo_is_named_by_its_encoder(tmp_path: Path) -> None:
    with setting(tmp_path, truth(), stuck="elbow_flex") as here:
        found = here.joints.direction(ELBOW)
        assert (found.result, found.joint) == ("failed", "elbow_flex")
        assert "did not turn" in found.found


def test_a_range_that_is_wider_than_the_joint_can_turn_is_named_where_it_stops(tmp_path: Path) -> None:
    with setting(tmp_path, truth(), wall=0.9, walks="elbow_flex") as here:
        assert here.joints.direction(ELBOW).result == "passed"
        found = here.joints.range(ELBOW, upper=True)
        assert (found.result, found.joint) == ("failed", "elbow_flex")
        assert "range in the calibration" in found.found


def test_servos_of_different_offsets_cannot_be_exchanged_unnoticed(tmp_path: Path) -> None:
    file = tmp_path / "calibration.json"
    file.write_bytes(calibration_file(swapped(usual_calibration())))
    with (
        limp_arm() as limp,
        driver_process("--arm", "so101", "--calibration", str(file), "--address", limp.path) as process,
    ):
        _, err = process.communicate(timeout=300)
        assert process.returncode == 1 and "elbow_flex (servo 4) has the homing offset" in err
