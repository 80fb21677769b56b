"""Work for one process of play: several episodes, each a function of only its number, the seed and the checkpoint."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from robot.dataset.format.encoding import EncodedEpisode, encode_episode
from robot.dataset.format.schema import Feature
from robot.wire.camera_spec import CameraSpec
from sim.play.episode import play_episode
from sim.tasks.environments import ENVIRONMENTS, EnvironmentName

EPISODES_PER_TASK = 10
# Separate from the seeds of held-out goals, so that play and evaluation never share a random stream.
PLAY_SEED_SPACE = 1


@dataclass(frozen=True)
class Batch:
    """Work for one process: episodes `first` to `last` (exclusive)."""

    first: int
    last: int


def batches(done: int, episodes: int) -> Iterator[Batch]:
    """Yield the remaining work when `done` of `episodes` exist."""
    for first in range(done, episodes, EPISODES_PER_TASK):
        yield Batch(first, min(first + EPISODES_PER_TASK, episodes))


def play_batch(
    batch: Batch,
    task: EnvironmentName,
    seed: int,
    blocks: int,
    camera: CameraSpec,
    features: dict[str, Feature],
    checkpoint: Path | None,
) -> list[EncodedEpisode]:
    """Play and encode the episodes of `batch`; runs in a worker process. Each episode depends only on its number, the
    seed and the checkpoint."""
    environment = ENVIRONMENTS[task]
    fps = round(1 / environment.convention.block_s)
    with ExitStack() as stack:
        world = stack.enter_context(closing(environment.world(camera)))
        practice = None
        if checkpoint is not None:
            import torch

            from sim.play.practice import Practice

            torch.set_num_threads(1)
            practice = stack.enter_context(closing(Practice(environment, camera, checkpoint)))
        return [
            encode_episode(features, fps, play_episode(world, environment, rng, blocks, practice))
            for rng in generators(batch, seed)
        ]


def generators(batch: Batch, seed: int) -> Iterator[np.random.Generator]:
    """Yield the random generator of each episode: a function of its number and the seed."""
    for index in range(batch.first, batch.last):
        yield np.random.default_rng([PLAY_SEED_SPACE, seed, index])
