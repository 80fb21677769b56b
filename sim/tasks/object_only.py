"""Goals that ask for one object only: the picture shows the arm and all other objects somewhere else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from robot.arm.interface import ObjectPose
from sim.policies.interface import standing
from sim.policies.tabletop_starts import SPECS, free_place, random_tool
from sim.tasks.environments import TABLETOP_PLAY
from sim.tasks.goal_maker import REACH_AT_LEAST_M, REARRANGED_AT_LEAST_M, VISIBLE_AT_LEAST
from sim.tasks.task import Goal
from sim.tasks.visibility import visible_share
from sim.world.lockstep import LockStep
from sim.world.scene import present

ATTEMPTS = 20


def object_only(world: LockStep, rng: np.random.Generator, goal: Goal, name: str) -> Goal | None:
    """Return `goal` with only the object `name` counting, shown by another picture, in which the arm and all other
    objects are somewhere else; None when no such picture was found. This resets `world`."""
    wanted = next(item for item in goal.objects if item.name == name)
    others = [item for item in goal.objects if item.name != name]
    convention = TABLETOP_PLAY.convention
    for _ in range(ATTEMPTS):
        placed = [wanted]
        for item in others:
            place = (*free_place(rng, placed), SPECS[item.name].rest_height)
            placed.append(standing(item.name, place, rng.uniform(-np.pi, np.pi)))
        tool = random_tool(rng, convention, placed)
        arm_moved = np.linalg.norm(np.asarray(tool.position) - goal.tool) > REACH_AT_LEAST_M
        if not arm_moved or not all(_moved(item, placed) for item in others):
            continue
        world.reset(convention, tool, placed)
        seen = world.observe()
        objects = tuple(item for item in world.scene.objects() if present(item))
        if visible_share(world, name) >= VISIBLE_AT_LEAST:
            picture = seen.picture(world.camera.name)
            return replace(goal, pictures=(picture,), tool=seen.state[:3], objects=objects, only=(name,))
    return None


def _moved(item: ObjectPose, placed: list[ObjectPose]) -> bool:
    """Return whether an object stands at another place than before among those that were `placed`."""
    now = next(each for each in placed if each.name == item.name)
    return float(np.linalg.norm(np.subtract(now.position[:2], item.position[:2]))) >= REARRANGED_AT_LEAST_M
