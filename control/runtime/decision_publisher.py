"""Publishes the agent's decisions, so that viewers and recorders need neither torch nor a place in the agent's code."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType

from control.runtime.step import Outcome, Step
from perception.camera.interface import Image
from robot.wire import topics
from robot.wire.addresses import DECISIONS
from robot.wire.messages import DecisionReport, encode
from robot.wire.publisher import Publisher

# A viewer that does not keep up misses decisions; it never makes the agent wait.
_QUEUE = 8
_PATIENCE_S = 0.1


class DecisionPublisher:
    """A step observer that binds `address` and publishes each decision on the topic `decision`. `endpoint` is the
    address actually bound.

    Raises what `Publisher` raises.
    """

    def __init__(self, address: str = DECISIONS) -> None:
        self._sent = 0
        self._publisher = Publisher(address, _QUEUE)
        self.endpoint = self._publisher.endpoint

    def on_episode_start(self, goals: Sequence[Image]) -> None:
        """Do nothing: only steps are published."""

    def on_step(self, step: Step) -> None:
        """Send the decision to all subscribers, without waiting for any."""
        self._sent += 1
        self._publisher.send(topics.DECISION, encode(_report(step), self._sent, time.monotonic_ns()), _PATIENCE_S)

    def on_episode_end(self, outcome: Outcome | None) -> None:
        """Do nothing: only steps are published."""

    def close(self) -> None:
        """Unbind."""
        self._publisher.close()

    def __enter__(self) -> DecisionPublisher:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _report(step: Step) -> DecisionReport:
    """Return the message for the decision of `step`."""
    decision = step.decision
    return DecisionReport(
        time_ns=time.monotonic_ns(),
        decision=step.block,
        frame_index=step.frame.index,
        status=step.status,
        distance=decision.distance,
        subgoals_ahead=decision.remaining_subgoals,
        cost=decision.cost,
        action=tuple(decision.action.tolist()),
        plan_ms=1e3 * decision.seconds,
        capture_to_command_ms=step.command_ms,
        captured_ns=step.frame.time_ns,
        received_ns=step.received_ns,
        decided_ns=step.decided_ns,
        accepted_ns=step.accepted_ns,
        tick=step.tick,
        shape=(step.goal.shape[0], step.goal.shape[1], 3),
        goal=step.goal.tobytes(),
        imagined=b"" if step.imagined is None else step.imagined.tobytes(),
        camera=step.frame.camera.name,
        entities=step.entities,
    )
