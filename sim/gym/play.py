"""Play in a Gymnasium environment, as the columns that the data set stores."""

from __future__ import annotations

from functools import partial

import numpy as np

from robot.arm.interface import Vector
from robot.dataset.format.columns import ACTION, STATE, image_column
from robot.dataset.format.schema import Feature
from robot.embodiment.description import EmbodimentDescription
from robot.errors import ConfigurationError
from sim.gym.adapter import AnyEnv, Policy, RandomPolicy
from sim.play.episode import Columns

SEEDS = 2**31
SHORTEST = 2
ATTEMPTS = 100


def env_features(embodiment: EmbodimentDescription, video: bool) -> dict[str, Feature]:
    """Return the features of a data set of play in an environment. Pictures are stored as PNG, or as AV1 `video`."""
    camera = embodiment.camera
    return {
        STATE: Feature("float32", (len(embodiment.state_names),), embodiment.state_names),
        image_column(camera.name): Feature(
            "video" if video else "image", (camera.height, camera.width, 3), ("height", "width", "channels")
        ),
        ACTION: Feature("float32", (embodiment.action.size,), embodiment.action.names),
    }


def env_episode(env: AnyEnv, policy: Policy | None, rng: np.random.Generator, blocks: int) -> Columns:
    """Return the columns of one episode of at most `blocks` blocks, one row a picture; the last row's action is zero.

    Actions are the `policy`'s, or random for None. Episodes that end within `SHORTEST` blocks are left out; raises
    `ConfigurationError` when `ATTEMPTS` in a row are that short.
    """
    for _ in range(ATTEMPTS):
        columns = _episode(env, policy, rng, blocks)
        if len(columns[ACTION]) > SHORTEST:
            return columns
    raise ConfigurationError(
        f"{ATTEMPTS} episodes in {env.name!r} ended within {SHORTEST} blocks; repeat actions for fewer steps (--repeat)"
    )


def _episode(env: AnyEnv, policy: Policy | None, rng: np.random.Generator, blocks: int) -> Columns:
    seen = env.reset(int(rng.integers(SEEDS)))
    size = env.embodiment.action.size
    act = RandomPolicy(size, rng) if policy is None else partial(_chosen, env, policy, rng)
    images, states, actions = [seen.image], [seen.state], []
    for _ in range(blocks):
        action = act()
        seen = env.step(action)
        actions.append(action)
        images.append(seen.image)
        states.append(seen.state)
        if seen.ended:
            break
    actions.append(np.zeros(size))
    return {
        STATE: np.stack(states).astype(np.float32),
        image_column(env.embodiment.camera.name): np.stack(images),
        ACTION: np.stack(actions).astype(np.float32),
    }


def _chosen(env: AnyEnv, policy: Policy, rng: np.random.Generator) -> Vector:
    return env.scaled(policy(env.observation, rng))
