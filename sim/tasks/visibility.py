"""The visible share of an object in a goal picture."""

from __future__ import annotations

import numpy as np

from robot.arm.interface import ObjectPose
from sim.world.lockstep import LockStep

FAR_BELOW = (0.0, 0.0, -5.0)


def visible_share(world: LockStep, name: str) -> float:
    """Return the visible share of the object `name`: its visible pixels divided by those visible without the arm.

    This moves the arm aside in `world`.
    """
    item = next(item for item in world.scene.objects() if item.name == name)
    arm_aside = np.asarray(world.spec.home).copy()
    arm_aside[0] += np.pi / 2
    seen = _object_pixels(world, item)
    world.scene.set_arm(arm_aside, 0.0)
    return seen / max(1, _object_pixels(world, item))


def _object_pixels(world: LockStep, item: ObjectPose) -> int:
    """Count the pixels that change when the object is taken away."""
    world.scene.place([item])
    present = world.picture()
    world.scene.place([ObjectPose(item.name, FAR_BELOW, item.orientation)])
    absent = world.picture()
    world.scene.place([item])
    return int((present != absent).any(-1).sum())
