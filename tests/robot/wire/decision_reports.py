"""A decision as an agent reports it, for tests of what receives it."""

from __future__ import annotations

import time

import numpy as np

from robot.wire.entity_mark import EntityMark
from robot.wire.messages import DecisionReport

SHAPE = (16, 16, 3)


def report(decision: int, shape: tuple[int, int, int] = SHAPE, entities: tuple[EntityMark, ...] = ()) -> DecisionReport:
    """The report of a `decision` whose pictures, of 16 × 16 pixels, have the level of its number."""
    picture = bytes(np.full(SHAPE, decision % 256, np.uint8).tobytes())
    return DecisionReport(
        time_ns=time.monotonic_ns(),
        decision=decision,
        frame_index=decision,
        status="moving",
        distance=12.5 - decision,
        subgoals_ahead=1,
        cost=0.0,
        action=(0.0,),
        plan_ms=21.0,
        capture_to_command_ms=44.0,
        captured_ns=0,
        received_ns=0,
        decided_ns=time.monotonic_ns(),
        accepted_ns=0,
        tick=0,
        shape=shape,
        goal=picture,
        imagined=picture,
        camera="front",
        entities=entities,
    )
