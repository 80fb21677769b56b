"""One episode of play in the lock-step world, as the columns that the data set stores."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from robot.action import ActionConvention
from robot.dataset.schema import Feature
from robot.proprio import STATE_NAMES
from sim.lockstep import LockStep
from sim.play import PlayPolicy, random_start

JOINTS = 7
Columns = dict[str, NDArray[np.generic]]


def play_features(camera: str, height: int, width: int, convention: ActionConvention, video: bool) -> dict[str, Feature]:
    """Return the features of a play data set. Pictures are stored as PNG, or as AV1 `video`."""
    joints = tuple(f"joint{i}" for i in range(1, JOINTS + 1))
    return {
        "observation.state": Feature("float32", (len(STATE_NAMES),), STATE_NAMES),
        f"observation.images.{camera}": Feature(
            "video" if video else "image", (height, width, 3), ("height", "width", "channels")
        ),
        "action": Feature("float32", (convention.size,), convention.axes),
        "setpoint.requested": Feature("float32", (JOINTS,), joints),
        "setpoint.governed": Feature("float32", (JOINTS,), joints),
        "joints.measured": Feature("float32", (JOINTS,), joints),
        "capture_time_ns": Feature("int64"),
        "privileged.object": Feature("float32", (7,), ("x", "y", "z", "qx", "qy", "qz", "qw")),
    }


def play_episode(
    world: LockStep,
    convention: ActionConvention,
    rng: np.random.Generator,
    blocks: int,
    tick: Callable[[], None] | None = None,
) -> Columns:
    """Play `blocks` blocks and return blocks + 1 rows: each row's action is what followed its picture; the last
    row's is zero, since nothing followed."""
    camera = world.camera
    start = random_start(rng, convention)
    policy = PlayPolicy(rng, convention)
    world.reset(convention, start.tool, [start.cube])
    target, seed = start.tool, world.observe_joints()
    rows: list[dict[str, object]] = []
    for block in range(blocks + 1):
        seen = world.observe()
        cube = world.scene.objects()[0]
        action = np.zeros(convention.size)
        if block < blocks:
            action = policy.act(target[:2], np.asarray(cube.position[:2]))
            end = convention.target(target, action)
            waypoints = convention.block(world.kinematics, target, end, seed, world.time_ns)
            world.send(waypoints)
            target, seed = end, np.asarray(waypoints[-1].positions)
        rows.append(
            {
                "observation.state": seen.state,
                f"observation.images.{camera.name}": seen.image,
                "action": action,
                "setpoint.requested": seen.requested,
                "setpoint.governed": seen.governed,
                "joints.measured": seen.measured,
                "capture_time_ns": seen.time_ns,
                "privileged.object": np.array([*cube.position, *cube.orientation]),
            }
        )
        if block < blocks:
            world.run_until((block + 1) * convention.block_ns)
            if tick is not None:
                tick()
    kinds = {"capture_time_ns": np.int64, f"observation.images.{camera.name}": np.uint8}
    return {key: np.stack([np.asarray(row[key], dtype=kinds.get(key, np.float32)) for row in rows]) for key in rows[0]}
