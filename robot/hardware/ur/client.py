"""The process that holds ur_rtde's clients of one UR controller, and its end of the socket to the driver.

They run outside the driver because of their side effects: they connect without a time limit and under Python's lock,
print to the process's output, and after a lost link reconnect by themselves and send the robot a new control program.
Here a kernel timer ends the process when a call takes too long, even under the lock; output goes to a file; and a lost
link stays lost until the driver restarts the arm.
"""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import time
from typing import NoReturn

import dashboard_client
import msgspec
import rtde_control
import rtde_receive

from robot.hardware.ur.description import JOINTS, MODELS

RTDE_HZ = 250.0
"""The controller's report rate: twice per period of the driver, so that a report is at most half a period old when
read."""
_PORTS = (29999, 30004)
_OLDEST = (5, 6)
"""The first PolyScope version that reports whether it is in remote control."""
_CONNECT_S = 2.0
_ANSWER_S = 4.0
"""The time limit for one call of the clients; a robot that answers does so in milliseconds."""
_STUCK_S = 1.5
"""The same while the arm is running: a client spins for ever when the robot disappears during a command."""
_UPLOAD_S = 8.0
"""The time limit for uploading and starting the control program; the client itself allows 5 s."""
_ENDING_S = 2.0
"""The time to wait for a program that is about to end, such as worldarm's own when its watchdog is expiring."""
_LOOK_S = 0.002
_SILENCE_S = 1.0
"""This process ends after this time without a report. Like `_STUCK_S` it is less than the 2.5 s after which the client
reconnects by itself."""

PERIOD_S = 0.008
LOOKAHEAD_S = 0.05
GAIN = 300.0
"""Parameters of `servoj`, which extrapolates along its look-ahead. The maker's look-ahead of 0.1 s smooths set-points
of any kind. The driver's set-points are smooth already, so half of that covers a loop that is six periods late and
halves the lag. The gain is the maker's: a higher one makes joints hum on the small steps of the measured positions."""
_STOPPING = 4.0
"""m/s² of the tool in `servoStop`; the client's default of 10 jolts the arm."""
_ALONE_S = 0.25
"""After this time without a set-point the arm is stopped, and then holds by itself."""
_WATCHDOG_HZ = 2.0
"""The controller ends the program and stops the arm when it receives commands less often than this. The period is
longer than `servoStop`, during which nothing is sent, and shorter than a restart of the driver."""
_KICK_S = 0.1
_NM_PER_A = 10.0
"""N·m at a joint per ampere of its motor: 1:101 gears on motors of about 0.1 N·m/A."""

SAFETY_STATES = {
    3: "the arm is in a protective stop: see what it ran into, then unlock it on the pendant",
    4: "the arm is outside its safety limits, in recovery mode: move it back by hand on the pendant",
    5: "a safeguard is open: the arm waits for it to be closed",
    6: "the emergency stop of the cell is pressed: release it, then switch the arm on again on the pendant",
    7: "the emergency stop is pressed: release it, then switch the arm on again on the pendant",
    8: "the arm broke a safety limit: restart it on the pendant",
    9: "the arm's safety system reports a fault: restart it on the pendant",
    10: "the arm's joints do not match its installation: see the pendant",
    11: "the arm's safety system is in a state that it does not name: see the pendant",
    12: "the safeguard of automatic mode is open: the arm waits for it to be closed",
    13: "the three-position enabling switch stops the arm",
}
ROBOT_STATES = {
    -1: "the arm has no connection to its controller: see the pendant",
    0: "the arm has no connection to its controller: see the pendant",
    1: "the controller waits for its safety configuration to be confirmed on the pendant",
    2: "the controller is still starting",
    3: "the arm is switched off: switch it on on the pendant",
    4: "the arm is switched on but not started: start it on the pendant",
    5: "the arm's brakes are on: release them on the pendant",
    6: "the arm can be moved by hand (backdrive): end that on the pendant",
    8: "the controller is updating the arm's firmware",
}
JOINT_STATES = {
    245: "does not respond",
    251: "broke a limit",
    252: "reports a fault",
}
"""The modes of a joint that stopped the arm (RTDE guide, `joint_mode`)."""
_PLAYING = 2
_VARIABLES = [
    *("timestamp", "actual_q", "actual_qd", "target_moment", "target_current", "actual_current"),
    *("robot_mode", "safety_mode", "runtime_state", "joint_mode"),
]


class Seen(msgspec.Struct, tag=True, frozen=True):
    """The controller's report at the monotonic `time_ns`: positions rad, velocities rad/s and efforts N·m, (6,) each,
    its modes and those of its joints (6,) by number, and whether the control program is `playing`."""

    time_ns: int
    positions: tuple[float, ...]
    velocities: tuple[float, ...]
    efforts: tuple[float, ...]
    robot_mode: int
    safety_mode: int
    joint_modes: tuple[int, ...]
    playing: bool


class Unable(msgspec.Struct, tag=True, frozen=True):
    """The arm cannot be started, for `reason`."""

    reason: str


class Move(msgspec.Struct, tag=True, frozen=True):
    """Go to `positions` (6,) rad, within the next period."""

    positions: tuple[float, ...]


class Park(msgspec.Struct, tag=True, frozen=True):
    """Stop, and end the control program: the arm holds by itself."""


class Parked(msgspec.Struct, tag=True, frozen=True):
    """The arm is parked."""


def cannot_move(seen: Seen) -> str:
    """Return a message that says why the arm in `seen` does not move, with the joint to blame where one is; empty when
    it does move."""
    for joint, mode in zip(JOINTS, seen.joint_modes, strict=True):
        if mode in JOINT_STATES:
            return f"{joint} {JOINT_STATES[mode]}: read its code in the pendant's log, then restart the arm there"
    why = SAFETY_STATES.get(seen.safety_mode)
    return why if why is not None else ROBOT_STATES.get(seen.robot_mode, "")


class _CannotStart(Exception):
    """The arm cannot be started; the message says why."""


def main(descriptor: int, host: str, model: str) -> NoReturn:
    """Serve the driver at the other end of the socket `descriptor`, for the arm at `host`, which must be a `model` as
    controllers call it. Ends with the process."""
    line = socket.socket(fileno=descriptor)
    line.setblocking(False)
    try:
        client = _Client(host, model)
    except _CannotStart as error:
        line.send(msgspec.msgpack.encode(Unable(str(error))))
        os._exit(1)
    client.serve(line)


class _Client:
    """The arm at `host`, with the control program running. Raises `_CannotStart`."""

    def __init__(self, host: str, model: str) -> None:
        _give(_CONNECT_S * len(_PORTS) + 1.0)
        _require_ports(host)
        _give(_ANSWER_S)
        try:
            board = dashboard_client.DashboardClient(host)
            board.connect(round(1e3 * _CONNECT_S))
            reported = board.getRobotModel().strip()
            self._receive = rtde_receive.RTDEReceiveInterface(host, RTDE_HZ, _VARIABLES)
            first = self._first()
            why = cannot_move(first)
            if why:
                raise _CannotStart(why)
            if reported != model:
                named = f"{reported.lower()}e"
                way_out = f": use --address {named}@{host}" if named in MODELS else ", which cannot be driven yet"
                raise _CannotStart(f"the arm at {host} is a {reported}, not a {model}{way_out}")
            version = board.polyscopeVersion()
            if tuple(map(int, re.findall(r"\d+", version)[:2])) < _OLDEST:
                raise _CannotStart(f"the robot has PolyScope {version}; it needs 5.6 or newer")
            if not board.isInRemoteControl():
                raise _CannotStart(
                    "the robot is in local control: switch it to remote control on the pendant (top right)"
                )
            self._require_no_program(board)
            _give(_UPLOAD_S)
            self._control = rtde_control.RTDEControlInterface(host, RTDE_HZ)
            _give(_ANSWER_S)
            if not self._control.setWatchdog(_WATCHDOG_HZ):
                raise _CannotStart("the control program on the robot ended immediately: see the pendant's log")
        except (RuntimeError, ValueError) as error:  # the clients' C++ exceptions
            raise _CannotStart(f"the robot at {host} refuses to start: {' '.join(str(error).split())}") from error
        self._commanded_at = time.monotonic()

    def serve(self, line: socket.socket) -> NoReturn:
        """Report to the driver and carry out its commands, until it closes the socket or the robot stops reporting."""
        decoder: msgspec.msgpack.Decoder[Move | Park] = msgspec.msgpack.Decoder(Move | Park)
        servoing = parked = False
        moved_at = told_at = time.monotonic()
        stamp = -1.0
        while True:
            _give(_STUCK_S)
            said = _received(line) if select.select([line], [], [], _LOOK_S)[0] else []
            now = time.monotonic()
            if said is None:
                if not parked:
                    self._park()
                os._exit(0)
            orders = [decoder.decode(each) for each in said]
            if any(isinstance(order, Park) for order in orders):
                self._park()
                parked, servoing = True, False
                _tell(line, Parked())
            elif orders and isinstance(orders[-1], Move):
                self._control.servoJ(list(orders[-1].positions), 0.0, 0.0, PERIOD_S, LOOKAHEAD_S, GAIN)
                servoing, moved_at, self._commanded_at = True, now, now
            elif servoing and now - moved_at > _ALONE_S:
                self._control.servoStop(_STOPPING)
                servoing = False
            elif not parked and now - self._commanded_at > _KICK_S:
                self._control.kickWatchdog()
                self._commanded_at = now
            if self._receive.getTimestamp() != stamp:
                stamp, seen = self._look()
                _tell(line, seen)
                told_at = now
            elif now - told_at > _SILENCE_S:
                os._exit(2)

    def _park(self) -> None:
        self._control.servoStop(_STOPPING)
        self._control.stopScript()

    def _look(self) -> tuple[float, Seen]:
        """Return the newest report and its time on the controller's clock."""
        receive = self._receive
        while True:
            stamp = receive.getTimestamp()
            more = zip(receive.getTargetMoment(), receive.getActualCurrent(), receive.getTargetCurrent(), strict=True)
            seen = Seen(
                time_ns=time.monotonic_ns(),
                positions=tuple(receive.getActualQ()),
                velocities=tuple(receive.getActualQd()),
                # No joint has a torque sensor. The torque that the controller's model expects is exact; an additional
                # load shows only in the current.
                efforts=tuple(moment + _NM_PER_A * (actual - target) for moment, actual, target in more),
                robot_mode=receive.getRobotMode(),
                safety_mode=receive.getSafetyMode(),
                joint_modes=tuple(receive.getJointMode()),
                playing=receive.getRuntimeState() == _PLAYING,
            )
            if receive.getTimestamp() == stamp:  # else it mixes two reports
                return stamp, seen

    def _first(self) -> Seen:
        """Return the first report; `_give` bounds the wait."""
        while self._receive.getTimestamp() == 0.0:
            time.sleep(_LOOK_S)
        return self._look()[1]

    def _require_no_program(self, board: dashboard_client.DashboardClient) -> None:
        deadline = time.monotonic() + _ENDING_S
        while self._look()[1].playing:
            if time.monotonic() > deadline:
                state = board.programState().strip()
                raise _CannotStart(f"a program runs on the robot ({state}): stop it on the pendant")
            time.sleep(_LOOK_S)


def _give(seconds: float) -> None:
    """Make the kernel end this process unless this function is called again within `seconds`. A Python handler would
    wait for the lock that a hanging client holds; the kernel's timer needs no lock."""
    signal.setitimer(signal.ITIMER_REAL, seconds)


def _require_ports(host: str) -> None:
    """Check that a controller's ports are open, with messages that the clients lack."""
    for port in _PORTS:
        try:
            socket.create_connection((host, port), _CONNECT_S).close()
        except socket.gaierror as error:
            raise _CannotStart(f"there is no host {host!r}: {error.strerror}") from error
        except ConnectionRefusedError as error:
            raise _CannotStart(
                f"{host} exists, but it is not a UR controller that is ready: it accepts no connection at port {port}"
            ) from error
        except OSError as error:
            raise _CannotStart(
                f"{host} does not answer (port {port}: {error}): is the controller on, and is this the address that "
                "its pendant shows under Settings, System, Network?"
            ) from error


def _received(line: socket.socket) -> list[bytes] | None:
    """Return all messages that have come; None when the other end is closed."""
    messages: list[bytes] = []
    while True:
        try:
            message = line.recv(4096)
        except BlockingIOError:
            return messages
        except ConnectionResetError:
            return None
        if not message:
            return None
        messages.append(message)


def _tell(line: socket.socket, message: Seen | Parked) -> None:
    """Send `message`; a driver that does not read, for instance because it is paused, misses it."""
    try:
        line.send(msgspec.msgpack.encode(message))
    except (BlockingIOError, BrokenPipeError):
        # A closed socket is detected on reading; a driver that is behind will read a newer report.
        return
