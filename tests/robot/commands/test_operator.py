"""What a person beside the arm asks and does: status, stop, reset, home."""

import math
import time
from pathlib import Path

import msgspec
import numpy as np
import pytest

from robot.arm.interface import Box
from robot.client.client import Client
from robot.client.home import go_home
from robot.client.joint_move import require_clear
from robot.client.status import status_of
from robot.errors import ArmError, ConfigurationError, Refused
from robot.wire.messages import JointState
from robot.wire.subscription import Subscription
from tests.commands import in_process, running
from tests.robot.driver.checks import HOME, SPEC, assert_no_jump, away, move, now
from tests.robot.driver.command import DriverProcess, until
from tests.robot.kinematic_arm import Options

AWAY = (0.4, -0.2, 0.1, -2.2, 0.0, 2.1, 0.9)


def shown(address: str) -> dict[str, str]:
    """Each line of `worldarm status` by its first word."""
    result = in_process("status", "--command-address", address)
    assert result.returncode == 0, result.stderr
    return {line.split()[0]: line.partition(" ")[2].strip() for line in result.stdout.splitlines()}


def test_a_person_sees_stops_resets_and_sends_home(tmp_path: Path) -> None:
    with DriverProcess(tmp_path, Options(start=AWAY)) as process:
        first = shown(process.command)
        assert (first["arm"], first["mode"], first["lease"], first["clamped"]) == ("panda", "idle", "free", "nothing")
        assert "of 250 states a second" in first["rate"]
        assert first["joints"].startswith(f"({math.degrees(AWAY[0]):.1f}, ")
        assert first["effort"] == "8 % of a joint's limit"
        with process.client() as client:
            client.acquire("somebody", 10.0)
            assert shown(process.command)["lease"] == "somebody"
            stopped = in_process("stop", "--command-address", process.command, "--reason", "a cat")
            assert stopped.returncode == 0 and "a cat" in stopped.stdout
            seen = shown(process.command)
            assert (seen["mode"], seen["lease"]) == ("stopped: a cat", "free")
        refused = in_process("home", "--command-address", process.command)
        assert refused.returncode == 1 and "a cat" in refused.stderr
        assert in_process("reset", "--command-address", process.command).stdout.startswith(
            "reset: the arm can be moved"
        )
        assert shown(process.command)["mode"] == "idle"
        with Subscription(process.state, b"state", JointState, 5000) as states:
            home = in_process("home", "--command-address", process.command, "--speed", "0.4")
            assert home.returncode == 0, home.stderr
            assert home.stdout.splitlines()[-1].startswith("at home, 0.40 rad")
            states.drain()
            assert_no_jump(list(states.history))
        with process.client() as client:
            assert np.abs(np.subtract(now(client).measured, HOME)).max() < 0.02
            assert now(client).holder == ""


def test_status_follows_until_interrupted(tmp_path: Path) -> None:
    with (
        DriverProcess(tmp_path) as process,
        running("status", "--follow", "--command-address", process.command) as following,
    ):
        assert following.first_line.split() == ["arm", "panda"]
        lines = [following.process.stdout.readline() for _ in range(20)]  # type: ignore[union-attr]
        assert sum(line.startswith("mode") for line in lines) >= 2


def test_status_says_that_the_driver_is_gone_and_goes_on_when_it_is_back(tmp_path: Path) -> None:
    with (
        DriverProcess(tmp_path) as first,
        running("status", "--follow", "--command-address", first.command) as following,
    ):
        lines = iter(following.process.stdout.readline, "")  # type: ignore[union-attr]
        assert any(line.startswith("mode") for line in lines)
        first.kill()
        gone = next(line for line in lines if line.startswith("status: "))
        assert gone == f"status: the driver at {first.command} is gone: no state for 1 s; waiting until it is there\n"
        with DriverProcess(tmp_path, Options(start=AWAY), command=first.command) as second:
            assert second.state != first.state
            assert (
                next(line for line in lines if line.strip())
                == f"status: the driver at {first.command} is there again\n"
            )
            joints = next(line for line in lines if line.startswith("joints"))
            assert f"({math.degrees(AWAY[0]):.1f}, " in joints, "nothing of the first driver is left"
            second.kill()
        with DriverProcess(tmp_path, Options(named="crane"), command=first.command):
            status, _, err = following.end()
    assert status == 1 and "now runs the arm 'crane'" in err


def test_without_a_driver_each_says_so(tmp_path: Path) -> None:
    for command in ("status", "stop", "reset", "home"):
        nothing = in_process(command, "--command-address", "tcp://127.0.0.1:9")
        assert (nothing.returncode, nothing.stdout) == (1, "")
        assert "is it running there?" in nothing.stderr


def test_home_is_refused_where_something_is_in_the_way_before_anything_moves(tmp_path: Path) -> None:
    behind = msgspec.structs.replace(SPEC, keep_out=(Box((0.35, 0.05, 0.2), (0.60, 0.12, 0.60)),))
    start = np.array(HOME) + np.array([0.7, 0, 0, 0, 0, 0, 0])
    with pytest.raises(ConfigurationError, match="in a keep-out box"):
        require_clear(behind, start, np.array(HOME), "its home")
    require_clear(SPEC, start, np.array(HOME), "its home")
    with DriverProcess(tmp_path) as process, process.client() as client:
        for speed in (0.0, 1.5, float("nan")):
            with pytest.raises(ConfigurationError, match="--speed"):
                go_home(client, speed)
        with process.client() as other:
            other.acquire("other", 5.0)
            with pytest.raises(Refused):
                go_home(client, 0.2)


def test_an_arm_that_does_not_come_home_is_told(tmp_path: Path) -> None:
    with DriverProcess(tmp_path, Options(start=AWAY)) as process, process.client() as client, process.client() as other:

        def interfere(_: float) -> None:
            other.stop("no")

        with pytest.raises((ArmError, Refused)):
            go_home(client, 0.05, interfere)
        until(lambda: now(client).mode == "stopped")


def test_status_tells_what_was_clamped_and_how_old_the_news_is() -> None:
    seven = (0.0,) * 7
    states = [
        JointState(
            time_ns=time.monotonic_ns() - (10 - tick) * 4_000_000,
            tick=tick,
            mode="active",
            requested=seven,
            governed=(0.1, *seven[1:]),
            measured=(0.06, *seven[1:]),
            governed_velocity=seven,
            measured_velocity=(0.0, -0.5, *seven[2:]),
            measured_effort=() if tick < 5 else (43.5, *seven[1:]),
            gripper_command=0.0,
            gripper_width=0.01,
            clamps=("jerk",) if tick % 2 else (),
            holder="agent",
            active_until_ns=0,
            set_point_ns=0,
            reason="",
        )
        for tick in range(10)
    ]
    status = status_of(SPEC, states)
    assert status.rate_hz == pytest.approx(250.0, rel=0.01)
    assert (status.clamps["jerk"], status.speed, status.effort) == (5, 0.5, 0.5)
    assert status.error == pytest.approx(0.04)
    assert 0.0 <= status.age_s < 5.0


def test_a_lease_is_given_back_on_the_way_out_whatever_happens(tmp_path: Path) -> None:
    with DriverProcess(tmp_path, Options(start=AWAY)) as process:
        slowly = ("home", "--command-address", process.command, "--speed", "0.05")
        with running(*slowly) as home, process.client() as client:
            until(lambda: now(client).holder == "home" and max(map(abs, now(client).governed_velocity)) > 0.01)
            home.process.terminate()
            until(lambda: now(client).holder == "")
            until(lambda: not any(now(client).governed_velocity))
        with Client(process.command, 5.0) as client:
            client.acquire("me", 1.0)
            move(client, away(6, 0.0, 0.2, base=now(client).governed))
