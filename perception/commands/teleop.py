"""`worldarm teleop`: a person moves the arm; with a web page, the motion can be recorded."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from robot.client.client import Client
from robot.client.followed_driver import FollowedDriver
from robot.embodiment.actions import ACTIONS_HELP, ConventionName
from robot.errors import ConfigurationError
from robot.teleop.devices.console import PlainConsole, TerminalConsole
from robot.teleop.devices.gamepad import Gamepad
from robot.teleop.devices.joint_map import read_joint_map
from robot.teleop.devices.keyboard import HOLD_S, Keyboard
from robot.teleop.devices.leader import HISTORY, TOLERANCE, Leader
from robot.teleop.devices.pygame_pad import PygamePad
from robot.teleop.devices.terminal import Terminal
from robot.teleop.input import Device
from robot.teleop.page.device import Web
from robot.teleop.page.open_pages import SILENT_S, Pages
from robot.teleop.recording_interface import Recording
from robot.teleop.session import Console, Teleoperation
from robot.teleop.speed_limits import Dial, Limits
from robot.web.address import HOST, PORT
from robot.wire.addresses import COMMAND, FRAMES
from robot.wire.camera_spec import Images

PATIENCE_S = 2.0
"""The time limit for the driver's answers; without commands, the arm holds long before that."""

DeviceName = Literal["keyboard", "gamepad", "leader", "web"]


@dataclass(frozen=True)
class TeleopOptions:
    """The options of `worldarm teleop`; each field's help describes it."""

    device: Annotated[DeviceName, tyro.conf.arg(help="input device")] = "keyboard"
    command_address: Annotated[str, tyro.conf.arg(help="command address of the driver")] = COMMAND
    speed: Annotated[float, tyro.conf.arg(help="initial share of the maximum speed; + and - change it")] = 0.25
    max_speed: Annotated[float, tyro.conf.arg(help="maximum speed of the tool, m/s")] = 0.15
    max_turn: Annotated[float, tyro.conf.arg(help="maximum angular speed of the tool, rad/s")] = 0.8
    max_gripper: Annotated[float, tyro.conf.arg(help="speed of the gripper, m/s")] = 0.08
    max_joints: Annotated[float, tyro.conf.arg(help="maximum share of each joint's velocity limit")] = 0.3
    home_speed: Annotated[float, tyro.conf.arg(help="share of each joint's velocity limit on the way home")] = 0.1
    rate_hz: Annotated[float, tyro.conf.arg(help="rate at which waypoints are sent, Hz")] = 50.0
    hold_s: Annotated[
        float, tyro.conf.arg(help="keyboard: how long a key counts as held, seconds; terminals report no release")
    ] = HOLD_S
    leader: Annotated[str | None, tyro.conf.arg(help="leader: command address of the driver of the leading arm")] = None
    joint_map: Annotated[
        Path | None, tyro.conf.arg(help="leader: file that maps the leader's joints to the arm's; default: by name")
    ] = None
    align: Annotated[
        bool, tyro.conf.arg(help="leader: first move the arm slowly to the leader; else bring the leader to the arm")
    ] = False
    tolerance: Annotated[float, tyro.conf.arg(help="leader: largest difference of each joint at the start, rad")] = (
        TOLERANCE
    )
    camera: Annotated[
        tuple[str, ...],
        tyro.conf.arg(help="web: addresses of the cameras: ADDRESS, or NAME=ADDRESS to record under NAME"),
    ] = (FRAMES,)
    host: Annotated[
        str, tyro.conf.arg(help="web: address at which the page is served; other than 127.0.0.1 it needs a token")
    ] = HOST
    port: Annotated[int, tyro.conf.arg(help="web: port of the page; 0: any free port")] = PORT
    silent_s: Annotated[
        float, tyro.conf.arg(help="web: the arm holds when the page has not answered for this time, seconds")
    ] = SILENT_S


def teleop(
    options: Annotated[TeleopOptions, tyro.conf.arg(name="")] = TeleopOptions(),
    dataset: Annotated[
        Path | None, tyro.conf.arg(help="web: record into this data set; an existing one is extended")
    ] = None,
    task: Annotated[str | None, tyro.conf.arg(help="web: description of the task, in words")] = None,
    fps: Annotated[int, tyro.conf.arg(help="web: recorded rows per second")] = 30,
    images: Annotated[
        Images, tyro.conf.arg(help="web: recorded pictures: video is small (AV1), png is exact")
    ] = "video",
    actions: Annotated[ConventionName, tyro.conf.arg(help=f"web: {ACTIONS_HELP}")] = "tabletop",
) -> None:
    """Move a simulated or real arm with an input device, slowly at first; the arm moves only while a key or control is
    held.

    It needs a running driver. SPACE stops the arm at once, as STOP does on a page; Ctrl-C ends, and the arm holds.
    """
    if (dataset is None) != (task is None):
        raise ConfigurationError("recording needs both --dataset DIR and --task 'what is done'")
    recorder: Callable[[], AbstractContextManager[Recording]] | None = None
    if dataset is not None and task is not None:

        def recorder() -> AbstractContextManager[Recording]:
            # Imported here because loading the recorder takes seconds, and teleoperation alone does not need it.
            from perception.recording.driven_arm import convention_for
            from perception.recording.recorder import Recorder
            from perception.recording.simulated_scene import simulated_scene_reset
            from perception.recording.sources import camera_addresses

            command = options.command_address
            action = convention_for(command, actions)
            reset = simulated_scene_reset(command, action, None)
            return Recorder(
                dataset, task, command, camera_addresses(options.camera), fps, images, action, rearrange=reset
            )

    _run(options, recorder)


def _run(options: TeleopOptions, recorder: Callable[[], AbstractContextManager[Recording]] | None) -> None:
    """Let a person move the arm until they end it; with a `recorder`, a page offers recording.

    Raises `ConfigurationError` for options that do not fit together, and the errors of `Teleoperation.run`.
    """
    device, leader = options.device, options.leader
    limits = Limits(options.max_speed, options.max_turn, options.max_gripper, options.max_joints)
    dial = Dial(limits, options.speed)
    if (leader is not None) != (device == "leader"):
        raise ConfigurationError("--device leader needs --leader ADDRESS; the other devices do not take it")
    if recorder is not None and device != "web":
        raise ConfigurationError(f"--dataset is for --device web; with a {device}, run `worldarm record` beside it")
    pages = Pages(options.silent_s)
    with ExitStack() as parts:
        client = parts.enter_context(Client(options.command_address, PATIENCE_S))
        terminal = parts.enter_context(Terminal()) if device == "keyboard" or sys.stdin.isatty() else None
        keyboard = Keyboard(terminal, dial, options.hold_s) if terminal is not None else None
        held: Device
        if leader is not None:
            held = _leader(parts, client, leader, options, dial)
        elif device == "gamepad":
            held = Gamepad(PygamePad(), dial)
        elif device == "web":
            held = Web(pages, client.arm, dial)
        else:
            assert keyboard is not None
            held = keyboard
        parts.callback(held.close)
        console: Console = PlainConsole()
        if terminal is not None and keyboard is not None:
            console = TerminalConsole(terminal, None if held is keyboard else keyboard)
        if device == "web":
            recording = parts.enter_context(recorder()) if recorder is not None else None
            console = _page(parts, client, options, pages, dial, console, recording)
        session = Teleoperation(client, held, console, dial, options.rate_hz, options.home_speed)
        console.tell(
            f"teleop: {device} for {client.arm.name} at {options.command_address}; Ctrl-C ends, and the arm holds"
        )
        for line in held.help:
            console.tell(line)
        if held is not keyboard and keyboard is not None:
            console.tell("here: SPACE or ESC stop   r reset   h home   +/- faster, slower   x quit")
        report = session.run()
    print(f"teleop: ended, the arm holds; loop: {report}", flush=True)


def _page(
    parts: ExitStack,
    client: Client,
    options: TeleopOptions,
    pages: Pages,
    dial: Dial,
    other: Console,
    recording: Recording | None,
) -> Console:
    """Serve the page, and return it as a console beside the `other` one; `parts` closes the page and its cameras."""
    try:
        from robot.teleop.page.page import WebPage
        from robot.web.server import PageServer
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"--device web needs the Python package '{error.name}': pip install 'worldarm[web]'"
        ) from error
    cameras = tuple(word.rpartition("=")[2] for word in options.camera)  # names matter only to a recorder
    server = parts.enter_context(PageServer(options.host, options.port, f"worldarm · {client.arm.name}"))
    page = parts.enter_context(WebPage(server, client, cameras, pages, dial, other, recording))
    other.tell(f"page: {server.url}")
    if server.open_to_others:
        other.tell("anyone with this address can move the arm, and the connection is not encrypted")
    return page


def _leader(
    parts: ExitStack,
    client: Client,
    address: str,
    options: TeleopOptions,
    dial: Dial,
) -> Leader:
    """Return the arm at `address` as the leader of the arm of `client`; `parts` closes its connection."""
    other = parts.enter_context(FollowedDriver(address, HISTORY))
    if other.state_address == client.state_address:
        raise ConfigurationError(f"the arm at {address} cannot lead itself: --leader is another driver's address")
    carried = read_joint_map(options.joint_map, other.arm, client.arm)
    other.wait(2.0)
    return Leader(other, carried, client.arm, dial, options.tolerance, options.align)
