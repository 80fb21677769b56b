"""Goals of the environment push: a new position of the cube or of the tool."""

from __future__ import annotations

import numpy as np

from sim.policies.push import TABLE_LOWER, TABLE_UPPER, PushPolicy, random_start
from sim.tasks.environments import PUSH
from sim.tasks.task import Goal
from sim.tasks.visibility import visible_share
from sim.world.block_runner import BlockRunner
from sim.world.lockstep import LockStep

PUSH_AT_LEAST_M = 0.08
REACH_AT_LEAST_M = 0.08
MARGIN_M = 0.01
# The tool is in view up to this far outside the part of the table where play begins.
IN_VIEW_M = 0.03
# A picture that hides the object does not show its goal position.
VISIBLE_AT_LEAST = 0.5
GOAL_BLOCKS = 40
BUDGET_BLOCKS = 40


def push_goal(world: LockStep, rng: np.random.Generator, number: int) -> Goal | None:
    """Play until the cube has been moved far enough and lies in view; the goal is a frame several blocks later."""
    convention = PUSH.convention
    start = random_start(rng, convention)
    policy = PushPolicy(rng, convention)
    runner = BlockRunner(world, convention)
    runner.reset(start.tool, start.objects)
    origin = np.asarray(start.objects[0].position[:2])
    for _ in range(GOAL_BLOCKS):
        objects = world.scene.objects()
        centre = np.asarray(objects[0].position[:2])
        moved = float(np.linalg.norm(centre - origin))
        inside = bool((centre > TABLE_LOWER).all() and (centre < TABLE_UPPER).all())
        if inside and moved >= PUSH_AT_LEAST_M + MARGIN_M and rng.random() < 0.15:
            seen = world.observe()
            picture, tool = seen.picture(world.camera.name), seen.state[:3]
            goal = Goal("push", number, start, (picture,), tool, objects, BUDGET_BLOCKS, world.appearance)
            return goal if visible_share(world, objects[0].name) >= VISIBLE_AT_LEAST else None
        runner.run_block(policy.act(runner.target, objects))
    return None


def reach_goal(world: LockStep, rng: np.random.Generator, number: int) -> Goal | None:
    """Return a goal with the tool at another position in view, and the cube unmoved and clear of both positions."""
    convention = PUSH.convention
    start = random_start(rng, convention)
    other = random_start(rng, convention).tool
    place = np.asarray(other.position)
    shown = bool((place[:2] > TABLE_LOWER - IN_VIEW_M).all() and (place[:2] < TABLE_UPPER + IN_VIEW_M).all())
    clear = float(np.linalg.norm(place[:2] - np.asarray(start.objects[0].position[:2]))) > PUSH_AT_LEAST_M
    way = float(np.linalg.norm(place - np.asarray(start.tool.position)))
    if not shown or not clear or way < REACH_AT_LEAST_M + MARGIN_M:
        return None
    world.reset(convention, other, start.objects)
    seen = world.observe()
    picture, objects = seen.picture(world.camera.name), world.scene.objects()
    return Goal("reach", number, start, (picture,), seen.state[:3], objects, BUDGET_BLOCKS, world.appearance)
