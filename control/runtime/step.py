"""What a session reports to its observers: each step with its decision, and the outcome of the run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from control.decision import Decision
from control.goals.goal_sequence import SubgoalResult
from perception.camera.interface import Image
from perception.camera.subscriber import ReceivedFrame
from robot.arm.interface import Vector
from robot.wire.entity_mark import EntityMark

Status = Literal["sent", "late", "missed", "reached", "last"]


@dataclass(frozen=True)
class Step:
    """One decision and its result. Times in ns are monotonic.

    `block`: the number of the block, from 0. `begins_ns`: its start.
    `frame`, `state`: the picture and the state (P,) that the decider saw.
    `goal`: the final goal picture (H, W, 3) uint8 RGB.
    `status`: "sent": in time; "late": sent, but too late for a smooth start; "missed": too late, so the arm holds;
    "reached": the goal is reached; "last": the last block of the budget, after which nothing is sent.
    `command_ms`: the time from the picture's capture to the driver's answer, or to the decision if nothing was sent.
    `received_ns`, `decided_ns`: when the picture arrived, and when it was decided on.
    `accepted_ns`: when the driver answered (0: none sent).
    `tick`: the driver's first tick that follows this command (0: none sent).
    `imagined`: the plan's end as a picture (H, W, 3) uint8 RGB; None for deciders that imagine or draw none.
    `entities`: where the decider sees things; empty for deciders that see none apart.
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
    entities: tuple[EntityMark, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """How a run ended: whether the decider reports that the goal is `reached`; the `reason` in words; the numbers of
    `decisions`, and of `late` and `missed` ones; the times in ms, one for each decision; the `first`, the `last` and
    the last `imagined` picture, (H, W, 3) uint8 RGB; the results of the finished sub-goals; how often the driver was
    `held_up` and dropped the plan; and the `entities` of the last decision."""

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
    held_up: int = 0
    entities: tuple[EntityMark, ...] = ()


class StepObserver(Protocol):
    """Watches a session. It may come from outside this package.

    The session calls each observer from a thread of its own, one call at a time and in order, so that a slow one delays
    neither the arm nor the other observers. Work that keeps the interpreter busy belongs in a process of its own. An
    exception ends the run: the arm comes to rest, the observer is not called again, and `Session.pursue` raises it.
    """

    def on_episode_start(self, goals: Sequence[Image]) -> None:
        """Called with the goal pictures (H, W, 3) uint8 RGB when the session holds the lease, before anything moves."""

    def on_step(self, step: Step) -> None:
        """Called after each decision, when its command has been sent."""

    def on_episode_end(self, outcome: Outcome | None) -> None:
        """Called when the lease has been given back; `outcome` is None if an error ended the run."""
