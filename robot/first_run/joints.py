"""The checks of one joint: that it is the one that turns, the right way round, as far as it should, over its range."""

from __future__ import annotations

import math

import numpy as np

from robot.arm.interface import Vector
from robot.client.client import Client
from robot.client.joint_move import Places, straight_s
from robot.driver.modes import Mode
from robot.first_run.motion import STOPPED, Moved, move
from robot.first_run.operator import ENTER, Operator
from robot.first_run.report import Outcome
from robot.first_run.wording import tool_way, way_round

STEP = 0.12
"""The largest turn that a direction is checked with, rad."""
_STEP_M = 0.05
"""The largest way of the tool that a direction is checked with, m."""
FARTHEST = 0.5 * math.pi
"""How far from where it stands a joint is turned to check its range, rad."""
_STILL = 0.15
_SHORT, _LONG = 0.6, 1.4
"""Shares of the commanded turn: what turns less stands still; between the last two it turns as commanded."""
_PACE = math.radians(2.0)
_MARGIN = 0.02
"""How far before its limit a joint is turned at most, rad."""
_GOES = {ENTER: "starts it; any key stops it"}
_SKIP = {"s": "leaves it out"}
_TOO_WIDE = "its range in the calibration or specification is wider than it can turn, or something is in the way"
_SAW = {"y": "yes", "r": "the other way round", "o": "another joint turned", "n": "nothing turned"}
WRONG_ANSWERS = {
    "r": "it turned the other way round, and its encoder too: its direction (drive_mode) is wrong in the calibration",
    "o": "another joint turned, and its encoder answers for this one: two servos have each other's id or plug",
    "n": "the person saw nothing turn, although the encoder did: its gear or its horn is broken, or it is another arm",
}


class JointChecks:
    """Checks the joints of the arm of `client`, which `operator` watches; the caller closes both."""

    def __init__(self, client: Client, operator: Operator) -> None:
        self._client, self._operator = client, operator
        self._spec = client.arm
        self._places = Places(self._spec)

    def direction(self, joint: int) -> Outcome:
        """Turn joint number `joint` a little and back: first its encoder has to agree, then the person."""
        name = self._spec.joint_names[joint]
        here = np.array(self._client.state().measured)
        by = self.free_step(here, joint)
        if not by:
            return Outcome("direction", "failed", "it has no room on either side: bring it to its middle by hand", name)
        turn = self._alone(joint, by)
        degrees, kinematics = f"{np.degrees(by):+.0f}°", self._places.kinematics
        expected = (
            f"{way_round(kinematics, here, joint, by)}; {tool_way(kinematics, here, here + turn)}, then everything back"
        )
        self._operator.ask(f"{name} (joint {joint + 1} of {self._spec.dof}) turns {degrees}: {expected}.", _GOES)
        there = move(self._client, self._operator, turn, None)
        if wrong := self.what_is_wrong(joint, by, there):
            return Outcome("direction", "failed", wrong, name)
        saw = self._operator.ask(f"Did {name}, and no other joint, turn so?", _SAW)
        if saw != "y":
            return Outcome("direction", "failed", WRONG_ANSWERS[saw], name)
        back = move(self._client, self._operator, -turn, None)
        if wrong := self.what_is_wrong(joint, -by, back):
            return Outcome("direction", "failed", wrong, name)
        return Outcome("direction", "passed", f"turned {degrees} and back as its encoder and the person say", name)

    def range(self, joint: int, upper: bool) -> Outcome:
        """Turn joint number `joint` to an end of its range, or to what is in the way before, and back. A joint whose
        mechanical stop comes before the end of its calibrated range stops there."""
        name, check = self._spec.joint_names[joint], f"{'upper' if upper else 'lower'} end of its range"
        here = np.array(self._client.state().measured)
        by = self.free_way(here, joint, FARTHEST if upper else -FARTHEST)
        if abs(by) < STEP:
            return Outcome(check, "skipped", "there is no room to turn that way from where the arm stands", name)
        turn = self._alone(joint, by)
        seconds = straight_s(self._spec, here, here + turn, 1.0)
        question = f"{name} turns {np.degrees(by):+.0f}° in {seconds:.0f} s, towards the {check}, and back."
        if self._operator.ask(question, {**_GOES, **_SKIP}) == "s":
            return Outcome(check, "skipped", "left out by the person", name)
        there = move(self._client, self._operator, turn, None)
        if there.ended == STOPPED:
            return Outcome(check, "skipped", STOPPED, name)
        if wrong := self.what_is_wrong(joint, by, there, slack=0.1):
            return Outcome(check, "failed", wrong, name)
        back = move(self._client, self._operator, np.array(there.before.measured) - there.after.measured, None)
        if back.ended and back.ended != STOPPED:
            return Outcome(check, "failed", f"on the way back: {back.ended}", name)
        return Outcome(check, "passed", f"turned {np.degrees(by):+.0f}° freely", name)

    def what_is_wrong(self, joint: int, by: float, moved: Moved, slack: float = 0.0) -> str:
        """Return what is wrong after joint number `joint` was commanded to turn by `by` rad, empty when it turned so.
        A `slack` above 0 demands that it arrived to within `slack` rad."""
        if moved.ended == STOPPED:
            return "stopped by a key before it was checked"
        fault = moved.after.mode == Mode.FAULT.value
        if moved.ended and not fault:
            return f"it could not be moved as commanded: {moved.ended}"
        wrong = self._misled(joint, by, moved, slack)
        return f"{wrong or 'the arm is in a fault'} ({moved.after.reason})" if fault else wrong

    def _misled(self, joint: int, by: float, moved: Moved, slack: float) -> str:
        """Return what the encoders show to be wrong, as `what_is_wrong` does."""
        names, turned = self._spec.joint_names, moved.joints
        own, least = turned[joint] / by, min(abs(by), STEP)
        degrees = f"{np.degrees(turned[joint]):+.0f}°"
        other = max((each for each in range(len(turned)) if each != joint), key=lambda each: abs(turned[each]))
        astray = abs(turned[other]) > _SHORT * least
        if astray and abs(own) < _SHORT:
            return f"{names[other]} turned in its place: their servos have each other's id, plug or place in the wiring"
        if astray:
            return f"{names[other]} turned with it, by {np.degrees(turned[other]):+.0f}°"
        if abs(turned[joint]) < _STILL * least:
            return "it did not turn: its servo is dead, unpowered or blocked"
        if own < 0.0:
            return "its encoder turned the other way round than commanded: its direction is inverted"
        if abs(by) - abs(turned[joint]) > slack if slack else own < _SHORT:
            end = np.degrees(moved.after.measured[joint])
            return f"it stopped at {end:.0f}°, after {degrees} of {np.degrees(by):+.0f}°: {_TOO_WIDE}"
        if own > _LONG:
            return f"it turned {degrees} where {np.degrees(by):+.0f}° was commanded"
        return ""

    def free_step(self, here: Vector, joint: int) -> float:
        """Return by how much (rad) joint number `joint` may turn to check its direction; 0.0 without room."""
        reach = float(np.linalg.norm(self._places.kinematics.jacobian(here)[:3, joint]))
        step = min(STEP, _STEP_M / max(reach, 1e-6))
        return next((by for by in (step, -step) if self.free_way(here, joint, by) == by), 0.0)

    def free_way(self, here: Vector, joint: int, by: float) -> float:
        """Return how much of the turn `by` (rad) joint number `joint` may make from `here` (n,) rad until a little
        before its limit or an obstacle."""
        sign = float(np.sign(by))
        limit = self._spec.upper[joint] if sign > 0 else self._spec.lower[joint]
        most = min(abs(by), max(0.0, sign * (limit - float(here[joint])) - _MARGIN))
        free = 0.0
        for part in np.linspace(0.0, most, max(2, math.ceil(most / _PACE) + 1))[1:]:
            if self._places.forbidden(here + self._alone(joint, sign * float(part))):
                break
            free = float(part)
        return sign * free

    def _alone(self, joint: int, by: float) -> Vector:
        turn = np.zeros(self._spec.dof)
        turn[joint] = by
        return turn
