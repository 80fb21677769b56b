"""Universal Robots' e-series arms, through ur_rtde: `servoJ` at the driver's rate, state by RTDE.

A UR has no gripper of its own. To add one on a digital output of the tool, call ur_rtde's
`RTDEIOInterface.setToolDigitalOut` in the process that holds the other clients. Set `gripper_range` from closed to
open, let a width above the middle mean open, and report the output's state as the measured width.
"""

from __future__ import annotations

import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from typing import IO

import msgspec

from robot.arm.interface import ArmOptions, ArmSpec, Reading, Vector
from robot.errors import ArmError, ConfigurationError
from robot.hardware.ur import client as ur_client
from robot.hardware.ur.client import Move, Park, Parked, Seen, Unable, cannot_move
from robot.hardware.ur.description import MODELS, UrModel, ur_spec

USUAL = "ur5e"
_START_S = 20.0
_PARK_S = 3.0
_CLOSE_S = 1.5
_BEHIND_S = 0.1
"""When the newest report is older than this, this process may have been paused; it then waits up to `_WAIT_S` for a
newer one."""
_WAIT_S = 0.05
_QUEUE_BYTES = 4096
"""Small, so that the reports read after a pause are not seconds old."""


def make_arm(options: ArmOptions) -> Ur:
    """Return the arm at `options.address`, HOST or MODEL@HOST; the entry point `ur` of `worldarm.arms`.

    Without a model it is a UR5e. Raises `ConfigurationError` without an address, and for an unknown model.
    """
    if not options.address:
        raise ConfigurationError(
            "a UR needs the address of its controller: --address 192.168.1.10, or ur10e@192.168.1.10 for another model "
            f"than {USUAL}"
        )
    name, _, host = options.address.rpartition("@")
    name = name.lower() or USUAL
    if name not in MODELS:
        raise ConfigurationError(f"there is no UR model {name!r}; known: {', '.join(MODELS)}")
    if not host:
        raise ConfigurationError(f"--address {options.address} names no host")
    if options.calibration is not None:
        raise ConfigurationError("a UR is calibrated in its controller; leave --calibration out")
    return Ur(host, name)


class Ur:
    """An `Arm` whose controller follows set-points while worldarm's program runs on it, and holds the arm otherwise."""

    def __init__(self, host: str, name: str = USUAL) -> None:
        self._host = host
        self._model: UrModel = MODELS[name]
        self._link: _Link | None = None
        self._reading: Reading | None = None
        self.spec: ArmSpec = ur_spec(name)

    def start(self) -> None:
        """Connect and start the control program, which holds the arm at its present position.

        Raises `ArmError` when the controller does not answer, when the arm is of another model, switched off, stopped
        for safety or under local control, and when another program runs.
        """
        self._reading = None
        self._link = _Link(self._host, self._model.reported)
        self._see(self._link.first())

    def read(self) -> Reading:
        """Return the newest report; it keeps its old time while no new report comes.

        Raises `ArmError` when the arm was stopped, the control program was ended, or the connection is gone.
        """
        newest = self._open().newest()
        if newest is not None:
            self._see(newest)
        if self._reading is None:
            raise ArmError(f"the arm at {self._host} has not reported yet")
        return self._reading

    def write(self, positions: Vector, gripper_width: float) -> None:
        """Send the set-point. There is no gripper. Raises `ArmError` when the connection is gone."""
        self._open().send(Move(tuple(positions.tolist())))

    def park(self) -> None:
        """Stop the arm and end the control program: the controller then holds the arm. Raises `ArmError` when that is
        not confirmed in time."""
        self._open().park()

    def close(self) -> None:
        """Close the connection; an arm that still moves is stopped first."""
        if self._link is not None:
            link, self._link = self._link, None
            link.close()

    def _open(self) -> _Link:
        if self._link is None:
            raise ArmError("the UR is not started")
        return self._link

    def _see(self, seen: Seen) -> None:
        why = cannot_move(seen)
        if not why and not seen.playing:
            why = "the control program on the robot was ended, on the pendant or by another client"
        if why:
            raise ArmError(why)
        self._reading = Reading(
            time_ns=seen.time_ns,
            positions=seen.positions,
            velocities=seen.velocities,
            gripper_width=0.0,
            efforts=seen.efforts,
        )


class _Link:
    """A process that runs `ur_client`, and the socket to it. Every wait has a time limit."""

    def __init__(self, host: str, model: str) -> None:
        self._host = host
        self._decoder: msgspec.msgpack.Decoder[Seen | Unable | Parked] = msgspec.msgpack.Decoder(Seen | Unable | Parked)
        self._newest: Seen | None = None
        self._parked = False
        self._said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - `close` closes it
        self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._line.setblocking(False)
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _QUEUE_BYTES)
        with theirs:
            # This process's module path, because another process might not find the modules. A session of its own,
            # because Ctrl-C at the terminal is for the driver, which brings the arm to rest first.
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-c"),
                    f"import sys; sys.path[:] = {sys.path!r}; from {ur_client.__name__} import main; "
                    f"main({theirs.fileno()}, {host!r}, {model!r})",
                ],
                stdin=subprocess.DEVNULL,
                stdout=self._said,
                stderr=self._said,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )

    def first(self) -> Seen:
        """Return the first report, once the arm can be moved. Raises `ArmError`, with the reason, when it cannot."""
        deadline = time.monotonic() + _START_S
        while self._newest is None:
            left_s = deadline - time.monotonic()
            if left_s <= 0.0:
                raise ArmError(f"the arm at {self._host} did not start within {_START_S:.0f} s")
            self._take(left_s)
        return self._newest

    def newest(self) -> Seen | None:
        """Return the newest report. Raises `ArmError` when no more can come."""
        self._take(0.0)
        if self._newest is not None and time.monotonic_ns() - self._newest.time_ns > _BEHIND_S * 1e9:
            self._take(_WAIT_S)
        return self._newest

    def send(self, message: Move | Park) -> None:
        """Send `message` at once or drop it: a stuck process also stops reporting, which `read` detects."""
        try:
            self._line.send(msgspec.msgpack.encode(message))
        except BlockingIOError:
            return
        except OSError as error:
            raise ArmError(self._why_gone()) from error

    def park(self) -> None:
        """Request that the arm stops and the program ends, and wait for the confirmation."""
        self.send(Park())
        deadline = time.monotonic() + _PARK_S
        while not self._parked:
            left_s = deadline - time.monotonic()
            if left_s <= 0.0:
                raise ArmError(f"the arm at {self._host} did not confirm within {_PARK_S:.0f} s that it is parked")
            self._take(left_s)

    def close(self) -> None:
        """Close the socket, which ends the process; a stuck process is killed."""
        self._line.close()
        try:
            self._process.wait(_CLOSE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._said.close()

    def _take(self, wait_s: float) -> None:
        """Receive all messages that have come, after waiting up to `wait_s` for the first."""
        if wait_s > 0.0:
            select.select([self._line], [], [], wait_s)
        while True:
            try:
                data = self._line.recv(4096)
            except BlockingIOError:
                return
            except OSError as error:
                raise ArmError(self._why_gone()) from error
            if not data:
                raise ArmError(self._why_gone())
            message = self._decoder.decode(data)
            if isinstance(message, Unable):
                raise ArmError(message.reason)
            if isinstance(message, Seen):
                self._newest = message
            else:
                self._parked = True

    def _why_gone(self) -> str:
        """Return why the process ended, as far as its output says."""
        try:
            status = self._process.wait(_CLOSE_S)
        except subprocess.TimeoutExpired:
            return f"the connection to {self._host} was closed"
        if status == -signal.SIGALRM:
            if self._newest is None:
                return f"{self._host} takes connections but does not answer as a UR controller does"
            return f"the arm at {self._host} stopped answering"
        self._said.seek(0)
        lines = self._said.read().decode(errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "no output")
        return f"the connection to {self._host} was lost (status {status}: {last})"
