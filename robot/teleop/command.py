"""The command `worldarm teleop`: a person moves the arm, by keyboard, gamepad or a leader arm."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Annotated, Literal

import tyro

from robot.addresses import COMMAND
from robot.client import Client
from robot.teleop.console import TerminalConsole
from robot.teleop.keyboard import HOLD_S, Keyboard
from robot.teleop.limits import Dial, Limits
from robot.teleop.session import Teleoperation
from robot.teleop.terminal import Terminal


def teleop(
    device: Annotated[Literal["keyboard"], tyro.conf.arg(help="what the person holds")] = "keyboard",
    command_address: Annotated[str, tyro.conf.arg(help="where the driver takes commands")] = COMMAND,
    speed: Annotated[float, tyro.conf.arg(help="share of the most to begin with; + and - change it")] = 0.25,
    max_speed: Annotated[float, tyro.conf.arg(help="the most that the tool ever moves, m/s")] = 0.15,
    max_turn: Annotated[float, tyro.conf.arg(help="the most that the tool ever turns, rad/s")] = 0.8,
    max_gripper: Annotated[float, tyro.conf.arg(help="how fast the gripper opens and closes, m/s")] = 0.08,
    max_joints: Annotated[float, tyro.conf.arg(help="the most of each joint's velocity limit that is used")] = 0.3,
    home_speed: Annotated[float, tyro.conf.arg(help="share of each joint's velocity limit on the way home")] = 0.1,
    rate_hz: Annotated[float, tyro.conf.arg(help="how often a second waypoints are sent")] = 50.0,
    hold_s: Annotated[
        float, tyro.conf.arg(help="keyboard: how long a key counts as held, since terminals tell of no release")
    ] = HOLD_S,
) -> None:
    """Move the arm by hand, simulated or real, slowly at first; what is not held does not move.

    Needs a driver that runs. SPACE stops the arm at once; Ctrl-C ends, and the arm holds.
    """
    dial = Dial(Limits(max_speed, max_turn, max_gripper, max_joints), speed)
    with ExitStack() as parts:
        client = parts.enter_context(Client(command_address))
        terminal = parts.enter_context(Terminal())
        keyboard = Keyboard(terminal, dial, hold_s)
        session = Teleoperation(client, keyboard, TerminalConsole(terminal), dial, rate_hz, home_speed)
        terminal.say(f"teleop: {device} for {client.arm.name} at {command_address}; Ctrl-C ends, and the arm holds")
        for line in keyboard.help:
            terminal.say(line)
        report = session.run()
    print(f"teleop: ended, the arm holds; loop: {report}", flush=True)
