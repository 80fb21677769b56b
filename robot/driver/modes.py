"""What the driver is doing, as one small state machine whose legal moves stand in one table.

idle: at rest, no one has the lease. active: someone has it. holding: the lease lapsed or was given back; the arm
ramps to rest and stays there. stopped: someone called stop; latched until a reset. fault: the arm itself cannot go
on; a reset starts it anew.
"""

from __future__ import annotations

from enum import Enum


class Mode(str, Enum):
    """The driver's mode; its value is what `JointState.mode` carries."""

    IDLE = "idle"
    ACTIVE = "active"
    HOLDING = "holding"
    STOPPED = "stopped"
    FAULT = "fault"


LEGAL: dict[Mode, frozenset[Mode]] = {
    Mode.IDLE: frozenset({Mode.ACTIVE, Mode.STOPPED, Mode.FAULT}),
    Mode.ACTIVE: frozenset({Mode.HOLDING, Mode.STOPPED, Mode.FAULT}),
    Mode.HOLDING: frozenset({Mode.ACTIVE, Mode.STOPPED, Mode.FAULT}),
    Mode.STOPPED: frozenset({Mode.IDLE, Mode.FAULT}),
    Mode.FAULT: frozenset({Mode.IDLE}),
}


class IllegalTransition(RuntimeError):
    """The driver's own code asked for a move that `LEGAL` does not have; a defect, never a user's mistake."""


class ModeMachine:
    """The current mode and, in plain words, why: `mode` and `reason`; starts idle, with no reason."""

    def __init__(self) -> None:
        self.mode = Mode.IDLE
        self.reason = ""

    def to(self, mode: Mode, reason: str) -> None:
        """Move to `mode` because of `reason`. Raises `IllegalTransition`."""
        if mode not in LEGAL[self.mode]:
            raise IllegalTransition(f"no way from {self.mode.value} to {mode.value} ({reason or 'no reason given'})")
        self.mode = mode
        self.reason = reason
