"""One episode of play in the lock-step world, as the columns that the data set stores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from robot.dataset.format.columns import (
    ACTION,
    CAPTURE_TIME_NS,
    CLEAN_ACTION,
    GOVERNED,
    MEASURED,
    OBJECT_POSE,
    REQUESTED,
    STATE,
    image_column,
)
from robot.dataset.format.schema import Feature
from robot.wire.camera_spec import CameraSpec
from sim.tasks.environments import Environment
from sim.world.block_runner import BlockRunner
from sim.world.lockstep import LockStep
from sim.world.scene import present

if TYPE_CHECKING:
    from sim.play.practice import Practice  # imports torch, which takes seconds

JOINTS = 7
Columns = dict[str, NDArray[np.generic]]


def play_features(environment: Environment, camera: CameraSpec, video: bool) -> dict[str, Feature]:
    """Return the features of a play data set. Pictures are stored as PNG, or as AV1 `video`."""
    joints = tuple(f"joint{i}" for i in range(1, JOINTS + 1))
    return {
        STATE: Feature("float32", (len(environment.state_names),), environment.state_names),
        image_column(camera.name): Feature(
            "video" if video else "image", (camera.height, camera.width, 3), ("height", "width", "channels")
        ),
        ACTION: Feature("float32", (environment.convention.size,), environment.convention.names),
        CLEAN_ACTION: Feature("float32", (environment.convention.size,), environment.convention.names),
        REQUESTED: Feature("float32", (JOINTS,), joints),
        GOVERNED: Feature("float32", (JOINTS,), joints),
        MEASURED: Feature("float32", (JOINTS,), joints),
        CAPTURE_TIME_NS: Feature("int64"),
        **{key: Feature("float32", (7,), ("x", "y", "z", "qx", "qy", "qz", "qw")) for key in _truth_keys(environment)},
    }


def _truth_keys(environment: Environment) -> tuple[str, ...]:
    """Return the columns of the objects' poses, in the scene's order."""
    if len(environment.objects) == 1:
        return (f"{OBJECT_POSE}object",)
    return tuple(f"{OBJECT_POSE}{thing.name}" for thing in environment.objects)


def play_episode(
    world: LockStep, environment: Environment, rng: np.random.Generator, blocks: int, practice: Practice | None = None
) -> Columns:
    """Play `blocks` blocks and return blocks + 1 rows. Each row has the action that followed its picture, and the clean
    action; in the last row both are zero, because nothing followed. An object that is not on the table has its pose
    under the table. With `practice`, an agent and the scripted policy act in turn."""
    camera, convention = world.camera, environment.convention
    start = environment.start_of_play(rng, convention)
    policy = environment.policy(rng, convention)
    turns = None if practice is None else practice.turns(policy, rng)
    runner = BlockRunner(world, convention)
    runner.reset(start.tool, start.objects)
    keys = _truth_keys(environment)
    rows: list[dict[str, object]] = []
    clean_action = np.zeros(convention.size)
    for block in range(blocks + 1):
        seen, joints = world.observe(), world.joints()
        objects = world.scene.objects()
        rows.append(
            {
                STATE: seen.state,
                image_column(camera.name): seen.picture(camera.name),
                ACTION: runner.committed if block < blocks else np.zeros(convention.size),
                CLEAN_ACTION: clean_action if block < blocks else np.zeros(convention.size),
                REQUESTED: joints.requested,
                GOVERNED: joints.governed,
                MEASURED: joints.measured,
                CAPTURE_TIME_NS: seen.time_ns,
                **{key: np.array([*item.position, *item.orientation]) for key, item in zip(keys, objects, strict=True)},
            }
        )
        if block < blocks:
            there = [item for item in objects if present(item)]
            if turns is None:
                action, clean_action = policy.act(runner.target, there), policy.clean_action
            else:
                action = turns.act(seen, runner.committed, runner.target, there)
                clean_action = turns.clean_action
            runner.run_block(action)
    kinds = {CAPTURE_TIME_NS: np.int64, image_column(camera.name): np.uint8}
    return {key: np.stack([np.asarray(row[key], dtype=kinds.get(key, np.float32)) for row in rows]) for key in rows[0]}
