"""Measures the latency of a decision from camera to motion, stage by stage, from the messages of agent and driver."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from robot.wire.messages import DecisionReport, JointState

STAGES = (
    ("capture → received", "from the camera to the agent"),
    ("received → decided", "encoding, imagining, planning"),
    ("decided → accepted", "to the driver and its answer"),
    ("accepted → set-point", "until the arm is commanded"),
    ("capture → set-point", "the whole chain"),
)


@dataclass(frozen=True)
class Chain:
    """The times of one decision, monotonic ns on one clock, in the order of the stages."""

    captured_ns: int
    received_ns: int
    decided_ns: int
    accepted_ns: int
    set_point_ns: int

    @property
    def stages_ms(self) -> tuple[float, ...]:
        """The duration of each of `STAGES`, in ms. The set-point may be written before the driver's answer is read."""
        times = (self.captured_ns, self.received_ns, self.decided_ns, self.accepted_ns, self.set_point_ns)
        steps = [1e-6 * (after - before) for before, after in pairwise(times)]
        return (*steps, 1e-6 * (self.set_point_ns - self.captured_ns))


class ChainMatcher:
    """Finds the first set-point that follows each sent decision; keeps the last `keep` of all `matched` chains."""

    def __init__(self, keep: int = 1000) -> None:
        self.matched = 0
        self.chains: deque[Chain] = deque(maxlen=keep)
        self._ticks: dict[int, int] = {}
        self._waiting: deque[DecisionReport] = deque(maxlen=64)

    def take(self, states: Iterable[JointState], decisions: Iterable[DecisionReport]) -> None:
        """Process the messages that have come since the last call."""
        for state in states:
            self._ticks[state.tick] = state.set_point_ns
        if len(self._ticks) > 4096:  # several seconds of ticks: no decision refers to older ones
            for tick in sorted(self._ticks)[:-2048]:
                del self._ticks[tick]
        self._waiting.extend(decision for decision in decisions if decision.tick)
        for _ in range(len(self._waiting)):
            decision = self._waiting.popleft()
            set_point_ns = self._ticks.get(decision.tick)
            if set_point_ns is not None:
                times = (decision.captured_ns, decision.received_ns, decision.decided_ns, decision.accepted_ns)
                self.chains.append(Chain(*times, set_point_ns))
                self.matched += 1
            elif not self._ticks or decision.tick > min(self._ticks):
                self._waiting.append(decision)  # its state has not come yet


def table(chains: Sequence[Chain]) -> list[str]:
    """Return the p50 and p99 of every stage over `chains` (at least one), one line per stage."""
    stages = np.array([chain.stages_ms for chain in chains])
    median, high = np.percentile(stages, (50, 99), axis=0)
    lines = [f"{'':<22}{'p50':>11}{'p99':>11}"]
    for number, (name, what) in enumerate(STAGES):
        lines.append(f"{name:<22}{median[number]:>8.2f} ms{high[number]:>8.2f} ms   {what}")
    return lines
