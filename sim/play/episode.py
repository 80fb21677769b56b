"""One episode of play in the lock-step world, as the columns that the data set stores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from perception.training_data.frame_cache import MEANT
from robot.dataset.format.recorder_columns import GOVERNED, MEASURED, REQUESTED
from robot.dataset.format.schema import Feature
from robot.wire.camera_spec import CameraSpec
from sim.tasks.environments import Playground
from sim.world.block_runner import BlockRunner
from sim.world.lockstep import LockStep
from sim.world.scene import present

if TYPE_CHECKING:
    from sim.play.practice import Practice  # with it comes torch, which takes seconds

JOINTS = 7
Columns = dict[str, NDArray[np.generic]]


def play_features(playground: Playground, camera: CameraSpec, video: bool) -> dict[str, Feature]:
    """Return the features of a play data set. Pictures are stored as PNG, or as AV1 `video`."""
    joints = tuple(f"joint{i}" for i in range(1, JOINTS + 1))
    return {
        "observation.state": Feature("float32", (len(playground.state_names),), playground.state_names),
        f"observation.images.{camera.name}": Feature(
            "video" if video else "image", (camera.height, camera.width, 3), ("height", "width", "channels")
        ),
        "action": Feature("float32", (playground.convention.size,), playground.convention.axes),
        MEANT: Feature("float32", (playground.convention.size,), playground.convention.axes),
        REQUESTED: Feature("float32", (JOINTS,), joints),
        GOVERNED: Feature("float32", (JOINTS,), joints),
        MEASURED: Feature("float32", (JOINTS,), joints),
        "capture_time_ns": Feature("int64"),
        **{key: Feature("float32", (7,), ("x", "y", "z", "qx", "qy", "qz", "qw")) for key in _truth_keys(playground)},
    }


def _truth_keys(playground: Playground) -> tuple[str, ...]:
    """Return the columns of the objects' poses, in the scene's order."""
    if len(playground.objects) == 1:
        return ("privileged.object",)
    return tuple(f"privileged.{thing.name}" for thing in playground.objects)


def play_episode(
    world: LockStep, playground: Playground, rng: np.random.Generator, blocks: int, practice: Practice | None = None
) -> Columns:
    """Play `blocks` blocks and return blocks + 1 rows: each row's action is what followed its picture, and beside it
    stands what was meant before noise came to it; the last row's are zero, since nothing followed. An object that is
    not on the table has its pose under it. In `practice` an agent takes turns with the hand."""
    camera, convention = world.camera, playground.convention
    start = playground.start(rng, convention)
    hand = playground.hand(rng, convention)
    turns = None if practice is None else practice.turns(hand, rng)
    runner = BlockRunner(world, convention)
    runner.reset(start.tool, start.objects)
    keys = _truth_keys(playground)
    rows: list[dict[str, object]] = []
    meant = np.zeros(convention.size)
    for block in range(blocks + 1):
        seen = world.observe()
        objects = world.scene.objects()
        rows.append(
            {
                "observation.state": seen.state,
                f"observation.images.{camera.name}": seen.image,
                "action": runner.committed if block < blocks else np.zeros(convention.size),
                MEANT: meant if block < blocks else np.zeros(convention.size),
                REQUESTED: seen.requested,
                GOVERNED: seen.governed,
                MEASURED: seen.measured,
                "capture_time_ns": seen.time_ns,
                **{key: np.array([*item.position, *item.orientation]) for key, item in zip(keys, objects, strict=True)},
            }
        )
        if block < blocks:
            there = [item for item in objects if present(item)]
            if turns is None:
                action, meant = hand.act(runner.target, there), hand.meant
            else:
                action = turns.act(seen, runner.committed, runner.target, there)
                meant = turns.meant
            runner.run_block(action)
    kinds = {"capture_time_ns": np.int64, f"observation.images.{camera.name}": np.uint8}
    return {key: np.stack([np.asarray(row[key], dtype=kinds.get(key, np.float32)) for row in rows]) for key in rows[0]}
