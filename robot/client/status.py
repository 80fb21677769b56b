"""The status of a running driver, computed from the states that it publishes over a short time."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from robot.arm.interface import ArmSpec
from robot.wire.messages import JointState


@dataclass(frozen=True)
class Status:
    """A summary of consecutive states of an arm: `mode` and its `reason`, the lease `holder`, the rate of states, the
    newest state's age (s), the largest distance from a set-point (rad), the largest speed (rad/s), the largest share of
    a joint's effort limit, and the number of the governor's clamps by reason."""

    arm: str
    mode: str
    reason: str
    holder: str
    rate_hz: float
    nominal_hz: float
    age_s: float
    error: float
    speed: float
    effort: float | None
    clamps: Counter[str]
    joints: tuple[float, ...]
    gripper_width: float

    @property
    def lines(self) -> Sequence[str]:
        """The summary as text, one line per subject."""
        clamped = ", ".join(f"{name} {count} times" for name, count in sorted(self.clamps.items())) or "nothing"
        effort = "not measured" if self.effort is None else f"{100 * self.effort:.0f} % of a joint's limit"
        return (
            f"arm      {self.arm}",
            f"mode     {self.mode}{f': {self.reason}' if self.reason else ''}",
            f"lease    {self.holder or 'free'}",
            f"rate     {self.rate_hz:.1f} of {self.nominal_hz:g} states a second, newest {1e3 * self.age_s:.0f} ms old",
            f"joints   ({', '.join(f'{math.degrees(joint):.1f}' for joint in self.joints)})°, "
            f"gripper {1e3 * self.gripper_width:.1f} mm",
            f"motion   up to {math.degrees(self.speed):.1f} °/s, {math.degrees(self.error):.2f}° from its set-point",
            f"effort   {effort}",
            f"clamped  {clamped}",
        )


def status_of(spec: ArmSpec, states: Sequence[JointState]) -> Status:
    """Return the summary of `states` (at least one)."""
    newest = states[-1]
    span_s = (newest.time_ns - states[0].time_ns) * 1e-9
    measured = [state for state in states if state.measured_effort]
    return Status(
        arm=spec.name,
        mode=newest.mode,
        reason=newest.reason,
        holder=newest.holder,
        rate_hz=(len(states) - 1) / span_s if span_s > 0 else 0.0,
        nominal_hz=spec.rate_hz,
        age_s=max(0.0, (time.monotonic_ns() - newest.time_ns) * 1e-9),
        error=max(
            max(abs(set_point - joint) for set_point, joint in zip(state.governed, state.measured, strict=True))
            for state in states
        ),
        speed=max(max(map(abs, state.measured_velocity)) for state in states),
        effort=max(
            abs(effort) / limit
            for state in measured
            for effort, limit in zip(state.measured_effort, spec.effort, strict=True)
        )
        if measured and spec.effort
        else None,
        clamps=Counter(clamp for state in states for clamp in state.clamps),
        joints=newest.measured,
        gripper_width=newest.gripper_width,
    )
