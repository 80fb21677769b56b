"""Work for one process of play: some episodes, each a function of its number, the seed and the checkpoint alone."""

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
# Seeds of play, and of the goals that a model is measured on, never meet.
PLAY_SEED_SPACE = 1


@dataclass(frozen=True)
class Batch:
    """Work for one process: episodes `first` to `last` (exclusive)."""

    first: int
    last: int


def batches(done: int, episodes: int) -> Iterator[Batch]:
    """Yield the work that is left when `done` of `episodes` are there."""
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
    """Play and encode some episodes; runs in a process of its own. Each depends on its number, the seed and the
    checkpoint alone."""
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
    """Yield each episode's own generator: a function of its number and the seed."""
    for index in range(batch.first, batch.last):
        yield np.random.default_rng([PLAY_SEED_SPACE, seed, index])
