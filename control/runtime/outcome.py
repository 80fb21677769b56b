"""How a run ended, in words and in figures, from its steps."""

from __future__ import annotations

from collections.abc import Sequence

from control.runtime.step import Outcome, Step
from perception.camera.interface import Image


def outcome_of(steps: Sequence[Step], last: Image, blocks: int | None, unknown: str = "", held_up: int = 0) -> Outcome:
    """Return how the run of these `steps` ended. `unknown` says in what way the `last` picture is, if at all; the
    driver was `held_up` that often."""
    end = steps[-1]
    late = sum(step.status == "late" for step in steps)
    missed = sum(step.status == "missed" for step in steps)
    reached = end.status == "reached"
    if reached:
        reason = "the world looks like the goal"
        if len(steps) == 1:
            reason += " already, so nothing was moved"
    else:
        reason = (
            f"{blocks} blocks are over, and the critic's distance to the goal is {end.decision.distance:.1f} blocks"
        )
        if end.decision.out_of_place:
            reason += f"; not in place: {', '.join(end.decision.out_of_place)}"
        if missed > len(steps) // 4:
            reason += (
                f"; {missed} of {len(steps)} decisions came too late: the machine is too busy, or the camera too slow"
            )
        if unknown:
            reason += f"; the camera's last picture looks like nothing that this model knows: {unknown}"
    return Outcome(
        reached=reached,
        reason=reason,
        decisions=len(steps),
        late=late,
        missed=missed,
        decision_ms=tuple(1e3 * step.decision.seconds for step in steps),
        command_ms=tuple(step.command_ms for step in steps),
        first=steps[0].frame.image,
        last=last,
        imagined=end.imagined,
        finished_subgoals=end.decision.finished_subgoals,
        held_up=held_up,
        entities=end.entities,
    )
