"""The UR through the real ur_rtde, against a process that stands for its controller."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot.arm import checked_calls as arm_faults
from robot.arm.interface import ArmOptions
from robot.arm.kinematics import Kinematics
from robot.client.client import Client
from robot.errors import ArmError, ConfigurationError, Refused
from robot.hardware.ur.arm import Ur, make_arm
from robot.hardware.ur.description import MODELS, UrModel, ur_spec
from robot.motion.governor import Governor
from robot.wire.messages import Waypoint
from tests.commands import worldarm
from tests.robot.driver.command import until
from tests.robot.hardware.arm_bench import Stand, driving, free_host, sine, standing, ur_with

KINEMATICS = {name: Kinematics(ur_spec(name)) for name in MODELS}


@contextmanager
def emulated(folder: Path, *options: str) -> Iterator[tuple[Stand, str]]:
    """A UR5e's controller with these options of its emulator, and its host."""
    with standing(ur_with(*options), folder) as stand:
        yield stand, stand.words[-1].partition("@")[2]


def pendant(host: str, line: str) -> str:
    """Say one line to the dashboard, as a person on the pendant would, and return the answer."""
    with socket.create_connection((host, 29999), 10.0) as board, board.makefile("rw") as lines:
        lines.readline()
        lines.write(f"{line}\n")
        lines.flush()
        return lines.readline().strip()


def pose_by_dh(model: UrModel, joints: np.ndarray) -> np.ndarray:
    """The flange's pose (4, 4) as the product of the joints' matrices of Denavit and Hartenberg, x to the front."""
    pose = np.diag([-1.0, -1.0, 1.0, 1.0])
    alphas = (np.pi / 2, 0.0, 0.0, np.pi / 2, -np.pi / 2, 0.0)
    for theta, a, d, alpha in zip(joints, model.a, model.d, alphas, strict=True):
        c, s, ca, sa = np.cos(theta), np.sin(theta), np.cos(alpha), np.sin(alpha)
        pose = pose @ np.array(
            [[c, -s * ca, s * sa, a * c], [s, c * ca, -c * sa, a * s], [0.0, sa, ca, d], [0.0, 0.0, 0.0, 1.0]]
        )
    return pose


@given(st.sampled_from(list(MODELS)), st.lists(st.floats(-np.pi, np.pi), min_size=6, max_size=6))
def test_the_description_agrees_with_the_makers_parameters(name: str, joints: list[float]) -> None:
    found = KINEMATICS[name].forward(np.array(joints))
    expected = pose_by_dh(MODELS[name], np.array(joints))
    assert np.allclose(found.position, expected[:3, 3], atol=1e-9)
    assert np.allclose(found.rotation, expected[:3, :3], atol=1e-9)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("posture", ["home", "upright"])
def test_usual_postures_touch_nothing_and_are_inside(name: str, posture: str) -> None:
    spec = ur_spec(name)
    joints = np.array(spec.home if posture == "home" else (0.0, -np.pi / 2, 0.0, -np.pi / 2, 0.0, 0.0))
    governor = Governor(spec, KINEMATICS[name])
    governor.engage(joints)
    assert governor.touching(joints) == ""
    # Folded onto its own base, it does touch.
    assert governor.touching(np.array([0.0, -0.3, 2.9, 0.0, 0.0, 0.0])) != ""


@pytest.mark.parametrize(
    ("address", "calibration", "words"),
    [
        (None, None, "needs the address"),
        ("ur7e@10.0.0.1", None, "no UR model 'ur7e'; known: ur3e, ur5e, ur10e, ur16e"),
        ("ur10e@", None, "names no host"),
        ("10.0.0.1", Path("c.json"), "leave --calibration out"),
    ],
)
def test_options_that_make_no_sense_are_refused(address: str | None, calibration: Path | None, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        make_arm(ArmOptions(address, calibration))


def test_the_model_is_chosen_by_name() -> None:
    assert make_arm(ArmOptions("10.0.0.1")).spec.name == "ur5e"
    assert make_arm(ArmOptions("UR16e@10.0.0.1")).spec.name == "ur16e"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--robot-mode", "POWER_OFF"), "switched off"),
        (("--robot-mode", "IDLE"), "brakes are on"),
        (("--safety-mode", "PROTECTIVE_STOP"), "protective stop.*unlock"),
        (("--safety-mode", "ROBOT_EMERGENCY_STOP", "--robot-mode", "IDLE"), "emergency stop is pressed"),
        (("--safety-mode", "FAULT"), "safety system reports a fault"),
        (("--joint-fault", "elbow"), "elbow reports a fault: read its code in the pendant's log, then restart"),
        (("--local",), "local control"),
        (("--program", "pick.urp"), r"a program runs on the robot \(PLAYING pick.urp\)"),
        (("--model", "ur10e"), "is a UR10, not a UR5.*ur10e@"),
    ],
)
def test_what_it_cannot_start_with_is_said_in_plain_words(tmp_path: Path, options: tuple[str, ...], words: str) -> None:
    with emulated(tmp_path, *options) as (stand, host):
        arm = Ur(host)
        with closing(arm), pytest.raises(ArmError, match=words):
            arm.start()
        assert "the arm was left in motion 0 times" in stand.end()


def test_nobody_there_is_said_in_plain_words() -> None:
    for host, words in ((free_host(), "it is not a UR controller"), ("no-such-robot.invalid", "there is no host")):
        arm = Ur(host)
        with closing(arm), pytest.raises(ArmError, match=words):
            arm.start()


def test_one_that_takes_connections_but_never_answers_does_not_hang_the_driver(
    capfd: pytest.CaptureFixture[str],
) -> None:
    host = free_host()
    with socket.create_server((host, 29999)), socket.create_server((host, 30004)):
        arm = Ur(host)
        began = time.monotonic()
        with closing(arm), pytest.raises(ArmError, match=r"does not answer as a UR controller|refuses to start"):
            arm.start()
        assert time.monotonic() - began < 15.0
    assert capfd.readouterr() == ("", "")


@pytest.mark.real_time
def test_it_starts_where_it_stands_without_moving_and_ends_holding(tmp_path: Path) -> None:
    place = (0.3, -1.2, 1.4, -1.7, -1.5, 0.9)
    with emulated(tmp_path, "--start", *map(str, place)) as (stand, host), closing(Ur(host)) as arm:
        arm.start()
        for _ in range(50):
            reading = arm_faults.read(arm)
            assert reading.positions == place
            assert not any(reading.velocities)
            time.sleep(0.008)
        assert pendant(host, "running") == "Program running: true"
        arm.park()
        assert pendant(host, "running") == "Program running: false"
        assert pendant(host, "robotmode") == "Robotmode: RUNNING"
        assert "dropped 0 times, the arm was left in motion 0 times" in stand.end()


@pytest.mark.real_time
def test_silence_is_noticed_and_nothing_is_printed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with emulated(tmp_path) as (stand, host), closing(Ur(host)) as arm:
        arm.start()
        arm_faults.read(arm)
        stand.cut()
        time.sleep(0.1)
        last = arm.read().time_ns
        time.sleep(0.3)
        assert arm.read().time_ns == last
        with pytest.raises(ArmError, match="has not reported for"):
            arm_faults.read(arm)
        time.sleep(2.0)  # by now the process with the clients has given up
        with pytest.raises(ArmError, match=r"was lost|stopped answering"):
            arm.read()
        stand.mend()
    assert capfd.readouterr() == ("", "")


@pytest.mark.real_time
def test_a_controller_that_dies_is_a_fault(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with emulated(tmp_path) as (stand, host), closing(Ur(host)) as arm:
        arm.start()
        assert stand.process is not None
        stand.process.kill()
        with pytest.raises(ArmError):
            for _ in range(200):
                arm_faults.read(arm)
                time.sleep(0.01)
    assert capfd.readouterr() == ("", "")


def move_last(client: Client, by: float, seconds: float) -> None:
    """Ask for the last joint to be turned by so much (rad) in so long."""
    state = client.state(10.0)
    place = list(state.governed)
    place[-1] += by
    client.send_waypoints([Waypoint(time.monotonic_ns() + round(seconds * 1e9), tuple(place), 0.0)])


@pytest.mark.real_time
def test_a_protective_stop_is_a_fault_until_it_is_unlocked_and_reset(tmp_path: Path) -> None:
    with (
        emulated(tmp_path, "--wall", "0.3") as (stand, host),
        driving(stand, tmp_path) as driver,
        driver.client() as client,
    ):
        client.acquire("test", 5.0)
        move_last(client, 0.6, 1.5)
        until(lambda: client.state(10.0).mode == "fault")
        assert "protective stop" in client.state(10.0).reason
        with pytest.raises(Refused, match="protective stop"):
            client.reset()
        assert pendant(host, "unlock protective stop") == "Protective stop releasing"
        stood = client.state(10.0).measured
        client.reset()
        state = client.state(10.0)
        assert state.mode == "idle"
        # It took over where the arm was left, a little behind the wall, and the arm did not stir.
        assert 0.3 <= state.measured[-1] < 0.45
        assert np.allclose(state.governed, state.measured, atol=1e-6)
        assert np.allclose(state.measured, client.state(10.0).measured, atol=1e-6)
        assert np.abs(np.subtract(stood, state.measured)).max() < 0.1
        client.acquire("test", 5.0)
        seen = sine(client, {4: 0.1}, 2.0, 1.5)
        assert np.ptp(seen[:, 0]) > 0.1 and np.abs(seen[:, 0] - seen[:, 1]).max() < 0.08


@pytest.mark.real_time
@pytest.mark.parametrize(
    ("line", "words"), [("stop", "the control program on the robot was ended"), ("power off", "is switched off")]
)
def test_what_is_done_on_the_pendant_is_a_fault_in_its_words(tmp_path: Path, line: str, words: str) -> None:
    with emulated(tmp_path) as (stand, host), driving(stand, tmp_path) as driver, driver.client() as client:
        client.acquire("test", 5.0)
        pendant(host, line)
        until(lambda: client.state(10.0).mode == "fault")
        assert words in client.state(10.0).reason


@pytest.mark.real_time
def test_a_driver_that_is_killed_leaves_the_arm_stopped_and_holding(tmp_path: Path) -> None:
    with emulated(tmp_path) as (stand, host), driving(stand, tmp_path) as driver:
        with Client(driver.command, 2.0) as client:  # soon gives up on a driver that is gone
            client.acquire("test", 5.0)
            move_last(client, 1.5, 2.0)
            until(lambda: abs(client.state(10.0).governed_velocity[-1]) > 0.5)
            driver.process.send_signal(signal.SIGKILL)
        until(lambda: pendant(host, "running") == "Program running: false")
        assert pendant(host, "robotmode") == "Robotmode: RUNNING"
        assert "dropped 0 times, the arm was left in motion 0 times" in stand.end()


@pytest.mark.real_time
def test_a_client_that_dies_is_a_fault_and_the_controllers_watchdog_ends_the_program(tmp_path: Path) -> None:
    own = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
    with emulated(tmp_path) as (stand, host), closing(Ur(host)) as arm:
        before = set(own.read_text().split())
        arm.start()
        (client,) = set(own.read_text().split()) - before
        place = np.array(arm.read().positions)
        for _ in range(30):
            place[-1] += 0.004
            arm.write(place, 0.0)
            arm_faults.read(arm)
            time.sleep(0.008)
        os.kill(int(client), signal.SIGKILL)
        with pytest.raises(ArmError, match=r"the connection to .* was lost"):
            for _ in range(100):
                arm_faults.read(arm)
                time.sleep(0.01)
        until(lambda: pendant(host, "running") == "Program running: false")
        assert "the arm was left in motion 0 times" in stand.end()


@pytest.mark.real_time
def test_a_driver_that_is_paused_in_mid_motion_finds_the_arm_standing_and_goes_on(tmp_path: Path) -> None:
    with (
        emulated(tmp_path) as (stand, host),
        driving(stand, tmp_path) as driver,
        driver.client() as client,
    ):
        client.acquire("test", 5.0)
        move_last(client, 1.0, 2.0)
        until(lambda: abs(client.state(10.0).governed_velocity[-1]) > 0.3)
        driver.process.send_signal(signal.SIGSTOP)
        time.sleep(1.0)
        assert pendant(host, "running") == "Program running: true"
        driver.process.send_signal(signal.SIGCONT)
        until(lambda: not any(client.state(10.0).governed_velocity))
        state = client.state(10.0)
        assert state.mode != "fault", state.reason
        until(lambda: np.abs(np.subtract(client.state(10.0).measured, client.state(10.0).governed)).max() < 1e-3)


def test_the_emulator_refuses_what_it_cannot_be(tmp_path: Path) -> None:
    wrong = worldarm("emulate", "ur", "--robot-mode", "DANCING")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (1, 1) and "--robot-mode DANCING is none of" in wrong.stderr
    foreign = worldarm("emulate", "ur", "--host", "203.0.113.1")
    assert foreign.returncode == 1 and "203.0.113.1 is not an address of this machine" in foreign.stderr
    with emulated(tmp_path) as (_, host):
        taken = worldarm("emulate", "ur", "--host", host)
        assert taken.returncode == 1 and "is taken; try another --host" in taken.stderr
