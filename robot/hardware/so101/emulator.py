"""An emulator of the SO-101's six Feetech servos on a pseudo-terminal, which replaces its serial port.

It implements the instructions that the maker's SDK sends: ping, read, write, sync read and sync write, with checksums.
Each servo follows its goal at a bounded speed while its torque is on. One that is blocked presses until its overload
protection switches its torque off and sets the error bit, as a real one does. Answers can be lost or corrupted, to test
that the driver copes.
"""

from __future__ import annotations

import os
import select
import time
import tty
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np

from robot.hardware.so101.bus import (
    GOAL,
    GOAL_SPEED,
    HOMING_OFFSET,
    OPERATING_MODE,
    PRESENT,
    STATUS,
    STEPS,
    TORQUE,
    unsigned,
)
from robot.hardware.so101.calibration import Calibration
from robot.hardware.so101.description import JOINTS, MOTORS
from robot.hardware.so101.servo_errors import OVERLOAD

_PING, _READ, _WRITE, _SYNC_READ, _SYNC_WRITE = 1, 2, 3, 0x82, 0x83
_BROADCAST = 0xFE
_TABLE_BYTES = 128
_MODEL, _VOLTS, _CELSIUS = 3, 62, 63
_STEPS_PER_S = 3000.0
_TIME_CONSTANT_S = 0.02
_MODEL_NUMBER = 777
_STALL_STEPS = 20
"""A servo that is kept this far from its goal presses with all its strength."""
_STALL_LOAD = 990
_OVERLOAD_S = 0.3
"""How long a servo presses with all its strength before it protects itself."""


@dataclass
class EmulatedServo:
    """One servo's control table and its actual position. It is blocked at positions above `wall`, where there is
    one."""

    position: float
    table: bytearray = field(default_factory=lambda: bytearray(_TABLE_BYTES))
    speed: float = 0.0
    torque_dropped: int = 0
    wall: float | None = None
    pressed_s: float = 0.0

    def set(self, address: int, data: bytes) -> None:
        """Write `data` to the table, as an instruction from the line does."""
        if address <= TORQUE < address + len(data) and self.table[TORQUE] and not data[TORQUE - address]:
            self.torque_dropped += 1
        self.table[address : address + len(data)] = data

    def move(self, seconds: float) -> None:
        """Advance by `seconds`, and write the new measurements to the table."""
        before, load = self.position, 0
        if self.table[TORQUE]:
            goal = int.from_bytes(self.table[GOAL : GOAL + 2], "little")
            way = (goal - self.position) * (1.0 - np.exp(-seconds / _TIME_CONSTANT_S))
            most = (int.from_bytes(self.table[GOAL_SPEED : GOAL_SPEED + 2], "little") or _STEPS_PER_S) * seconds
            self.position += float(np.clip(way, -most, most))
            if self.wall is not None and before <= self.wall < self.position:
                self.position = self.wall
            load = _STALL_LOAD if self.position == self.wall and goal - self.position > _STALL_STEPS else 0
        self._protect(seconds if load else 0.0)
        self.speed = (self.position - before) / seconds if seconds > 0 else 0.0
        # Below 0 and beyond a turn too, as real servos do after several calibrations.
        present = (unsigned(round(self.position), 15), unsigned(round(self.speed), 15), load)
        for at, value in zip((0, 2, 4), present, strict=True):
            self.table[PRESENT + at : PRESENT + at + 2] = value.to_bytes(2, "little")

    def _protect(self, pressing_s: float) -> None:
        """Switch the torque off, and report why, once the servo has pressed for long."""
        self.pressed_s = self.pressed_s + pressing_s if pressing_s else 0.0
        if self.pressed_s > _OVERLOAD_S:
            self.table[TORQUE], self.table[STATUS] = 0, self.table[STATUS] | OVERLOAD


class So101Emulator:
    """Six servos with the calibration `calibration`, at the angles `start` (6,) rad of joints and gripper.

    `lost` is the share of answers that do not come and `torn` the share with a wrong byte, both drawn with `seed`.
    `volts` is the supply voltage and `celsius` the temperature that the servos measure, `errors` the bits that they all
    report from the start. `wall` is the angle (rad) of the last joint beyond which something blocks it.
    """

    def __init__(
        self,
        calibration: dict[str, Calibration],
        start: Sequence[float],
        lost: float = 0.0,
        torn: float = 0.0,
        volts: float = 7.4,
        celsius: int = 30,
        errors: int = 0,
        wall: float | None = None,
        seed: int = 0,
    ) -> None:
        self._lost, self._torn = lost, torn
        self._rng = np.random.default_rng(seed)
        self._clock = time.monotonic()
        self.servos: dict[int, EmulatedServo] = {}
        for name, angle in zip(MOTORS, start, strict=True):
            calibrated = calibration[name]
            servo = EmulatedServo(float(calibrated.steps(angle)))
            servo.table[_MODEL : _MODEL + 2] = _MODEL_NUMBER.to_bytes(2, "little")
            servo.table[HOMING_OFFSET : HOMING_OFFSET + 2] = unsigned(calibrated.homing_offset, 11).to_bytes(
                2, "little"
            )
            servo.table[OPERATING_MODE] = 0
            servo.table[_VOLTS], servo.table[_CELSIUS] = round(10 * volts), celsius
            servo.table[STATUS] = errors
            if wall is not None and name == JOINTS[-1]:
                servo.wall = float(calibrated.steps(wall))
            # The servo's old goal differs from its position, so that it jumps when torque is switched on first.
            servo.table[GOAL : GOAL + 2] = (STEPS // 2 + 700).to_bytes(2, "little")
            servo.move(0.0)
            self.servos[calibrated.id] = servo

    def serve(self, line: int, stop_after_s: float | None = None) -> None:
        """Answer instructions on the descriptor `line`, until the other end is closed or `stop_after_s` have passed."""
        end = None if stop_after_s is None else time.monotonic() + stop_after_s
        waiting = bytearray()
        while end is None or time.monotonic() < end:
            ready, _, _ = select.select([line], [], [], 0.005)
            self._go_on()
            if not ready:
                continue
            try:
                waiting += os.read(line, 4096)
            except OSError:  # no process has the other end open
                time.sleep(0.005)
                continue
            for answer in self._answers(waiting):
                os.write(line, answer)

    def _go_on(self) -> None:
        now = time.monotonic()
        for servo in self.servos.values():
            servo.move(now - self._clock)
        self._clock = now

    def _answers(self, waiting: bytearray) -> list[bytes]:
        """Remove complete instructions from `waiting` and return their answers."""
        answers: list[bytes] = []
        while True:
            start = waiting.find(b"\xff\xff")
            if start < 0 or len(waiting) < start + 4:
                return answers
            length = waiting[start + 3]
            end = start + 4 + length
            if len(waiting) < end:
                return answers
            packet = bytes(waiting[start + 2 : end])
            del waiting[:end]
            if ~sum(packet[:-1]) & 0xFF == packet[-1]:
                answers += self._carry_out(packet[0], packet[2], packet[3:-1])

    def _carry_out(self, servo_id: int, instruction: int, parameters: bytes) -> list[bytes]:
        if instruction == _SYNC_WRITE:
            address, length = parameters[:2]
            for at in range(2, len(parameters), 1 + length):
                servo = self.servos.get(parameters[at])
                if servo is not None:
                    servo.set(address, parameters[at + 1 : at + 1 + length])
            return []
        if instruction == _SYNC_READ:
            address, length = parameters[:2]
            return [answer for each in parameters[2:] for answer in self._report(each, address, length)]
        if servo_id not in self.servos or servo_id == _BROADCAST:
            return []
        if instruction == _READ:
            return self._report(servo_id, parameters[0], parameters[1])
        if instruction == _WRITE:
            self.servos[servo_id].set(parameters[0], parameters[1:])
        return self._answer(servo_id, b"") if instruction in (_PING, _WRITE) else []

    def _report(self, servo_id: int, address: int, length: int) -> list[bytes]:
        servo = self.servos.get(servo_id)
        return [] if servo is None else self._answer(servo_id, bytes(servo.table[address : address + length]))

    def _answer(self, servo_id: int, data: bytes) -> list[bytes]:
        body = bytes((servo_id, len(data) + 2, self.servos[servo_id].table[STATUS])) + data
        packet = bytearray(b"\xff\xff" + body + bytes((~sum(body) & 0xFF,)))
        draw = self._rng.random()
        if draw < self._lost:
            return []
        if draw < self._lost + self._torn:
            packet[int(self._rng.integers(len(packet)))] ^= 0x55
        return [bytes(packet)]


def open_line() -> tuple[int, int, str]:
    """Return the emulator's end of a new pseudo-terminal, the other end, which must stay open, and the other end's
    path."""
    own, other = os.openpty()
    tty.setraw(own)
    tty.setraw(other)
    return own, other, os.ttyname(other)


def usual_calibration() -> dict[str, Calibration]:
    """Return a calibration like that of a well-built arm."""
    offsets = (-1230, 845, 12, -77, 1999, -640)
    ranges = ((720, 3400), (800, 3300), (850, 3150), (860, 3190), (150, 3950), (2020, 3500))
    return {
        name: Calibration(number, 0, offset, *span)
        for number, (name, offset, span) in enumerate(zip(MOTORS, offsets, ranges, strict=True), start=1)
    }


def calibration_file(calibration: dict[str, Calibration]) -> bytes:
    """Return the content of a calibration file."""
    return msgspec.json.format(msgspec.json.encode(calibration), indent=4)
