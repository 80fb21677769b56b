"""The controller of an emulated UR: it moves the joints and runs the control program between two packets.

It simulates neither mass nor contact. The control program is not interpreted. ur_rtde's program reads commands from
input registers and answers in output registers; the emulator carries out that exchange once per 2 ms period of the
controller.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from robot.arm.interface import Vector
from robot.hardware.ur.description import UrModel

PERIOD_S = 0.002
REGISTERS = 48
ROBOT_MODES = {
    "NO_CONTROLLER": -1,
    "DISCONNECTED": 0,
    "CONFIRM_SAFETY": 1,
    "BOOTING": 2,
    "POWER_OFF": 3,
    "POWER_ON": 4,
    "IDLE": 5,
    "BACKDRIVE": 6,
    "RUNNING": 7,
}
SAFETY_MODES = {
    "NORMAL": 1,
    "REDUCED": 2,
    "PROTECTIVE_STOP": 3,
    "RECOVERY": 4,
    "SAFEGUARD_STOP": 5,
    "SYSTEM_EMERGENCY_STOP": 6,
    "ROBOT_EMERGENCY_STOP": 7,
    "VIOLATION": 8,
    "FAULT": 9,
}
JOINT_RUNNING, JOINT_FAULT = 253, 252
STOPPED, PLAYING = 1, 2
CONTROL_PROGRAM = "rtde_control"
_READY, _DONE = 1, 2
_NOTHING, _SERVO, _SERVO_STOP, _STOP_L, _STOP_J, _WATCHDOG, _STOP_SCRIPT = 0, 11, 16, 33, 34, 35, 255
_TO_START_S = 0.05
"""The time from the end of an upload until the program runs."""
_FASTEST_ACCELERATION = 40.0
_EMERGENCY = 20.0
"""rad/s²; the deceleration of a protective stop, and of a program that ends while the arm moves."""
_MOVING = 0.02


@dataclass
class UrController:
    """A controller whose joints stand at `position` (6,) rad.

    `wall` is the position (rad) at which the last joint hits an obstacle, which causes a protective stop; None for
    never. `torque_dropped` counts how often the arm was switched off; `left_moving` how often its program ended, also
    by its watchdog, while the arm moved.
    """

    model: UrModel
    position: Vector
    robot_mode: str = "RUNNING"
    safety_mode: str = "NORMAL"
    remote: bool = True
    program: str = ""
    wall: float | None = None
    seconds: float = 0.0
    joint_modes: list[int] = field(default_factory=lambda: [JOINT_RUNNING] * 6)
    torque_dropped: int = 0
    left_moving: int = 0
    velocity: Vector = field(default_factory=lambda: np.zeros(6))
    input_ints: list[int] = field(default_factory=lambda: [0] * REGISTERS)
    input_doubles: list[float] = field(default_factory=lambda: [0.0] * REGISTERS)
    output_ints: list[int] = field(default_factory=lambda: [0] * REGISTERS)
    output_doubles: list[float] = field(default_factory=lambda: [0.0] * REGISTERS)
    _target: Vector | None = None
    _lookahead: float = 0.1
    _deceleration: float = _EMERGENCY
    _executing: int = _NOTHING
    _starting: str = ""
    _starts_at: float = 0.0
    _watchdog_s: float | None = None
    _heard_at: float = 0.0

    @property
    def running(self) -> bool:
        """Whether any program runs."""
        return bool(self.program)

    @property
    def able(self) -> bool:
        """Whether a program may move the arm."""
        return self.robot_mode == "RUNNING" and self.safety_mode in ("NORMAL", "REDUCED")

    @property
    def target(self) -> Vector:
        """The set-point (6,) rad."""
        return self.position if self._target is None else self._target

    def upload(self, name: str) -> None:
        """Accept a program, which ends a running one. An arm that is not `able`, or not under remote control, ignores
        it."""
        if self.able and self.remote:
            if self.running:
                self._give_up()
            self._starting, self._starts_at = name, self.seconds + _TO_START_S

    def heard(self) -> None:
        """Note that a client wrote to the registers, for the watchdog."""
        self._heard_at = self.seconds

    def end_program(self) -> None:
        """End the running program; the arm brakes."""
        self.program = ""
        self._target, self._deceleration = None, _EMERGENCY
        self._watchdog_s, self._executing = None, _NOTHING

    def stop_protectively(self) -> None:
        """Make a protective stop, as when the arm hits an obstacle."""
        self.safety_mode = "PROTECTIVE_STOP"
        self.end_program()

    def switch_off(self) -> None:
        """Switch off the joints' power; the brakes engage."""
        self.torque_dropped += self.robot_mode == "RUNNING"
        self.robot_mode = "POWER_OFF"
        self.end_program()
        self.velocity = np.zeros(6)

    def step(self) -> None:
        """Advance by one period."""
        self.seconds += PERIOD_S
        if self._starting and self.seconds >= self._starts_at:
            self.program, self._starting = self._starting, ""
            self.output_ints[0], self._executing = _READY, _NOTHING
        if self.program == CONTROL_PROGRAM:
            self._run_program()
        before = float(self.position[-1])
        self._move()
        if self.wall is not None and before < self.wall <= self.position[-1]:
            self.stop_protectively()

    def _run_program(self) -> None:
        if self._watchdog_s is not None and self.seconds - self._heard_at > self._watchdog_s:
            self._give_up()
            return
        command = self.input_ints[0]
        if command == _SERVO:
            self._target = np.array(self.input_doubles[:6])
            self._lookahead = self.input_doubles[9]
            self.output_ints[0] = _READY
        elif command == _NOTHING:
            self._executing = _NOTHING
            self.output_ints[0] = _READY
        elif self._executing == _NOTHING:
            self._executing = command
            self._begin(command)
        elif self._still():
            self.output_ints[0] = _DONE

    def _begin(self, command: int) -> None:
        if command in (_SERVO_STOP, _STOP_L, _STOP_J):
            self._target, self._deceleration = None, self.input_doubles[0]
        elif command == _WATCHDOG:
            self._watchdog_s = 1.0 / self.input_doubles[0]
        elif command == _STOP_SCRIPT:
            self._give_up()
        else:  # a program ends at an unknown command
            self.end_program()

    def _give_up(self) -> None:
        self.left_moving += not self._still()
        self.end_program()

    def _still(self) -> bool:
        return float(np.abs(self.velocity).max()) < _MOVING

    def _move(self) -> None:
        if self._target is None:
            change = np.clip(-self.velocity, -self._deceleration * PERIOD_S, self._deceleration * PERIOD_S)
        else:
            wanted = (self._target - self.position) / self._lookahead
            speed = np.array(self.model.speed)
            change = np.clip(wanted, -speed, speed) - self.velocity
            change = np.clip(change, -_FASTEST_ACCELERATION * PERIOD_S, _FASTEST_ACCELERATION * PERIOD_S)
        self.velocity = self.velocity + change
        self.position = self.position + self.velocity * PERIOD_S
