"""Moving the arm by a terminal's keys: what is held moves, what is let go stops, and the terminal is given back."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from robot.arm.kinematics import Kinematics
from robot.wire.messages import JointState
from robot.wire.subscription import Subscription
from tests.commands import ROOT, environment, in_process, worldarm
from tests.robot.driver.checks import SPEC, S, assert_no_jump, first_rest, now, steady
from tests.robot.driver.command import DriverProcess, until
from tests.robot.teleop.person import Person

KINEMATICS = Kinematics(SPEC)


@pytest.fixture
def states(running: DriverProcess) -> Iterator[Subscription[JointState]]:
    with Subscription(running.state, b"state", JointState, 50_000) as states:
        yield states


def person(process: DriverProcess, *words: str) -> Person:
    someone = Person("teleop", "--command-address", process.command, *words)
    someone.sees("lease mine")
    return someone


def tool(state: JointState) -> np.ndarray:
    return KINEMATICS.position(np.array(state.governed))


@pytest.mark.real_time
@pytest.mark.parametrize(
    ("key", "axis", "sign"),
    [("w", 0, 1), ("s", 0, -1), ("\x1b[D", 1, 1), ("d", 1, -1), ("i", 2, 1), ("\x1b[6~", 2, -1)],
)
def test_a_key_that_is_held_moves_the_tool_that_way_alone(
    running: DriverProcess, states: Subscription[JointState], key: str, axis: int, sign: int
) -> None:
    with running.client() as client, person(running) as someone:
        begin = tool(steady(client))
        someone.hold_until(key, lambda: abs((tool(now(client)) - begin)[axis]) > 0.02)
        moved = tool(steady(client)) - begin
        assert sign * moved[axis] > 0.02
        moved[axis] = 0.0
        assert np.abs(moved).max() < 1e-3
        someone.type("h")
        someone.sees("at home")
        someone.type("x")
        assert someone.end() == 0 and someone.restored()
        until(lambda: now(client).holder == "")
    states.drain()
    assert_no_jump(list(states.history))
    # A fast way home apart, the tool kept to the slow speed that it begins with.
    assert not any(state.clamps for state in states.history)


@pytest.mark.real_time
def test_a_key_that_is_let_go_of_lets_the_arm_come_to_rest_and_a_tap_is_a_nudge(running: DriverProcess) -> None:
    with running.client() as client, person(running) as someone:
        begin = tool(steady(client))
        someone.type("w")
        until(lambda: max(map(abs, now(client).governed_velocity)) > 1e-3)
        nudged = tool(steady(client)) - begin
        assert 0.0005 < nudged[0] < 0.04
        with Subscription(running.state, b"state", JointState, 50_000) as states:
            states.wait(10.0)
            someone.hold("w", 1.0)
            let_go_ns = time.monotonic_ns()
            still = first_rest(states, let_go_ns)
        # 0.15 s in which the key counts as held, 0.12 s of waypoints and rounding, and turns that are late.
        assert still.time_ns - let_go_ns < S
        assert now(client).mode == "active" and now(client).holder == "teleop keyboard"
        someone.type("x")
        assert someone.end() == 0


@pytest.mark.real_time
def test_turn_gripper_and_speed(running: DriverProcess) -> None:
    with running.client() as client, person(running) as someone:
        begin = steady(client)
        someone.hold_until("c", lambda: now(client).gripper_command < 0.05)
        someone.hold_until("j", lambda: now(client).governed[6] < begin.governed[6] - 0.1)
        rested = steady(client)
        assert np.abs(tool(rested) - tool(begin)).max() < 5e-3
        someone.sees("of 25 %")
        someone.type("++")
        someone.sees("of 50 %")
        someone.type("-" * 12)
        someone.sees("of 5 %")
        width = now(client).gripper_command
        someone.hold_until("o", lambda: now(client).gripper_command > width + 0.02)
        someone.type("h")
        someone.sees("at home")


@pytest.mark.real_time
def test_towards_the_edge_of_the_workspace_it_slows_and_says_so(running: DriverProcess) -> None:
    with running.client() as client, person(running, "--speed", "1") as someone:
        steady(client)
        someone.hold_until("s", lambda: "slowed: workspace" in someone.screen)
        someone.hold("s", 1.5)
        assert SPEC.workspace.lower[0] <= tool(steady(client))[0] < SPEC.workspace.lower[0] + 0.05
        someone.hold_until("w", lambda: tool(now(client))[0] > SPEC.workspace.lower[0] + 0.1)
        someone.type("h")
        someone.sees("at home")


@pytest.mark.real_time
@pytest.mark.parametrize("key", [" ", "\x1b"])
def test_stop_reset_and_go_on(running: DriverProcess, key: str) -> None:
    with running.client() as client, person(running) as someone:
        someone.hold_until("a", lambda: max(map(abs, now(client).governed_velocity)) > 1e-3)
        someone.type(key)
        until(lambda: now(client).mode == "stopped")
        assert (now(client).reason, now(client).holder) == ("stopped at the keyboard", "")
        before = tool(steady(client))
        someone.sees("press reset to continue")
        someone.hold("a", 0.5)
        assert np.abs(tool(now(client)) - before).max() < 1e-6
        someone.type("r")
        someone.sees("the arm is yours")
        time.sleep(0.5)  # a key that was held all the while would move nothing
        someone.hold_until("d", lambda: tool(now(client))[1] < before[1] - 0.01)
        someone.type("h")
        someone.sees("at home")


@pytest.mark.real_time
def test_home_is_interrupted_by_any_motion_and_by_stop(running: DriverProcess) -> None:
    with running.client() as client, person(running, "--speed", "1", "--home-speed", "0.03") as someone:
        someone.hold_until("a", lambda: tool(now(client))[1] > 0.15)
        steady(client)
        someone.type("h")
        someone.sees("going home;")
        until(lambda: max(map(abs, now(client).governed_velocity)) > 1e-2)
        someone.hold_until("i", lambda: "interrupted, the arm holds" in someone.screen)
        assert tool(steady(client))[1] > 0.005
        someone.type("h")
        until(lambda: max(map(abs, now(client).governed_velocity)) > 1e-2)
        someone.type(" ")
        until(lambda: now(client).mode == "stopped")
        someone.type("rh")
        someone.sees("at home")


def test_someone_elses_stop_and_lease_are_told_and_nothing_is_sent(running: DriverProcess) -> None:
    with running.client() as client, person(running) as someone:
        client.stop("a cat")
        someone.sees("a cat; press reset to continue")
        client.reset()
        client.acquire("the agent", 5.0)
        someone.hold("w", 0.5)
        assert now(client).holder == "the agent"
        someone.type("r")
        someone.sees("the agent has the lease")
        client.release()
        someone.type("r")
        someone.sees("the arm is yours")


def test_the_second_of_two_is_told_who_has_the_arm(running: DriverProcess) -> None:
    with running.client() as client, person(running):
        with Person("teleop", "--command-address", running.command) as second:
            assert second.end() == 1 and second.restored()
            second.sees("teleop keyboard has the lease")
        assert now(client).mode == "active"


@pytest.mark.real_time
@pytest.mark.parametrize("how", ["killed", "stopped", "closed"])
def test_whatever_becomes_of_the_process_or_its_terminal_the_arm_comes_to_rest(
    running: DriverProcess, how: str
) -> None:
    with running.client() as client, person(running, "--speed", "1") as someone:
        side = "a" if tool(now(client))[1] < 0.0 else "d"
        someone.hold_until(side, lambda: max(map(abs, now(client).governed_velocity)) > 0.02)
        if how == "killed":
            someone.process.kill()
        elif how == "stopped":
            someone.process.send_signal(signal.SIGSTOP)
        else:
            someone.hang_up()
        ended = time.monotonic()
        until(lambda: not any(now(client).governed_velocity))
        until(lambda: now(client).mode == "holding")
        assert time.monotonic() - ended < 5.0
        if how == "closed":
            assert someone.end() != 0
        if how == "stopped":  # and what was typed meanwhile does not move it when it goes on
            before = tool(now(client))
            someone.type("wwww")
            someone.process.send_signal(signal.SIGCONT)
            until(lambda: now(client).mode == "active")
            time.sleep(0.5)
            assert np.abs(tool(now(client)) - before).max() < 1e-6
            someone.hold_until("w", lambda: tool(now(client))[0] > before[0] + 0.005)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_gives_the_lease_and_the_terminal_back(
    running: DriverProcess, number: signal.Signals, status: int
) -> None:
    with running.client() as client, person(running) as someone:
        assert not someone.restored()
        someone.hold_until("d", lambda: max(map(abs, now(client).governed_velocity)) > 1e-3)
        assert someone.end(number) == status and someone.restored()
        until(lambda: now(client).holder == "" and not any(now(client).governed_velocity))


def test_ctrl_c_in_the_terminal_is_a_signal_still(running: DriverProcess) -> None:
    with running.client() as client, person(running) as someone:
        someone.type("\x03")
        assert someone.end() == 130 and someone.restored()
        until(lambda: now(client).holder == "")


def test_a_driver_that_goes_away_ends_it_with_a_word_and_the_terminal_given_back(tmp_path: Path) -> None:
    with DriverProcess(tmp_path) as process, person(process) as someone:
        process.kill()
        assert someone.end() == 1 and someone.restored()
        someone.sees("worldarm: ")
        assert "Traceback" not in someone.screen


def test_what_cannot_be_is_told_in_one_line_before_anything_moves(running: DriverProcess) -> None:
    piped = worldarm("teleop", "--command-address", running.command)
    assert (piped.returncode, piped.stdout) == (1, "")
    assert "not a terminal" in piped.stderr and piped.stderr.count("\n") == 1
    nobody = in_process("teleop", "--command-address", "tcp://127.0.0.1:9")
    assert nobody.returncode == 1 and "is it running there?" in nobody.stderr
    for words in (
        ("--speed", "2"),
        ("--max-speed", "nan"),
        ("--rate-hz", "1"),
        ("--hold-s", "3"),
        ("--home-speed", "0"),
    ):
        with Person("teleop", "--command-address", running.command, *words) as someone:
            assert someone.end() == 1 and someone.restored()
            someone.sees(words[0])
    with running.client() as client:
        assert now(client).holder == ""


@pytest.mark.real_time
def test_a_terminal_that_takes_nothing_more_does_not_hold_the_loop_up(running: DriverProcess) -> None:
    own, other = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "worldarm", "teleop", "--command-address", running.command],
        cwd=ROOT,
        env=environment(),
        stdin=other,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        with running.client() as client:
            until(lambda: now(client).holder == "teleop keyboard")
            side = b"a" if tool(now(client))[1] < 0.0 else b"d"
            for _ in range(300):  # nobody reads the screen, and moving changes it
                os.write(own, side if time.monotonic() % 2.0 < 1.0 else b"w" if side == b"d" else b"s")
                time.sleep(0.03)
            assert now(client).holder == "teleop keyboard"
            os.write(own, b" ")
            until(lambda: now(client).mode == "stopped")
    finally:
        process.kill()
        process.wait()
        os.close(own)
        os.close(other)
