"""Adapts a registered Gymnasium environment to worldarm's models: pictures, a flat state, actions in [−1, 1].

The environment waits while a decision is made. The order is that of the arm: the action of a block is chosen from the
picture at the start of the block before.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from robot.arm.interface import Vector
from robot.embodiment.box_action import BoxAction
from robot.embodiment.description import EmbodimentDescription
from robot.embodiment.observation import Observation
from robot.errors import ConfigurationError
from robot.wire.camera_spec import CameraSpec
from sim.policies.interface import CorrelatedNoise

try:
    import gymnasium
    from gymnasium import spaces

    from sim.gym.pictures import Pictures, picture_in
except ImportError as error:
    raise ConfigurationError("--env needs Gymnasium: install it with pip install 'worldarm[gym]'") from error

ARM_PREFIX = "gym:"
CAMERA = "pixels"
NO_STATE = ("nothing",)
LONGEST_STATE = 64
USUAL_RATE_HZ = 20

Policy = Callable[[Any, np.random.Generator], Any]
"""(observation, random generator) → action; observation and action in the environment's own units."""


@dataclass(frozen=True)
class Seen:
    """A picture (H, W, 3) uint8 RGB and the state (P,) at `time_ns` since the reset. `ended` says that the episode is
    over."""

    image: NDArray[np.uint8]
    state: Vector
    time_ns: int
    ended: bool = False

    @property
    def observation(self) -> Observation:
        """Picture, state and time as a decider takes them."""
        return Observation({CAMERA: self.image}, self.state, self.time_ns)


class AnyEnv:
    """The environment `name`, seen in square pictures of `size` pixels. Each action is repeated for `repeat` steps."""

    def __init__(self, name: str, size: int, repeat: int) -> None:
        """Raise `ConfigurationError` for an environment that is not registered, has no pictures, or whose actions are
        not a bounded box of numbers."""
        try:
            self._env = gymnasium.make(name, render_mode="rgb_array")
        except (gymnasium.error.Error, TypeError, ImportError) as error:
            raise ConfigurationError(f"the environment {name!r} cannot be made: {error}") from error
        actions = self._env.action_space
        if not isinstance(actions, spaces.Box) or not (np.isfinite(actions.low) & np.isfinite(actions.high)).all():
            self.close()
            raise ConfigurationError(f"{name!r} takes {actions}; worldarm needs a bounded box of numbers")
        self.name, self._size, self._repeat, self._actions = name, size, repeat, actions
        self.observation: Any = None
        self._time_ns = 0
        self._states = _states(self._env.observation_space)
        self._pictures = Pictures(name, self._env.observation_space)
        self.state_names = tuple(name for names in self._states.values() for name in names) or NO_STATE
        rate = max(1, round(float(self._env.metadata.get("render_fps") or USUAL_RATE_HZ) / repeat))
        self.embodiment = EmbodimentDescription(
            ARM_PREFIX + name,
            CameraSpec(CAMERA, size, size, (float(size), float(size)), (size / 2, size / 2)),
            BoxAction(size=int(np.prod(actions.shape)), block_s=1 / rate, repeat=repeat),
            self.state_names,
        )

    @classmethod
    def of(cls, embodiment: EmbodimentDescription) -> AnyEnv:
        """Return the environment that a data set or a model with the description `embodiment` belongs to.

        Raises `ConfigurationError` when that is no Gymnasium environment, and as the constructor does.
        """
        action = embodiment.action
        if not embodiment.arm.startswith(ARM_PREFIX) or not isinstance(action, BoxAction):
            raise ConfigurationError(f"this belongs to the arm {embodiment.arm!r}, not to a Gymnasium environment")
        return cls(embodiment.arm.removeprefix(ARM_PREFIX), embodiment.camera.width, action.repeat)

    @property
    def judged(self) -> bool:
        """Whether its observations have a state, by which the distance from a goal can be measured."""
        return self.state_names != NO_STATE

    def close(self) -> None:
        """Free the environment."""
        self._env.close()

    def reset(self, seed: int) -> Seen:
        """Begin an episode; the same seed begins the same one."""
        self.observation, _ = self._env.reset(seed=seed)
        self._time_ns = 0
        return self._look(False)

    def step(self, action: Vector) -> Seen:
        """Run one block under `action` (A,) in [−1, 1]."""
        low, high = self._actions.low, self._actions.high
        share = (np.clip(action, -1.0, 1.0).reshape(low.shape) + 1.0) / 2.0
        ended = False
        for _ in range(self._repeat):
            self.observation, _, terminated, truncated, _ = self._env.step(
                (low + share * (high - low)).astype(self._actions.dtype)
            )
            ended = bool(terminated or truncated)
            if ended:
                break
        self._time_ns += self.embodiment.action.block_ns
        return self._look(ended)

    def scaled(self, action: Any) -> Vector:
        """Return an action in the environment's own units as (A,) in [−1, 1]. Raises `ConfigurationError` for an
        action of another shape, or one that is not finite."""
        values = np.asarray(action, dtype=np.float64)
        low, high = self._actions.low, self._actions.high
        if values.shape != low.shape or not np.isfinite(values).all():
            raise ConfigurationError(
                f"the policy returned {action!r}; the actions of {self.name!r} are {self._actions}"
            )
        span = np.where(high > low, high - low, 1.0)
        return np.clip(2.0 * (values - low) / span - 1.0, -1.0, 1.0).ravel()

    def _look(self, ended: bool) -> Seen:
        seen = picture_in(self.observation)
        image = self._pictures.as_bytes(self._env.render() if seen is None else seen)
        small = cv2.resize(image, (self._size, self._size), interpolation=cv2.INTER_AREA)
        return Seen(np.asarray(small, dtype=np.uint8), self._state(), self._time_ns, ended)

    def _state(self) -> Vector:
        """Return the state (P,) of the present observation."""
        if not self._states:
            return np.zeros(len(NO_STATE))
        parts = [self.observation[key] if key else self.observation for key in self._states]
        return np.concatenate([np.ravel(np.asarray(part, dtype=np.float64)) for part in parts])


class RandomPolicy:
    """Random actions that change slowly, as correlated noise does."""

    def __init__(self, size: int, rng: np.random.Generator) -> None:
        self._noise = CorrelatedNoise(rng, size, float(rng.choice([0.3, 0.7, 1.2])), kept=0.8)

    def __call__(self) -> Vector:
        """Return the next action (A,) in [−1, 1]."""
        return np.clip(self._noise.draw(), -1.0, 1.0)


def load_policy(name: str) -> Policy:
    """Return the function that `name`, MODULE:FUNCTION, names. Raises `ConfigurationError` when there is none."""
    module, _, function = name.partition(":")
    try:
        policy = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(f"--policy {name} cannot be imported as MODULE:FUNCTION: {error}") from error
    if not callable(policy):
        raise ConfigurationError(f"--policy {name} is {policy!r}, which cannot be called")
    chosen: Policy = policy
    return chosen


def _states(space: spaces.Space[Any]) -> dict[str, list[str]]:
    """Return the names of the state's entries, by the part of the observation that they come from: every part that is a
    vector of at most `LONGEST_STATE` numbers. An observation without parts is the part ""."""
    parts = dict(space.items()) if isinstance(space, spaces.Dict) else {"": space}
    found: dict[str, list[str]] = {}
    for key, part in parts.items():
        count = int(np.prod(part.shape)) if isinstance(part, spaces.Box) else 0
        if 0 < count <= LONGEST_STATE and len(part.shape or ()) <= 1:
            found[key] = [f"{key or 'state'}.{i}" for i in range(count)]
    return found
