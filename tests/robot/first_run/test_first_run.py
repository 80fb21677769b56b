"""`worldarm driver --first-run` at a terminal, the report that it leaves, and the driver that asks for it."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from robot.arm.interface import ArmOptions
from robot.errors import ConfigurationError
from robot.first_run.report import Outcome, ask_for_report, identity_of, read_report, write_report
from robot.flight_log.records import Engaged, Opened, Ticked, newest_flight_log, read_flight_log
from robot.flight_log.replay import replay
from robot.hardware.so101.description import JOINTS
from robot.hardware.so101.emulator import calibration_file, usual_calibration
from tests.commands import worldarm
from tests.robot.first_run.witness import Witness
from tests.robot.hardware.arm_bench import ANY, Driving, driver_process
from tests.robot.limp_arm import LimpArm, limp_arm
from tests.robot.teleop.person import Person

BUSY_TRIES = 5
"""On a busy machine the emulator may fall silent, which ends a first run."""
_OFFERED = re.compile(r"([^\r\n]+)[\r\n]+    ([^\r\n]*)   q ends")


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder of this test's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "worldarm"


def calibrated(folder: Path, name: str = "calibration.json") -> Path:
    path = folder / name
    path.write_bytes(calibration_file(usual_calibration()))
    return path


def words(arm: LimpArm, calibration: Path) -> tuple[str, ...]:
    return ("--arm", "so101", "--address", arm.path, "--calibration", str(calibration))


def answer_all(person: Person, witness: Witness) -> None:
    """Answer each question that comes to the terminal as `witness` would, until the command ends."""
    answered = 0
    while person.process.poll() is None:
        offered = _OFFERED.findall(person.screen)
        if len(offered) == answered:
            time.sleep(0.1)  # the emulator runs in this process too
            continue
        question, answers = offered[answered]
        answered += 1
        person.type(witness.ask(question, _keys(answers)))
        if "Press SPACE" in question:
            time.sleep(1.0)
            person.type(" ")


def speeds_of_the_gripper(log: Path) -> tuple[float, float]:
    """How fast the last driver's gripper was allowed to be, and its set-point was at most, m/s, by a log that
    replays."""
    records = list(read_flight_log(log))
    assert replay(records).difference is None
    last = next(each for each in reversed(records) if isinstance(each, Opened))
    begin = next(n for n, each in enumerate(records) if isinstance(each, Opened) and each.run == last.run)
    steps, before = [0.0], None
    for each in records[begin:]:
        if isinstance(each, Engaged):
            before = None
        elif isinstance(each, Ticked):
            steps.append(0.0 if before is None else abs(each.gripper_width - before))
            before = each.gripper_width
    return last.arm.gripper_speed, max(steps) * last.arm.rate_hz


def _keys(offered: str) -> Mapping[str, str]:
    named = {"ENTER": "\n", "SPACE": " "}
    return {named.get(key, key): meaning for key, _, meaning in (each.partition(" ") for each in offered.split("   "))}


@pytest.mark.real_time
def test_at_a_terminal_it_checks_the_arm_slowly_and_leaves_a_report_that_the_driver_asks_for(
    tmp_path: Path, state: Path
) -> None:
    calibration = calibrated(tmp_path)
    with limp_arm() as arm:
        with driver_process(*words(arm, calibration)) as process:
            driving = Driving(process)
            with driving.client() as client:
                assert "has had no first run" in client.state(10.0).reason
                full_speed = client.arm.velocity, client.arm.gripper_speed
            assert process.stdout is not None
            assert "start it once with --first-run" in process.stdout.readline()
        addresses = ("--state-address", ANY, "--command-address", ANY)
        for _ in range(BUSY_TRIES):
            with Person("driver", *words(arm, calibration), *addresses, "--first-run") as person:
                person.sees("with a fifth of its speed")
                answer_all(person, Witness(arm.servos, usual_calibration(), walks="wrist_flex"))
                status = person.end()
                assert person.restored()
            if "the arm has not reported" not in person.screen:
                break
        assert status == 0 and "0 failed" in person.screen and "at rest and parked" in person.screen, person.screen
        allowed, fastest = speeds_of_the_gripper(newest_flight_log())
        assert allowed == pytest.approx(0.2 * full_speed[1]) and 0.01 < fastest < allowed + 1e-6
        (file,) = (state / "first-run").iterdir()
        report = json.loads(file.read_text())
        assert (report["version"], report["arm"]) == (1, "so101")
        passed = {(each["check"], each["joint"]) for each in report["outcomes"] if each["result"] == "passed"}
        assert passed >= {("direction", joint) for joint in JOINTS}
        assert passed >= {(check, "") for check in ("lease", "place", "stop", "lapse", "gripper")}
        assert ("upper end of its range", "wrist_flex") in passed
        with driver_process(*words(arm, calibration)) as process:
            driving = Driving(process)
            with driving.client() as client:
                assert "first run" not in client.state(10.0).reason
                assert (client.arm.velocity, client.arm.gripper_speed) == full_speed
    # Another arm has had none, and neither has this one once it is calibrated anew.
    again = calibrated(tmp_path, "again.json")
    again.write_bytes(again.read_bytes().replace(b"-1230", b"-1229"))
    assert "no first run" in ask_for_report(identity_of("so101", ArmOptions(arm.path, again)))
    # The port says nothing about which arm is there.
    assert ask_for_report(identity_of("so101", ArmOptions("/dev/ttyACM7", calibration))) == ""


@pytest.mark.real_time
def test_ended_half_way_it_writes_nothing_and_the_arm_holds(tmp_path: Path, state: Path) -> None:
    addresses = ("--state-address", ANY, "--command-address", ANY)
    for how, status in (("q", 1), (signal.SIGINT, 130), (signal.SIGTERM, 143)):
        with (
            limp_arm() as arm,
            Person("driver", *words(arm, calibrated(tmp_path)), *addresses, "--first-run") as person,
        ):
            person.sees("Is the table clear")
            if isinstance(how, signal.Signals):
                os.kill(person.process.pid, how)
            else:
                person.type(how)
            assert person.end() == status and person.restored(), person.screen
            assert "loop:" in person.screen, "the driver parks the arm"
            assert all(servo.torque_dropped == 0 for servo in arm.servos.values())
    assert not (state / "first-run").exists()


@pytest.mark.real_time
def test_a_failed_first_run_keeps_the_driver_from_starting_until_it_is_told_to(tmp_path: Path, state: Path) -> None:
    calibration = calibrated(tmp_path)
    with limp_arm() as arm:
        identity = identity_of("so101", ArmOptions(arm.path, calibration))
        write_report(identity, (Outcome("direction", "failed", "its direction is inverted", "elbow_flex"),))
        refused = worldarm("driver", *words(arm, calibration))
        assert refused.returncode == 1 and "elbow_flex: its direction is inverted" in refused.stderr
        assert "--skip-first-run" in refused.stderr
        log = tmp_path / "log"
        skipped = worldarm(
            *("driver", *words(arm, calibration), "--skip-first-run", "--flight-log", str(log), "--duration-s", "0.2"),
            *("--state-address", ANY, "--command-address", ANY),
        )
        assert skipped.returncode == 0 and "--skip-first-run" in skipped.stdout
        assert "--skip-first-run" in worldarm("log", "show", str(log)).stdout


def test_what_cannot_be_a_first_run_is_refused_before_the_arm_is_touched(tmp_path: Path) -> None:
    with limp_arm() as arm:
        piped = worldarm("driver", *words(arm, calibrated(tmp_path)), "--first-run")
        assert piped.returncode == 1 and "in a terminal" in piped.stderr
        assert all(not servo.table[40] for servo in arm.servos.values())


def test_a_report_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    identity = identity_of("ur", ArmOptions("192.168.1.10"))
    assert read_report(identity) is None
    written = write_report(identity, (Outcome("lease", "passed", "a second client was refused"),))
    assert read_report(identity) == written and ask_for_report(identity) == ""
    for damaged in (b"", b"{}", identity.path.read_bytes()[:-20], b'{"version": 2}', b"[" * 100_000):
        identity.path.write_bytes(damaged)
        with pytest.raises(ConfigurationError, match="delete it"):
            read_report(identity)
