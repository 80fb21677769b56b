"""Goal pictures of every kind that an agent may be given: those that its model should know, and others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from robot.wire.camera_spec import CameraSpec
from sim.evaluation.evaluate import GOALS_PER_ITEM
from sim.tasks.environments import ENVIRONMENTS, Environment
from sim.tasks.goals import PICTURE_SEED_SPACE, make_goal, shows_goals
from sim.tasks.task import Level, Task
from sim.world.appearance import Appearance, shifted
from sim.world.lockstep import LockStep

SHIFT_M, TURN_RAD = 0.10, float(np.deg2rad(15.0))
SHADES = (0, 15, 60, 128, 200, 255)
_LEVEL_SHARE = 5
"""The number of goals at the level clean for each one at another level: making goals takes long."""

Wanted = Literal["known", "unknown", "either"]
Pictures = list[NDArray[np.uint8]]


@dataclass(frozen=True)
class Kind:
    """One kind of pictures: its `name`, and whether a model should know them."""

    name: str
    wanted: Wanted


GOALS = Kind("goals", "known")
AT_LEVEL: dict[Level, Kind] = {
    "no-arm": Kind("goals without the arm", "known"),
    "shifted": Kind("goals from a camera moved by up to 2 cm and 3°", "known"),
    "lit": Kind("goals in other light", "known"),
    "cluttered": Kind("goals among other objects", "known"),
    "object-only": Kind("goals that ask for one object only", "known"),
}
ONE_COLOUR = Kind("pictures of one colour, from black to white", "unknown")
NOISE = Kind("noise", "unknown")
UPSIDE_DOWN = Kind("goals upside down", "unknown")
OTHER_SCENE = Kind("goals of another environment, by its own camera", "unknown")
MOVED = Kind(f"camera moved by up to {100 * SHIFT_M:.0f} cm along each axis", "either")
TURNED = Kind(f"camera turned by up to {np.rad2deg(TURN_RAD):.0f}°", "either")
KINDS = (GOALS, *AT_LEVEL.values(), ONE_COLOUR, NOISE, UPSIDE_DOWN, OTHER_SCENE, MOVED, TURNED)
"""All kinds, in the order of reports."""


@dataclass(frozen=True)
class Portion:
    """Some goals: those with the `numbers` of `seed`, for a task at a level."""

    task: Task
    level: Level
    seed: int
    numbers: range


def portions(environment: Environment, seed: int, goals: int) -> list[Portion]:
    """Return what goals there are to make: `goals` of each task at the level clean, and fewer at the others."""
    made = []
    for level in environment.levels:
        count = goals if level == "clean" else -(-goals // _LEVEL_SHARE)
        for task in environment.tasks:
            if shows_goals(environment, task, level):
                firsts = range(0, count, GOALS_PER_ITEM)
                made += [Portion(task, level, seed, range(count)[first : first + GOALS_PER_ITEM]) for first in firsts]
    return made


def goal_pictures(portion: Portion, environment: Environment, camera: CameraSpec) -> list[tuple[Kind, Pictures]]:
    """Return the pictures (H, W, 3) uint8 RGB of these goals, seen by `camera`, by their kind; goals at the level clean
    are there upside down too."""
    world = environment.world(camera, portion.level)
    try:
        pictures = [
            make_goal(
                *(world, environment, portion.task, portion.seed, number, PICTURE_SEED_SPACE, portion.level)
            ).picture
            for number in portion.numbers
        ]
    finally:
        world.close()
    if portion.level != "clean":
        return [(AT_LEVEL[portion.level], pictures)]
    return [(GOALS, pictures), (UPSIDE_DOWN, [_upside_down(each, len(camera.views)) for each in pictures])]


def other_pictures(
    environment: Environment, camera: CameraSpec, seed: int, count: int
) -> Iterator[tuple[Kind, Pictures]]:
    """Yield pictures as `goal_pictures` does that take no playing, `count` of most kinds."""
    size = (camera.height, camera.width, 3)
    yield ONE_COLOUR, [np.full(size, shade, np.uint8) for shade in SHADES]
    rng = np.random.default_rng([PICTURE_SEED_SPACE, seed])
    yield NOISE, [rng.integers(0, 256, size, dtype=np.uint8) for _ in range(count)]
    for other in ENVIRONMENTS.values():
        if other.name != environment.name:
            yield OTHER_SCENE, _of_another(other, camera, seed, count)
    yield MOVED, _from_elsewhere(environment, camera, seed, count, SHIFT_M, 0.0)
    yield TURNED, _from_elsewhere(environment, camera, seed, count, 0.0, TURN_RAD)


def _upside_down(picture: NDArray[np.uint8], views: int) -> NDArray[np.uint8]:
    """Return a picture with each of its `views`, which stand one below the other, turned by half a turn."""
    return np.concatenate([np.rot90(view, 2) for view in np.split(picture, views)])


def _of_another(other: Environment, camera: CameraSpec, seed: int, count: int) -> Pictures:
    """Return goals of the environment `other` in the size of `camera`'s pictures; all views of a rig show the same."""
    own: Sequence[CameraSpec] = camera.views
    world = other.world(other.camera(own[0].width, own[0].height))
    try:
        goals = [make_goal(world, other, "reach", seed, number, PICTURE_SEED_SPACE) for number in range(count)]
        return [np.concatenate([goal.picture] * len(own)) for goal in goals]
    finally:
        world.close()


def _from_elsewhere(
    environment: Environment, camera: CameraSpec, seed: int, count: int, shift_m: float, turn_rad: float
) -> Pictures:
    """Return starts of `environment`, each seen by `camera` moved and turned by up to that much."""
    world: LockStep = environment.world(camera)
    pictures = []
    try:
        for number in range(count):
            rng = np.random.default_rng([PICTURE_SEED_SPACE, seed, number])
            start = environment.start(rng, environment.convention)
            world.reset(environment.convention, start.tool, start.objects)
            world.appear(Appearance(shifted(camera, rng, shift_m, turn_rad)))
            pictures.append(world.picture())
    finally:
        world.close()
    return pictures
