"""Starts on the tabletop: which objects are there, where they stand or lie, and where the tool is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from robot.arm.interface import ObjectPose, Vector
from robot.embodiment.tool_displacement import ToolDisplacement, ToolTarget
from sim.policies.interface import Start, standing
from sim.world.scene import DISTRACTORS, EXTRA_GRASPABLE, GRASPABLE

SPECS = {thing.name: thing for thing in (*GRASPABLE, *DISTRACTORS, *EXTRA_GRASPABLE)}
TABLE_LOWER = np.array([0.42, -0.15])
TABLE_UPPER = np.array([0.60, 0.15])
COUNT_SHARES = (0.30, 0.40, 0.30)
"""The shares of episodes with one, two and three objects on the table."""
APART_M = 0.085
PLACE_ATTEMPTS = 200
CLEAR_M = 0.09
CLEAR_HEIGHT_M = 0.11
TOWER_SHARE = 0.08
LYING_SHARE = 0.15
"""The share of cylinders that lie at the start of play. One that tipped over would else be rare in the data, and stay
where it fell."""
MOVED_SHARE = 0.85
ABOVE_SHARE = 0.7


def random_start(rng: np.random.Generator, convention: ToolDisplacement, count: int | None = None) -> Start:
    """Return a start with `count` objects on the table, sometimes stacked, and a random tool clear of them. There are
    one to three objects without a `count`; more than play has include those of `EXTRA_GRASPABLE`."""
    kinds = GRASPABLE if count is None or count <= len(GRASPABLE) else (*GRASPABLE, *EXTRA_GRASPABLE)
    order = rng.permutation([thing.name for thing in kinds])
    names = order[: rng.choice((1, 2, 3), p=COUNT_SHARES) if count is None else count]
    objects: list[ObjectPose] = []
    for name in names.tolist():
        spec, yaw = SPECS[name], rng.uniform(-np.pi, np.pi)
        if objects and rng.random() < TOWER_SHARE:
            below = objects[-1]
            height = below.position[2] + SPECS[below.name].rest_height + spec.rest_height
            objects.append(standing(name, (*below.position[:2], height), yaw))
        else:
            objects.append(standing(name, (*free_place(rng, objects), spec.rest_height), yaw))
    return Start(random_tool(rng, convention, objects), tuple(objects))


def start_of_play(rng: np.random.Generator, convention: ToolDisplacement) -> Start:
    """Return a start as `random_start` does, with some of the cylinders lying on the table."""
    start = random_start(rng, convention)
    return Start(start.tool, tuple(_perhaps_lying(rng, item) for item in start.objects))


def _perhaps_lying(rng: np.random.Generator, item: ObjectPose) -> ObjectPose:
    """Return `item`, or, if it is a cylinder that stands on the table, sometimes the same one lying."""
    spec, (x, y, z) = SPECS[item.name], item.position
    if spec.shape != "cylinder" or z > spec.rest_height or rng.random() >= LYING_SHARE:
        return item
    half = rng.uniform(-np.pi, np.pi) / 2
    # A quarter turn about y, then a turn about the vertical.
    turn = np.array([-np.sin(half), np.cos(half), np.sin(half), np.cos(half)]) * np.sqrt(0.5)
    return ObjectPose(item.name, (x, y, spec.size[0] / 2), tuple(turn.tolist()))


def random_tool(rng: np.random.Generator, convention: ToolDisplacement, objects: Sequence[ObjectPose]) -> ToolTarget:
    """Return a random tool, open or closed, clear of the `objects`."""
    place = _clear_place(rng, convention, objects)
    yaw = float(np.clip(rng.normal(0.0, 0.5), *convention.turn_bounds))
    return ToolTarget(place, yaw, convention.opening_m if rng.random() < 0.6 else 0.0)


def rearranged(rng: np.random.Generator, convention: ToolDisplacement, objects: Sequence[ObjectPose]) -> Start:
    """Return a start with the same `objects`. Mostly one of them is at a new place on the table, with the open gripper
    just above it or elsewhere."""
    there = list(objects)
    which = int(rng.integers(len(there)))
    if rng.random() < MOVED_SHARE:
        name = there[which].name
        others = [item for item in there if item.name != name]
        place = (*free_place(rng, others), SPECS[name].rest_height)
        there[which] = standing(name, place, rng.uniform(-np.pi, np.pi))
    lower, upper = np.asarray(convention.bounds.lower), np.asarray(convention.bounds.upper)
    if rng.random() < ABOVE_SHARE:
        above = np.asarray(there[which].position) + np.array([*rng.normal(0.0, 0.02, 2), rng.uniform(0.06, 0.14)])
        place_of_tool = np.clip(above, lower, upper)
    else:
        place_of_tool = _clear_place(rng, convention, there)
    yaw = float(np.clip(rng.normal(0.0, 0.4), *convention.turn_bounds))
    return Start(ToolTarget(place_of_tool, yaw, convention.opening_m), tuple(there))


def _clear_place(rng: np.random.Generator, convention: ToolDisplacement, objects: Sequence[ObjectPose]) -> Vector:
    """Return a position (3,) m for the tool, more often low than high, clear of the `objects`."""
    lower, upper = np.asarray(convention.bounds.lower), np.asarray(convention.bounds.upper)
    while True:
        place: Vector = lower + (upper - lower) * np.array([*rng.random(2), rng.random() ** 2])
        clear = all(np.linalg.norm(place[:2] - np.asarray(item.position[:2])) > CLEAR_M for item in objects)
        if clear or place[2] > CLEAR_HEIGHT_M + 0.03 * len(objects):
            return place


def free_place(rng: np.random.Generator, others: Sequence[ObjectPose]) -> Vector:
    """Return a position (2,) m on the table that keeps `APART_M` from `others`; where there is none, the position
    furthest from them."""
    best, most = np.zeros(2), -1.0
    for _ in range(PLACE_ATTEMPTS):
        place = rng.uniform(TABLE_LOWER, TABLE_UPPER)
        room = min((float(np.linalg.norm(place - item.position[:2])) for item in others), default=np.inf)
        if room > APART_M:
            return place
        if room > most:
            best, most = place, room
    return best
