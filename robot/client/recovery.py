"""Brings joints that stand outside their limits back, slowly: the way out for an arm that its driver refuses to start.

The driver runs meanwhile with limits that reach to where the arm stands, and no further, so that its governor still
guards the way.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable

import msgspec
import numpy as np

from robot.arm.interface import Arm, ArmSpec, Box, Reading, Recoverable, Vector
from robot.arm.kinematics import Kinematics
from robot.client.client import Client
from robot.client.joint_move import move_straight
from robot.errors import ConfigurationError

SPEED = 0.1
"""rad/s; the fastest that a joint is moved back, 6° a second."""
_MOTOR_SPEED = 1.5 * SPEED
_INSIDE = 0.02
"""rad; how far inside its limits a joint is brought."""
HOLDER = "recover"


class Recovery:
    """Finds which joints of `arm` stand outside their limits, and makes the arm ready to be started there: its
    specification then reaches to where it stands, at a low speed.

    `words` says what will be moved. Nothing is written to the arm. Raises `ConfigurationError` when the arm has no
    motors that may do this, or no joint stands outside, and `ArmError` as `Inspectable.inspect` does.
    """

    def __init__(self, arm: Arm) -> None:
        if not isinstance(arm, Recoverable):
            raise ConfigurationError(
                f"the arm {arm.spec.name!r} is not brought back by its driver: move it back by hand, as its maker says"
            )
        arm.allow_outside(_MOTOR_SPEED)
        try:
            found = arm.inspect()
        finally:
            arm.close()
        spec, at = arm.spec, np.array(found.positions)
        self._goal: Vector = np.clip(at, np.array(spec.lower) + _INSIDE, np.array(spec.upper) - _INSIDE)
        outside = (at < spec.lower) | (at > spec.upper)
        if not outside.any():
            raise ConfigurationError("every joint is within its limits: start the driver without --recover")
        self._goal[~outside] = at[~outside]
        self.words = ", ".join(
            f"{spec.joint_names[joint]} by {math.degrees(self._goal[joint] - at[joint]):+.1f}°"
            for joint in np.flatnonzero(outside)
        )
        arm.spec = _reaching(spec, found)

    def move(self, command_address: str, on_wait: Callable[[float], None] | None = None) -> None:
        """Bring the joints back, through the driver at `command_address`. Raises the errors of `Client` and of
        `move_straight`."""
        with Client(command_address) as client:
            move_straight(client, self._goal, 1.0, "its limits", HOLDER, on_wait)


def _reaching(spec: ArmSpec, found: Reading) -> ArmSpec:
    """Return `spec` with limits and a workspace that reach to where the arm was `found`, and with a low speed."""
    tool = Kinematics(spec).position(np.array(found.positions))
    return msgspec.structs.replace(
        spec,
        lower=tuple(map(min, spec.lower, found.positions)),
        upper=tuple(map(max, spec.upper, found.positions)),
        velocity=tuple(min(most, SPEED) for most in spec.velocity),
        workspace=Box(
            tuple(np.minimum(spec.workspace.lower, tool).tolist()),
            tuple(np.maximum(spec.workspace.upper, tool).tolist()),
        ),
    )


class RecoveryThread:
    """Carries out `recovery` in a thread of its own, beside the driver of the arm."""

    def __init__(self, recovery: Recovery) -> None:
        self._recovery = recovery
        self._error: Exception | None = None
        self._thread: threading.Thread | None = None

    def begin(self, command_address: str, ended: Callable[[], None]) -> None:
        """Say what moves, and move it by the driver at `command_address`; then call `ended`."""

        def move() -> None:
            try:
                self._recovery.move(command_address)
                print("recover: every joint is within its limits; start the driver again without --recover", flush=True)
            except Exception as error:  # noqa: BLE001 - raised again in the main thread
                self._error = error
            ended()

        print(
            f"recover: moving {self._recovery.words}, with up to {math.degrees(SPEED):.0f} °/s; Ctrl-C stops it",
            flush=True,
        )
        self._thread = threading.Thread(target=move, name="recover", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Do nothing: without its driver the recovery ends by itself."""

    def require_done(self) -> None:
        """Raise the error that kept the arm from coming back, if there was one."""
        if self._thread is not None:
            self._thread.join()
        if self._error is not None:
            raise self._error
