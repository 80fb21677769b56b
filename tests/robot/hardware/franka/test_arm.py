"""The Franka arm: that it is the simulated one's equal in kinematics, and what its link and its hand can do."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pinocchio as pin
import pytest
from franky_sim.urdf import FR3_URDF
from hypothesis import given
from hypothesis import strategies as st

from robot.arm.installation import slowed
from robot.arm.interface import ArmOptions
from robot.arm.kinematics import Kinematics, Pose
from robot.errors import ArmError, ConfigurationError, Refused
from robot.hardware.franka.arm import CONNECT_S, Franka, make_arm
from robot.hardware.franka.description import franka_spec
from robot.motion.governor import Governor
from robot.wire.messages import JointState, Waypoint
from robot.wire.subscription import Subscription
from sim.world.panda import panda_spec
from tests.robot.driver.command import until
from tests.robot.hardware.arm_bench import FRANKA, driving, reset_until_mended, sine, standing, start_franka

SPEC, SIMULATED = franka_spec(), panda_spec()
OURS, THEIRS = Kinematics(SPEC), Kinematics(SIMULATED)
postures = st.integers(0, 2**32 - 1).map(lambda seed: np.random.default_rng(seed).uniform(SPEC.lower, SPEC.upper))


@given(joints=postures)
def test_its_tool_and_its_bodies_are_where_the_simulated_arm_has_them(joints: np.ndarray) -> None:
    ours, theirs = OURS.forward(joints), THEIRS.forward(joints)
    assert ours.position == pytest.approx(theirs.position, abs=1e-9)
    assert ours.rotation == pytest.approx(theirs.rotation, abs=1e-9)
    places = []
    for spec, kinematics in ((SPEC, OURS), (SIMULATED, THEIRS)):
        data = kinematics.model.createData()
        pin.framesForwardKinematics(kinematics.model, data, kinematics.configuration(joints))
        places.append([data.oMf[kinematics.model.getFrameId(body.link)].homogeneous for body in spec.bodies])
    assert np.array(places[0]) == pytest.approx(np.array(places[1]), abs=1e-9)


def test_its_limits_are_within_the_simulated_arms_and_its_home_is_the_same() -> None:
    assert (np.array(SPEC.lower) >= SIMULATED.lower).sum() == 7
    assert (np.array(SPEC.upper) <= SIMULATED.upper).sum() == 7
    for name in ("velocity", "acceleration", "jerk", "effort"):
        limits = getattr(SIMULATED, name) or getattr(SPEC, name)
        assert (np.array(getattr(SPEC, name)) <= limits).all()
    assert (SPEC.home, SPEC.workspace, SPEC.rate_hz) == (SIMULATED.home, SIMULATED.workspace, SIMULATED.rate_hz)
    assert SPEC.models_of == SIMULATED.name
    Governor(SPEC, OURS).engage(np.array(SPEC.home))


def test_at_its_limits_a_research_3_allows_the_speed_that_it_may_have() -> None:
    """By the law in the description that the arm itself serves; joint 4 folded up is known to be slower."""
    joints = ElementTree.fromstring(FR3_URDF).findall("joint[@type='revolute']")
    for number, joint in enumerate(joints[:7]):
        limit, law = joint.find("limit"), joint.find("position_based_velocity_limits")
        assert limit is not None and law is not None
        offset, deceleration = float(law.attrib["velocity_offset"]), float(law.attrib["deceleration_limit"])
        assert SPEC.velocity[number] <= float(limit.attrib["velocity"])
        for distance in (
            SPEC.lower[number] - float(limit.attrib["lower"]),
            float(limit.attrib["upper"]) - SPEC.upper[number],
        ):
            allowed = np.sqrt(2.0 * deceleration * distance) - offset
            assert allowed >= SPEC.velocity[number] or (number == 3 and allowed > 0.65)


@contextmanager
def peer(*options: str) -> Iterator[tuple[Franka, subprocess.Popen[str]]]:
    process, host = start_franka(*options)
    arm = make_arm(ArmOptions(host))
    try:
        yield arm, process
    finally:
        process.send_signal(signal.SIGCONT)
        arm.close()
        process.kill()
        process.communicate()


def refusal(arm: Franka, seconds: float) -> str:
    """Start the arm, which must refuse in time, and return its words."""
    begin = time.monotonic()
    with pytest.raises(ArmError) as refused:
        arm.start()
    assert time.monotonic() - begin < seconds
    return str(refused.value)


def test_it_needs_an_address() -> None:
    with pytest.raises(ConfigurationError, match="--address"):
        make_arm(ArmOptions())


def test_it_says_so_when_nobody_is_there() -> None:
    assert "cannot be reached" in refusal(make_arm(ArmOptions("127.63.1.1")), CONNECT_S + 1.0)
    assert "cannot be reached" in refusal(make_arm(ArmOptions("no-such-arm.invalid")), CONNECT_S + 1.0)


def test_it_says_so_when_what_is_there_does_not_answer() -> None:
    with socket.create_server(("127.63.1.2", 1337)):
        said = refusal(make_arm(ArmOptions("127.63.1.2")), CONNECT_S + 1.0)
    assert "does not answer" in said and "127.63.1.2" in said


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--mode", "kUserStopped"), "user stop is pressed"),
        (("--mode", "kGuiding"), "guided by hand"),
        (("--mode", "kOther"), "unlock its brakes"),
        (("--mode", "kReflex", "--stuck"), "does not recover"),
        (("--no-hand",), "its hand cannot be reached"),
    ],
)
def test_it_refuses_to_start_as_often_as_asked_while_the_arm_is_not_ready(options: tuple[str, ...], words: str) -> None:
    with peer(*options) as (arm, _):
        assert words in refusal(arm, 5.0)
        assert words in refusal(arm, 5.0)  # the first has let go of the link, which takes one at a time
        with pytest.raises(ArmError, match="not started"):
            arm.read()


def test_it_recovers_from_a_reflex_when_started_and_does_not_move() -> None:
    with peer("--mode", "kReflex") as (arm, _):
        arm.start()
        first = arm.read()
        time.sleep(0.5)
        last = arm.read()
        assert last.time_ns - first.time_ns > 300_000_000
        assert first.positions == pytest.approx(SPEC.home, abs=1e-3)
        assert last.positions == pytest.approx(first.positions, abs=1e-3)
        arm.park()
        with pytest.raises(ArmError, match="no longer tracks"):
            arm.read()


def test_it_is_stopped_when_it_does_not_follow() -> None:
    with peer() as (arm, _):
        arm.start()
        first = np.array(arm.read().positions)
        far = first.copy()
        far[0] += 0.5  # as far as it would be if it were held
        arm.write(far, 0.04)
        with pytest.raises(ArmError, match=r"franka_joint1 is 0\.\d+ rad from its set-point"):
            arm.read()
        time.sleep(1.0)
        arm.close()
        arm.start()
        last = arm.read()
        assert np.abs(np.array(last.positions) - first).max() < 0.1
        assert np.abs(last.velocities).max() < 0.02


def test_the_time_of_its_readings_stands_still_while_it_is_silent() -> None:
    with peer() as (arm, process):
        arm.start()
        process.send_signal(signal.SIGSTOP)
        time.sleep(0.1)
        first = arm.read()
        time.sleep(0.3)
        assert arm.read().time_ns == first.time_ns


@pytest.mark.real_time
@pytest.mark.alone
def test_a_long_silence_is_a_fault_until_it_is_back_and_then_it_moves_on_without_a_jump(tmp_path: Path) -> None:
    with standing(FRANKA, tmp_path) as stand, driving(stand, tmp_path) as driver, driver.client() as client:
        stand.cut()
        until(lambda: client.state(10.0).mode == "fault")
        assert "has not reported" in client.state(10.0).reason
        time.sleep(2.0)  # by now the link has given up by itself
        with pytest.raises(Refused, match="does not answer"):
            client.reset()
        stand.mend()
        reset_until_mended(client)
        state = client.state(10.0)
        assert state.measured == pytest.approx(SPEC.home, abs=0.01)
        assert state.governed == pytest.approx(state.measured, abs=0.01)
        client.acquire("test", 5.0)
        seen = sine(client, {6: 0.1}, 2.0, 2.0)
        assert np.abs(seen[:, 0] - seen[:, 1]).max() < FRANKA.lag
        status, out, err = driver.end()
        assert (status, err) == (130, "worldarm: interrupted\n"), out + err


@pytest.mark.real_time
@pytest.mark.alone  # the hand is lost when its physics keeps it waiting for a second
def test_all_its_joints_follow_through_the_workspace() -> None:
    """By the arm's own clock: on a busy machine its physics may take several seconds for one."""
    down = OURS.forward(np.array(SPEC.home)).rotation
    postures = [np.array(SPEC.home)]
    for corner in ((0.34, 0.0, 0.25), (0.45, 0.25, 0.06), (0.65, 0.1, 0.05), (0.6, -0.25, 0.3)):
        postures.append(OURS.inverse(Pose(np.array(corner), down), postures[-1]))

    def path(seconds: float) -> np.ndarray:
        """Two seconds from each posture to the next, at rest in each; minimum jerk."""
        number = min(int(seconds / 2.0), len(postures) - 2)
        share = min(seconds / 2.0 - number, 1.0)
        return postures[number] + (10.0 - 15.0 * share + 6.0 * share**2) * share**3 * np.subtract(
            postures[number + 1], postures[number]
        )

    period_s = 1.0 / SPEC.rate_hz
    with peer() as (arm, _):
        arm.start()
        arm.read()
        begin, ticks, seconds, lag = arm._stamp, 0, 0.0, np.zeros(SPEC.dof)
        while seconds < 9.0:
            reading = arm.read()
            seconds = 1e-3 * (arm._stamp - begin)
            lag = np.maximum(lag, np.abs(reading.positions - path(seconds)))
            while ticks * period_s <= seconds:
                ticks += 1
                arm.write(path(ticks * period_s), 0.04)
            time.sleep(0.001)
        assert lag.max() < FRANKA.lag
        assert reading.positions == pytest.approx(postures[-1], abs=0.005)
        arm.park()


@pytest.mark.real_time
@pytest.mark.alone
def test_its_hand_opens_and_closes_without_a_late_tick(tmp_path: Path) -> None:
    with standing(FRANKA, tmp_path) as stand, driving(stand, tmp_path) as driver, driver.client() as client:
        with Subscription(driver.state, b"state", JointState, 5000) as states:
            client.acquire("test", 5.0)
            place = tuple(client.state(10.0).governed)
            for width in (0.08, 0.0, 0.03):
                client.send_waypoints([Waypoint(time.monotonic_ns() + 300_000_000, place, width)])
                begin = time.monotonic()
                until(lambda width=width: abs(client.state(10.0).gripper_width - width) < 0.003)
                assert time.monotonic() - begin > 0.3  # it is slow, and the loop did not wait for it
                client.renew()
            states.drain()
            history = list(states.history)
        status, out, err = driver.end()
    assert (status, err) == (130, "worldarm: interrupted\n"), out + err
    worst = re.search(r"worst ([\d.]+) ms", out)
    assert worst and float(worst.group(1)) < 100.0, out
    assert np.ptp([state.measured for state in history], axis=0).max() < 0.01


@pytest.mark.real_time
@pytest.mark.alone
def test_the_hand_of_a_slowed_arm_takes_longer() -> None:
    speeds = {}
    for share in (1.0, 0.05):
        with peer() as (arm, _):
            arm.spec = slowed(arm.spec, share)
            arm.start()
            place, width = arm.read().positions, arm.read().gripper_width
            goal = 0.005 if width > 0.04 else 0.075
            arm.write(place, goal)
            passed = []  # a quarter and three quarters of the way; it takes some time to set off and to stop
            for mark in (0.25, 0.75):
                while abs((reading := arm.read()).gripper_width - width) <= mark * abs(goal - width):
                    time.sleep(0.005)
                passed.append(reading)
            first, last = passed
            speeds[share] = abs(last.gripper_width - first.gripper_width) / (last.time_ns - first.time_ns)
    assert speeds[1.0] > 2.0 * speeds[0.05], speeds
