"""What a session reports: each decision with what came of it, how a goal ended, and to which observers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from control.decision import Decision
from control.goals.goal_sequence import SubgoalResult
from perception.camera.interface import Image
from perception.camera.subscriber import ReceivedFrame
from robot.arm.interface import Vector

Status = Literal["sent", "late", "missed", "reached", "last"]


@dataclass(frozen=True)
class Step:
    """One decision and what came of it.

    `block` counts from 0 and began at the monotonic `begins_ns`; `frame` and `state` (P,) are what the decider saw;
    `goal` and `imagined` (H, W, 3) uint8 RGB (None for methods that do not imagine). `status`: "sent", in time; "late",
    sent all the same; "missed", too late to send, so the arm holds; "reached"; or "last", the budget's last, which is
    not sent. `command_ms` is the time from the picture's capture to the driver's answer, or to the decision where
    nothing was sent; `received_ns`, `decided_ns` and `accepted_ns` are when the picture was here, was decided on, and
    the driver had answered, and `tick` its tick whose set-point is the first that follows (0 where nothing was sent).
    """

    block: int
    begins_ns: int
    frame: ReceivedFrame
    state: Vector
    goal: Image
    decision: Decision
    status: Status
    command_ms: float
    received_ns: int
    decided_ns: int
    accepted_ns: int
    tick: int
    imagined: Image | None


@dataclass(frozen=True)
class Outcome:
    """How a goal ended: whether the decider says that it is reached, the `reason` in words, the `first` and `last`
    picture and the last `imagined` one, (H, W, 3) uint8 RGB; times in ms, one a decision; `legs` says what came of the
    sub-goals."""

    reached: bool
    reason: str
    decisions: int
    late: int
    missed: int
    decision_ms: tuple[float, ...]
    command_ms: tuple[float, ...]
    first: Image
    last: Image
    imagined: Image | None
    finished_subgoals: tuple[SubgoalResult, ...] = ()


class StepObserver(Protocol):
    """Watches a session. It may come from outside this package.

    The session calls each observer from a thread of its own, one call at a time and in order, so that a slow one delays
    neither the arm nor the other observers. Work that keeps the interpreter busy belongs in a process of its own. An
    exception ends the run: the arm comes to rest, the observer is called no more, and `Session.pursue` raises it.
    """

    def on_episode_start(self, goals: Sequence[Image]) -> None:
        """Called with the goal pictures (H, W, 3) uint8 RGB once the session holds the lease, before anything moves."""

    def on_step(self, step: Step) -> None:
        """Called after each decision, once its command is out."""

    def on_episode_end(self, outcome: Outcome | None) -> None:
        """Called once the arm has been given back; `outcome` is None where an error ended the run."""
