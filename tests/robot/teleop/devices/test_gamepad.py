"""Moving the arm by a gamepad: SDL's virtual one, which the command reads as it does any other."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot.arm.kinematics import Kinematics
from robot.teleop.devices.gamepad import DEAD_ZONE, response
from robot.wire.messages import JointState
from tests.commands import ROOT, environment, worldarm
from tests.robot.driver.checks import SPEC, now, steady
from tests.robot.driver.command import DriverProcess, until
from tests.robot.teleop.person import Person

real_time = pytest.mark.real_time
KINEMATICS = Kinematics(SPEC)
LEFT_X, LEFT_Y, RIGHT_X, RIGHT_Y = range(4)
CLOSE, STOP, OPEN, HOME_BUTTON, RESET, DEAD_MAN, FASTER = 0, 1, 3, 4, 6, 10, 11


@given(st.tuples(st.floats(-1.0, 1.0), st.floats(-1.0, 1.0)))
def test_a_stick_is_nothing_in_its_dead_zone_and_keeps_its_direction(stick: tuple[float, float]) -> None:
    x, y = response(stick)
    size = math.hypot(*stick)
    assert math.hypot(x, y) <= 1.0 + 1e-12
    if size <= DEAD_ZONE:
        assert (x, y) == (0.0, 0.0)
    else:
        assert x * stick[1] == pytest.approx(y * stick[0], abs=1e-9) and x * stick[0] + y * stick[1] >= 0.0


def test_a_stick_is_fine_near_its_middle_and_full_at_its_end() -> None:
    assert response((1.0, 0.0)) == (1.0, 0.0)
    half = DEAD_ZONE + 0.5 * (1.0 - DEAD_ZONE)
    assert response((0.0, -half))[1] == pytest.approx(-0.125)
    assert response((math.nan, 0.0)) == (0.0, 0.0)


class Hands:
    """What holds the gamepad."""

    def __init__(self, pipe: Path) -> None:
        self._pipe = open(pipe, "w", encoding="utf-8", buffering=1)  # noqa: SIM115 - as long as the gamepad

    def axis(self, number: int, value: float) -> None:
        self._pipe.write(f"axis {number} {value}\n")

    def down(self, *buttons: int) -> None:
        for button in buttons:
            self._pipe.write(f"button {button} 1\n")

    def up(self, *buttons: int) -> None:
        for button in buttons:
            self._pipe.write(f"button {button} 0\n")

    def press(self, button: int) -> None:
        self.down(button)
        time.sleep(0.1)
        self.up(button)

    def plug(self) -> None:
        self._pipe.write("plug\n")

    def unplug(self) -> None:
        self._pipe.write("unplug\n")


@contextmanager
def player(process: DriverProcess, folder: Path, *words: str) -> Iterator[tuple[Person, Hands]]:
    pipe = folder / "pad"
    os.mkfifo(pipe)
    command = ("teleop", "--device", "gamepad", "--command-address", process.command, *words)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PAD", str(pipe))
        with Person(*command, module="tests.robot.teleop.devices.virtual_pad") as person:
            hands = Hands(pipe)
            person.sees("lease mine")
            yield person, hands


def tool(state: JointState) -> np.ndarray:
    return KINEMATICS.position(np.array(state.governed))


@real_time
def test_sticks_move_the_arm_only_while_the_dead_mans_button_is_held(running: DriverProcess, tmp_path: Path) -> None:
    with running.client() as client, player(running, tmp_path) as (person, hands):
        begin = tool(steady(client))
        hands.axis(LEFT_Y, -1.0)
        time.sleep(0.5)
        assert np.abs(tool(now(client)) - begin).max() < 1e-6
        hands.down(DEAD_MAN)
        until(lambda: tool(now(client))[0] > begin[0] + 0.02)
        hands.up(DEAD_MAN)
        rested = tool(steady(client))
        time.sleep(0.3)
        assert np.abs(tool(now(client)) - rested).max() < 1e-6 and now(client).holder == "teleop gamepad"
        assert np.abs(rested[1:] - begin[1:]).max() < 1e-3
        hands.axis(LEFT_Y, 0.0)
        hands.down(DEAD_MAN)
        for axis, value, moves, sign in ((LEFT_X, 1.0, 1, -1), (RIGHT_Y, -1.0, 2, 1)):
            before = tool(steady(client))
            hands.axis(axis, value)
            until(lambda: sign * (tool(now(client)) - before)[moves] > 0.01)  # noqa: B023
            hands.axis(axis, 0.0)
        steady(client)
        hands.axis(RIGHT_X, 1.0)
        turned = now(client).governed[6]
        until(lambda: abs(now(client).governed[6] - turned) > 0.1)
        hands.axis(RIGHT_X, 0.0)
        width = now(client).gripper_command
        hands.down(CLOSE)
        until(lambda: now(client).gripper_command < width - 0.02)
        hands.up(CLOSE)
        hands.down(OPEN)
        until(lambda: now(client).gripper_command > width - 0.01)
        hands.up(OPEN)
        hands.press(FASTER)
        person.sees("of 35 %")


@real_time
def test_its_buttons_stop_reset_and_send_home(running: DriverProcess, tmp_path: Path) -> None:
    with running.client() as client, player(running, tmp_path) as (person, hands):
        begin = tool(steady(client))
        hands.down(DEAD_MAN)
        hands.axis(LEFT_X, -1.0)
        until(lambda: tool(now(client))[1] > begin[1] + 0.03)
        hands.press(STOP)
        until(lambda: now(client).mode == "stopped")
        stopped = tool(steady(client))
        hands.press(RESET)
        person.sees("the arm is yours")
        time.sleep(0.5)  # the stick is held still, and moves nothing before it was let go
        assert np.abs(tool(now(client)) - stopped).max() < 1e-4
        hands.axis(LEFT_X, 0.0)
        time.sleep(0.3)
        hands.axis(LEFT_X, -1.0)
        until(lambda: tool(now(client))[1] > stopped[1] + 0.02)
        hands.axis(LEFT_X, 0.0)
        hands.up(DEAD_MAN)
        steady(client)
        hands.press(HOME_BUTTON)
        person.sees("hold the dead-man's button")
        hands.down(DEAD_MAN)
        time.sleep(0.2)
        hands.press(HOME_BUTTON)
        person.sees("at home")
        person.type(" ")  # and the keyboard beside it stops too
        until(lambda: now(client).mode == "stopped")
        person.type("x")
        assert person.end() == 0 and person.restored()


@real_time
def test_unplugged_the_arm_holds_and_goes_on_when_it_is_back(running: DriverProcess, tmp_path: Path) -> None:
    with running.client() as client, player(running, tmp_path) as (person, hands):
        begin = tool(steady(client))
        hands.down(DEAD_MAN)
        hands.axis(LEFT_X, 1.0)
        until(lambda: tool(now(client))[1] < begin[1] - 0.01)
        hands.unplug()
        person.sees("no gamepad is plugged in; the arm holds")
        until(lambda: now(client).holder == "" and not any(now(client).governed_velocity))
        assert now(client).mode == "holding"
        hands.plug()
        person.sees("the gamepad is back")
        until(lambda: now(client).holder == "teleop gamepad")
        held = tool(steady(client))
        time.sleep(0.3)
        hands.down(DEAD_MAN)
        hands.axis(LEFT_X, -1.0)
        until(lambda: tool(now(client))[1] > held[1] + 0.01)


@real_time
def test_without_a_gamepad_or_pygame_it_says_what_to_do(running: DriverProcess, tmp_path: Path) -> None:
    none = worldarm("teleop", "--device", "gamepad", "--command-address", running.command)
    assert (none.returncode, none.stderr) == (1, "worldarm: no gamepad is plugged in\n")
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['pygame'] = None\n")
    missing = subprocess.run(
        [sys.executable, "-m", "worldarm", "teleop", "--device", "gamepad", "--command-address", running.command],
        cwd=ROOT,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert missing.returncode == 1 and "pip install 'worldarm[gamepad]'" in missing.stderr
    with running.client() as client:
        assert now(client).holder == ""
