"""The driver's mode, as a state machine whose legal transitions stand in one table.

idle: at rest, the lease is free. active: a client holds the lease. holding: the lease lapsed or was given back; the arm
ramps to rest and stays there. stopped: stop was called; latched until a reset. fault: the arm cannot continue; a reset
restarts it.
"""

from __future__ import annotations

from enum import Enum


class Mode(str, Enum):
    """The driver's mode; `JointState.mode` carries its value."""

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
    """The driver's code requested a transition that `LEGAL` does not have; a defect, never a user's mistake."""


class ModeMachine:
    """The current `mode` and its `reason` in plain words; starts idle, with no reason."""

    def __init__(self) -> None:
        self.mode = Mode.IDLE
        self.reason = ""

    def to(self, mode: Mode, reason: str) -> None:
        """Change to `mode` because of `reason`. Raises `IllegalTransition`."""
        if mode not in LEGAL[self.mode]:
            raise IllegalTransition(f"no transition from {self.mode.value} to {mode.value} ({reason or 'no reason'})")
        self.mode = mode
        self.reason = reason
