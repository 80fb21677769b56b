"""Environments: the objects on the table, the action convention, the cameras, and the scripted policy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import numpy as np

from perception.checkpoint.shipped import PRETRAINED_FOLDER
from robot.arm.interface import ObjectPose
from robot.embodiment.actions import PLANAR_PUSH, TABLETOP
from robot.embodiment.description import EmbodimentDescription
from robot.embodiment.proprioception import GRASPING_STATE_NAMES, STATE_NAMES
from robot.embodiment.tool_displacement import ToolDisplacement
from robot.errors import ConfigurationError
from robot.wire.camera_spec import CameraSpec
from sim.policies import push as push_play
from sim.policies import tabletop_starts
from sim.policies.interface import ScriptedPolicy, Start
from sim.policies.tabletop import TabletopPolicy
from sim.tasks.task import LEVELS, TASKS, Level, Task, Things
from sim.world.cameras import camera_named, front_camera, tabletop_camera
from sim.world.lockstep import LockStep
from sim.world.panda import panda_spec
from sim.world.scene import DISTRACTORS, EXTRA_GRASPABLE, GRASPABLE, RED_CUBE, Scene, SceneObject

EnvironmentName = Literal["push", "tabletop"]


@dataclass(frozen=True)
class Environment:
    """One kind of simulated world. `start` draws a start, `start_of_play` that of an episode of play, `policy` its
    scripted policy, and `rearranged` another arrangement of the same objects. A model needs `episodes` episodes of
    `blocks` blocks as training data. `tasks` and `levels` are those for which there are goals. `sentence` describes the
    play in data sets."""

    name: EnvironmentName
    sentence: str
    objects: tuple[SceneObject, ...]
    convention: ToolDisplacement
    state_names: tuple[str, ...]
    camera: Callable[[int, int], CameraSpec]
    start: Callable[[np.random.Generator, ToolDisplacement], Start]
    start_of_play: Callable[[np.random.Generator, ToolDisplacement], Start]
    policy: Callable[[np.random.Generator, ToolDisplacement], ScriptedPolicy]
    rearranged: Callable[[np.random.Generator, ToolDisplacement, Sequence[ObjectPose]], Start]
    tasks: tuple[Task, ...]
    levels: tuple[Level, ...]
    episodes: int
    blocks: int

    def embodiment(self, size: int, camera: str | None = None) -> EmbodimentDescription:
        """Return the embodiment description of play with square pictures of `size` pixels from the simulated `camera`,
        or the environment's default camera. Each camera of a rig has pictures of that size. Raises `ConfigurationError`
        for an unknown camera."""
        seen = self.camera(size, size) if camera is None else camera_named(camera, size)
        return EmbodimentDescription(panda_spec().name, seen, self.convention, self.state_names)

    def world(self, camera: CameraSpec, level: Level = "clean", things: Things | None = None) -> LockStep:
        """Return a lock-step world of this kind, seen by `camera`, with all objects that goals of `level` with `things`
        objects show."""
        more = EXTRA_GRASPABLE if things is not None and things > len(self.objects) else ()
        objects = (*self.objects, *more, *(DISTRACTORS if level == "cluttered" else ()))
        return LockStep(camera, Scene(objects), self.state_names)


PUSH = Environment(
    name="push",
    sentence="play: push the cube about",
    objects=(RED_CUBE,),
    convention=PLANAR_PUSH,
    state_names=STATE_NAMES,
    camera=front_camera,
    start=push_play.random_start,
    start_of_play=push_play.random_start,
    policy=push_play.PushPolicy,
    rearranged=push_play.rearranged,
    tasks=("reach", "push"),
    levels=("clean",),
    episodes=2500,
    blocks=40,
)
TABLETOP_PLAY = Environment(
    name="tabletop",
    sentence="play: pick, carry, place, stack, drop and push things",
    objects=GRASPABLE,
    convention=TABLETOP,
    state_names=GRASPING_STATE_NAMES,
    camera=tabletop_camera,
    start=tabletop_starts.random_start,
    start_of_play=tabletop_starts.start_of_play,
    policy=TabletopPolicy,
    rearranged=tabletop_starts.rearranged,
    tasks=TASKS,
    levels=LEVELS,
    episodes=4500,
    blocks=50,
)
ENVIRONMENTS: Mapping[EnvironmentName, Environment] = MappingProxyType(
    {environment.name: environment for environment in (PUSH, TABLETOP_PLAY)}
)


def pretrained_for(task: Task) -> Path:
    """Return worldarm's pretrained checkpoint for a task: that of the simplest environment that has the task."""
    return PRETRAINED_FOLDER / next(
        environment.name for environment in ENVIRONMENTS.values() if task in environment.tasks
    )


def environment_of(embodiment: EmbodimentDescription) -> Environment:
    """Return the environment of data or a model with `embodiment`. Raises `ConfigurationError` when there is none."""
    for environment in ENVIRONMENTS.values():
        if (environment.convention, environment.state_names) == (embodiment.action, embodiment.state_names):
            return environment
    raise ConfigurationError(
        "the simulation has no environment with this model's actions; run it on its own arm with `worldarm run`"
    )
