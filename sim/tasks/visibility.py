"""How much of an object a goal picture shows."""

from __future__ import annotations

import numpy as np

from robot.arm.interface import ObjectPose
from sim.world.lockstep import LockStep

FAR_BELOW = (0.0, 0.0, -5.0)


def shown_share(world: LockStep, name: str) -> float:
    """Return how much of the object `name` the camera sees, of what it would see with the arm out of the way.

    Moves the arm aside in `world`.
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
