"""An arm that another one leads: it follows once both agree, at its own pace, and holds when the leader is silent."""

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from robot.hardware.so101.emulator import usual_calibration
from robot.wire.messages import JointState
from robot.wire.subscription import Subscription
from tests.commands import running
from tests.robot.driver.checks import HOME, SPEC, assert_no_jump, away, move, now, steady
from tests.robot.driver.command import DriverProcess, until
from tests.robot.kinematic_arm import Options
from tests.robot.limp_arm import limp_arm, reading
from tests.robot.teleop.person import Person

pytestmark = pytest.mark.real_time

JOINTS = ("shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll")


@pytest.fixture
def leader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DriverProcess]:
    with DriverProcess(tmp_path_factory.mktemp("leader")) as process:
        yield process


@pytest.fixture
def follower(tmp_path: Path) -> Iterator[DriverProcess]:
    with DriverProcess(tmp_path) as process:
        yield process


def following(follower: DriverProcess, leader: str, *words: str) -> Person:
    command = ("teleop", "--device", "leader", "--leader", leader, "--command-address", follower.command)
    return Person(*command, *words)


def test_it_follows_what_agrees_within_its_limits_and_never_jumps(
    leader: DriverProcess, follower: DriverProcess
) -> None:
    with (
        leader.client() as lead,
        follower.client() as follow,
        Subscription(follower.state, b"state", JointState, 50_000) as states,
        following(follower, leader.command) as person,
    ):
        person.sees("lease mine")
        lead.acquire("a hand", 10.0)
        # A fifth of a second for what the follower may take a second for.
        move(lead, away(6, 0.5, 0.3, 0.03))
        until(lambda: abs(now(follow).governed[6] - HOME[6] - 0.5) < 0.01)
        until(lambda: abs(now(follow).gripper_command - 0.03) < 0.001)
        states.drain()
        seen = list(states.history)
        assert_no_jump(seen)
        fastest = max(abs(state.governed_velocity[6]) for state in seen)
        assert 0.1 < fastest < 2.0 * 0.3 * SPEC.velocity[6]
        # Stopped, it holds, and after a reset follows only what agrees with it.
        person.type(" ")
        person.sees("press reset to continue")
        move(lead, away(6, -0.5, 1.0, 0.03))
        until(lambda: now(lead).measured[6] < HOME[6] - 0.49)
        held = steady(follow).governed
        person.type("r")
        person.sees("apart: panda_joint7 by")
        assert np.abs(np.subtract(now(follow).governed, held)).max() < 1e-3
        move(lead, away(6, held[6] - HOME[6], 1.0, 0.03))
        until(lambda: abs(now(lead).measured[6] - held[6]) < 0.01)
        move(lead, away(6, held[6] - HOME[6] - 0.2, 2.0, 0.03))
        until(lambda: abs(now(follow).governed[6] - held[6] + 0.2) < 0.01)


def test_apart_it_waits_or_goes_there_slowly_when_told_to(
    tmp_path_factory: pytest.TempPathFactory, follower: DriverProcess
) -> None:
    folder = tmp_path_factory.mktemp("apart")
    apart = (0.3, *HOME[1:])
    with DriverProcess(folder, Options(start=apart)) as leader, follower.client() as follow:
        with following(follower, leader.command) as person:
            person.sees("apart: panda_joint1 by 17°; bring the leader to the arm")
            time.sleep(0.5)
            assert not any(now(follow).governed_velocity)
            person.type("x")
            assert person.end() == 0 and person.restored()
        with Subscription(follower.state, b"state", JointState, 50_000) as states:
            with following(follower, leader.command, "--align") as person:
                person.sees("aligning: panda_joint1 by")
                until(lambda: now(follow).governed[0] > 0.295)
            states.drain()
            slow = [state for state in states.history if state.governed[0] < 0.18]
            assert np.median([state.governed_velocity[0] for state in slow]) < 0.06 * SPEC.velocity[0]


def test_a_leader_that_falls_silent_lets_the_arm_hold_and_leads_again_when_it_is_back(
    leader: DriverProcess, follower: DriverProcess, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with leader.client() as lead, follower.client() as follow, following(follower, leader.command) as person:
        person.sees("lease mine")
        lead.acquire("a hand", 10.0)
        until(lambda: now(follow).holder == "teleop leader")
        leader.process.send_signal(signal.SIGSTOP)
        person.sees("the leader is silent; the arm holds")
        until(lambda: now(follow).holder == "" and now(follow).mode == "holding")
        leader.process.send_signal(signal.SIGCONT)
        person.sees("the leader is back")
        until(lambda: now(follow).holder == "teleop leader")
        leader.kill()
        until(lambda: now(follow).mode == "holding" and not any(now(follow).governed_velocity))
        before = person.screen.count("the leader is back")
        with DriverProcess(tmp_path_factory.mktemp("again"), command=leader.command) as again:
            assert again.state != leader.state
            until(lambda: person.screen.count("the leader is back") > before)
            until(lambda: now(follow).holder == "teleop leader")
        with DriverProcess(tmp_path_factory.mktemp("other"), Options(named="crane"), command=leader.command):
            assert person.end() == 1
        assert "now runs the arm 'crane'" in person.screen
        until(lambda: now(follow).holder == "")


def test_without_a_terminal_it_says_what_happens_line_by_line(leader: DriverProcess, follower: DriverProcess) -> None:
    words = ("teleop", "--device", "leader", "--leader", leader.command, "--command-address", follower.command)
    with follower.client() as follow, running(*words) as process:
        assert process.first_line.startswith("teleop: leader for panda")
        until(lambda: now(follow).holder == "teleop leader")
        lines = iter(process.process.stdout.readline, "")  # type: ignore[union-attr]
        assert any("lease mine" in line for line in lines)
        status, _, err = process.end(signal.SIGINT)
        assert (status, err.count("\n")) == (130, 1)
        until(lambda: now(follow).holder == "")


def test_what_cannot_lead_is_refused_before_anything_moves(follower: DriverProcess, tmp_path: Path) -> None:
    for leader, words in ((follower.command, "cannot lead itself"), ("tcp://127.0.0.1:9", "no driver answered")):
        with following(follower, leader) as person:
            assert person.end() == 1
            person.sees(words)
    with Person("teleop", "--device", "leader", "--command-address", follower.command) as person:
        assert person.end() == 1
        person.sees("--leader")
    with follower.client() as follow:
        assert now(follow).mode == "idle"


def test_a_limp_so101_leads_and_is_never_written_to(tmp_path: Path, follower: DriverProcess) -> None:
    file = tmp_path / "map.json"
    file.write_text(
        json.dumps(
            {
                "joints": {"panda_joint1": {"from": "shoulder_pan", "sign": -1}},
                "gripper": {"scale": 1.14},
            }
        )
    )
    with limp_arm() as arm, reading(arm.path, tmp_path) as process, follower.client() as follow:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("driver: read-only arm so101, command tcp://127.0.0.1:"), line + process.stderr.read()  # type: ignore[union-attr]
        command = line.split("command ")[1].split(",")[0]
        before = {number: bytes(servo.table[:56]) for number, servo in arm.servos.items()}
        with following(follower, command, "--joint-map", str(file), "--align") as person:
            person.sees("lease mine")
            pan = arm.servos[usual_calibration()["shoulder_pan"].id]
            for _ in range(40):
                pan.position += 4096 / (2 * np.pi) * 0.01
                time.sleep(0.05)
            until(lambda: abs(now(follow).governed[0] + 0.4) < 0.02)
            # An encoder that wraps: the arm holds, and follows again only from where both agree.
            held = steady(follow).governed
            pan.position -= 3000
            person.sees("shoulder_pan jumped by")
            person.sees("bring the leader to the arm")
            assert np.abs(np.subtract(now(follow).governed, held)).max() < 1e-3
            pan.position += 3000
            person.sees("both agree again")
            for moved in (0.05, 0.1, 0.15, 0.2):  # each within the tolerance, in case that both let go in between
                pan.position -= 4096 / (2 * np.pi) * 0.05
                until(lambda moved=moved: abs(now(follow).governed[0] - held[0] - moved) < 0.02)  # type: ignore[misc]
            person.type("x")
            assert person.end() == 0
        assert {number: bytes(servo.table[:56]) for number, servo in arm.servos.items()} == before
        refused = Person("teleop", "--command-address", command)
        with refused:
            assert refused.end() == 1
            refused.sees("only reads its arm")
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=300)
        assert process.returncode == 130 and "left as it is" in out
