"""One episode of play in the lock-step world, as the columns that the data set stores."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from robot.action import ActionConvention
from robot.dataset.schema import Feature
from robot.proprio import STATE_NAMES
from sim.block_runner import BlockRunner
from sim.lockstep import LockStep
from sim.play import PlayPolicy, random_start

JOINTS = 7
Columns = dict[str, NDArray[np.generic]]


def play_features(
    camera: str, height: int, width: int, convention: ActionConvention, video: bool
) -> dict[str, Feature]:
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
) -> Columns:
    """Play `blocks` blocks and return blocks + 1 rows: each row's action is what followed its picture; the last
    row's is zero, since nothing followed."""
    camera = world.camera
    start = random_start(rng, convention)
    policy = PlayPolicy(rng, convention)
    runner = BlockRunner(world, convention)
    runner.reset(convention.start(start.tool), [start.cube])
    rows: list[dict[str, object]] = []
    for block in range(blocks + 1):
        seen = world.observe()
        cube = world.scene.objects()[0]
        rows.append(
            {
                "observation.state": seen.state,
                f"observation.images.{camera.name}": seen.image,
                "action": runner.committed if block < blocks else np.zeros(convention.size),
                "setpoint.requested": seen.requested,
                "setpoint.governed": seen.governed,
                "joints.measured": seen.measured,
                "capture_time_ns": seen.time_ns,
                "privileged.object": np.array([*cube.position, *cube.orientation]),
            }
        )
        if block < blocks:
            runner.run_block(policy.act(runner.target.position[:2], np.asarray(cube.position[:2])))
    kinds = {"capture_time_ns": np.int64, f"observation.images.{camera.name}": np.uint8}
    return {key: np.stack([np.asarray(row[key], dtype=kinds.get(key, np.float32)) for row in rows]) for key in rows[0]}
