"""A chain of Feetech STS servos on one serial line, driven through the maker's SDK (scservo_sdk).

The SDK waits 34 ms for a lost answer, spinning, and leaves a late answer in the queue, where it is mistaken for the
next one. Here each wait is bounded by the line's transfer time, sleeps, and begins with an empty queue.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import scservo_sdk as sdk
import serial

from robot.errors import ArmError
from robot.system.patience import Patience

BAUD = 1_000_000
STEPS = 4096
"""Steps per turn."""
ANSWER_S = 0.004
"""How long a servo, and the adapter between it and this machine, may take to begin its answer."""
_ATTEMPTS = 5
_PATIENCE_S = 1.0
"""How long a servo is asked for a register before it counts as absent; a busy machine delivers each answer late."""

# The control table of the STS3215: address and length in bytes.
HOMING_OFFSET, OPERATING_MODE, TORQUE, ACCELERATION, GOAL, GOAL_SPEED, LOCK, PRESENT = 31, 33, 40, 41, 42, 46, 55, 56
STATUS = 65
_REPORT_BYTES = STATUS + 1 - TORQUE
"""A report is the part of the table from the torque's switch to the status: one request returns all of it."""


class Servo(NamedTuple):
    """One servo's report: `position` and `speed` in steps and steps/s, `load` in thousandths of its stall torque,
    `volts`, its temperature in °C, the bits of its errors, and whether its torque is on."""

    position: int
    speed: int
    load: int
    volts: float
    celsius: int
    errors: int = 0
    torque: bool = True


class _Port(sdk.PortHandler):
    """The SDK's port, with waits that match the line's transfer time."""

    def setupPort(self, cflag_baud: int) -> bool:  # noqa: N802 - the SDK's name
        """Open the line, with reads that sleep for a millisecond at most; return whether it is open."""
        opened = bool(super().setupPort(cflag_baud))
        self.ser.timeout = 0.001
        # Longer than a busy machine may keep this process waiting: the time also runs once all bytes are written.
        self.ser.write_timeout = 0.5
        return opened

    def clearPort(self) -> None:  # noqa: N802
        """Drop answers that came too late for the last request."""
        self.ser.reset_input_buffer()

    def setPacketTimeout(self, packet_length: int) -> None:  # noqa: N802
        """Set the time limit to the duration of `packet_length` bytes plus the servo's answer time."""
        self.setPacketTimeoutMillis(self.tx_time_per_byte * packet_length + 1e3 * ANSWER_S)


class FeetechBus:
    """The servos `ids` on the serial line at `path`, opened on construction.

    Raises `ArmError` when the line cannot be opened; every call raises it when the line is gone.
    """

    def __init__(self, path: str, ids: Sequence[int]) -> None:
        self.path = path
        self._ids = tuple(ids)
        self._packets = sdk.PacketHandler(0)
        self._port = _Port(path)
        try:
            if not self._port.setBaudRate(BAUD):
                raise ArmError(f"{path} does not support {BAUD} baud")
        except (OSError, serial.SerialException) as error:
            raise ArmError(f"the serial line {path} cannot be opened: {error}") from error

    def present(self) -> Mapping[int, Servo] | None:
        """Return every servo's present report; None when an answer was lost or corrupted."""
        reports: dict[int, Servo] = {}
        with _line_errors(self.path):
            self._packets.syncReadTx(self._port, TORQUE, _REPORT_BYTES, list(self._ids), len(self._ids))
            for servo in self._ids:
                data, result, errors = self._packets.readRx(self._port, servo, _REPORT_BYTES)
                if result != sdk.COMM_SUCCESS or len(data) != _REPORT_BYTES:
                    self._port.is_using = False
                    return None
                reports[servo] = _decoded(bytes(data), errors)
        return reports

    def move(self, goals: Mapping[int, int]) -> None:
        """Send every servo in `goals` its goal, in steps; servos do not answer this."""
        with _line_errors(self.path):
            group = sdk.GroupSyncWrite(self._port, self._packets, GOAL, 2)
            for servo, steps in goals.items():
                group.addParam(servo, [steps & 0xFF, steps >> 8])
            group.txPacket()
            self._port.is_using = False

    def read(self, servo: int, address: int, length: int) -> int:
        """Return a register of `length` 1 or 2 bytes, once two successive answers agree: an answer does not say which
        register it holds, and one that comes late would be taken for that of the next request. Raises `ArmError` when
        the servo does not answer."""
        before: int | None = None
        patience = Patience(_PATIENCE_S)
        while patience.step_s:
            with _line_errors(self.path):
                data, result, _ = self._packets.readTxRx(self._port, servo, address, length)
                self._port.is_using = False
            if result == sdk.COMM_SUCCESS and len(data) == length:
                value = int.from_bytes(bytes(data), "little")
                if value == before:
                    return value
                before = value
            else:
                time.sleep(ANSWER_S)
        raise ArmError(
            f"servo {servo} on {self.path} does not answer; are all {len(self._ids)} plugged in one to the next, and "
            "is the power on?"
        )

    def write(self, servo: int, address: int, length: int, value: int) -> None:
        """Set a register of `length` 1 or 2 bytes, and verify it. Raises `ArmError` when it was not set."""
        for _ in range(_ATTEMPTS):
            with _line_errors(self.path):
                self._packets.writeTxRx(self._port, servo, address, length, list(value.to_bytes(length, "little")))
                self._port.is_using = False
            if self.read(servo, address, length) == value:
                return
        raise ArmError(f"servo {servo} on {self.path} does not accept the value {value} at address {address}")

    def close(self) -> None:
        """Close the line; the servos keep following their last goals."""
        with _line_errors(self.path):
            self._port.closePort()


class _line_errors:  # noqa: N801 - used as a context: `with _line_errors(path)`
    """Wrap calls of the SDK: errors of the serial line become `ArmError`."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        # A port that was unplugged raises an error or gives a closed descriptor, depending on its driver.
        if isinstance(error, (OSError, serial.SerialException, TypeError)):
            raise ArmError(f"the serial line {self._path} is gone: {error}") from error


def _decoded(table: bytes, errors: int) -> Servo:
    """Return the report in `table`, from the torque's switch on; `errors` is the error byte of the answer."""
    present = table[PRESENT - TORQUE :]
    position, speed, load = (int.from_bytes(present[at : at + 2], "little") for at in (0, 2, 4))
    return Servo(
        position=signed(position, 15),
        speed=signed(speed, 15),
        load=signed(load, 10),
        volts=present[6] / 10.0,
        celsius=present[7],
        errors=errors | table[STATUS - TORQUE],
        torque=bool(table[0]),
    )


def signed(value: int, sign_bit: int) -> int:
    """Decode the register value `value`, which holds a magnitude and, in `sign_bit`, a sign."""
    size = value & ((1 << sign_bit) - 1)
    return -size if value >> sign_bit & 1 else size


def unsigned(value: int, sign_bit: int) -> int:
    """Encode `value` as a register value: a magnitude and, in `sign_bit`, a sign."""
    return -value | 1 << sign_bit if value < 0 else value
