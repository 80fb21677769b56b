"""Trains the parts that do not depend on goals: the world model, then predictor and decoder on its frozen latents."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from perception.model.decoder import Decoder, DecoderLoss
from perception.model.losses.jepa import JepaLoss, JepaWeights, PredictorLoss
from perception.model.world_model import WorldModel
from perception.training.distributed import Workers
from perception.training.loop import History, Schedule, train
from perception.training.settings import require_clip, require_finite, require_positive, require_schedule
from perception.training_data.augmentation import Augmentation, vary, vary_clips
from perception.training_data.clips import ClipSampler, generator, torch_generator, with_history
from perception.training_data.frame_cache import FrameCache

Precision = Literal["auto", "bf16", "float32"]

# Purposes of random generators. Each has its own stream, so that one part's settings never change another's data.
CLIPS, PROJECTIONS, DECODER, PREDICTOR, AUGMENTATION, VARIED = 1, 2, 3, 4, 5, 6
ENCODE_BATCH = 1024


class WorldModelTraining(msgspec.Struct, frozen=True):
    """Settings of the world model's training: `steps` of `batch` clips, each of `clip` frames that lie `stride` blocks
    apart; `augmentation` varies their pictures. A context of two takes one more frame, before the clip.

    Over several blocks the arm moves far and most objects stay in place. So the objects, which are easy to predict, are
    what the latent learns.
    """

    steps: int = 4000
    batch: int = 64
    clip: int = 3
    stride: int = 5
    learning_rate: float = 1.5e-3
    weights: JepaWeights = JepaWeights()
    augmentation: Augmentation = Augmentation()

    def __post_init__(self) -> None:
        """Raise `ConfigurationError` for settings with which nothing can be trained."""
        require_schedule("world_model", self.steps, self.batch, self.learning_rate)
        require_clip("world_model", self.clip)
        require_positive("world_model.weights", projections=self.weights.projections, coloured=self.weights.coloured)
        require_positive("world_model", stride=self.stride)
        require_finite("world_model", self)


class PredictorTraining(msgspec.Struct, frozen=True):
    """Settings of the predictor's second training, on frozen latents: `steps` of `batch` clips of `clip` frames. A
    context of two takes one more frame, before the clip."""

    steps: int = 2500
    batch: int = 128
    clip: int = 6
    learning_rate: float = 1e-3

    def __post_init__(self) -> None:
        """Raise `ConfigurationError` for settings with which nothing can be trained."""
        require_schedule("predictor", self.steps, self.batch, self.learning_rate)
        require_clip("predictor", self.clip)
        require_finite("predictor", self)


class DecoderTraining(msgspec.Struct, frozen=True):
    """Settings of the decoder's training: `steps` of `batch` pictures."""

    steps: int = 600
    batch: int = 64
    learning_rate: float = 2e-3

    def __post_init__(self) -> None:
        """Raise `ConfigurationError` for settings with which nothing can be trained."""
        require_schedule("decoder", self.steps, self.batch, self.learning_rate)
        require_finite("decoder", self)


def compute_dtype(precision: Precision, device: torch.device) -> torch.dtype:
    """Return the data type in which to multiply matrices. With `precision` "auto" it is bf16 where `device` multiplies
    bf16 natively, and float32 elsewhere."""
    if precision != "auto":
        return torch.bfloat16 if precision == "bf16" else torch.float32
    native = torch.cuda.is_bf16_supported() if device.type == "cuda" else torch.cpu._is_avx512_bf16_supported()
    return torch.bfloat16 if native else torch.float32


def train_world_model(
    model: WorldModel,
    cache: FrameCache,
    episodes: NDArray[np.int64],
    settings: WorldModelTraining,
    folder: Path,
    seed: int,
    workers: Workers,
    dtype: torch.dtype,
    compiled: bool = False,
) -> History:
    """Train encoder and predictor on clips of `episodes`. The workers share out `batch` and `weights.coloured`, the
    number of pictures whose colours are decoded. With `compiled`, the loss is translated to machine code first."""
    model.normaliser.fit(cache.states[cache.frames_of(episodes)])
    sampler = ClipSampler(cache, episodes, settings.clip + model.config.context - 1, settings.stride)
    between = np.arange(settings.stride)
    token, frames = model.config.token, model.encoder.frames

    def batches(step: int) -> dict[str, Tensor]:
        clips = sampler.draw(settings.batch // workers.count, generator(seed, step, CLIPS, workers.rank))
        directions = generator(seed, step, PROJECTIONS).standard_normal(
            (token, settings.weights.projections), dtype=np.float32
        )
        seen = with_history(cache, clips, frames)
        rng = torch_generator(generator(seed, step, AUGMENTATION, workers.rank))
        # Tokens say where in the picture things are, so a clip must have one camera pose.
        images, plain = vary_clips(
            *(torch.from_numpy(cache.images[seen]), settings.augmentation, rng, model.config.views),
            one_camera=model.config.entities > 0,
        )
        return {
            "images": images,
            "plain": plain,
            "states": torch.from_numpy(cache.states[clips]),
            # Displacements add up, so their mean over the blocks between two frames gives the arm's displacement.
            "actions": torch.from_numpy(cache.actions[clips[:, :-1, None] + between].mean(2)),
            "projections": torch.from_numpy(directions),
        }

    schedule = Schedule(settings.steps, settings.learning_rate, precision=dtype, compiled=compiled)
    coloured = -(-settings.weights.coloured // workers.count)
    weights = msgspec.structs.replace(settings.weights, coloured=coloured)
    return train("world-model", JepaLoss(model, weights), batches, schedule, folder, seed, workers)


def train_predictor(
    model: WorldModel,
    cache: FrameCache,
    episodes: NDArray[np.int64],
    latents: Tensor,
    settings: PredictorTraining,
    folder: Path,
    seed: int,
    workers: Workers,
    dtype: torch.dtype,
) -> History:
    """Train the predictor on clips of the frozen `latents` (N, D) of `episodes`."""
    sampler = ClipSampler(cache, episodes, settings.clip + model.config.context - 1)
    with torch.inference_mode():
        proprio = model.cpu().normaliser(torch.from_numpy(cache.states)).clone()

    def batches(step: int) -> dict[str, Tensor]:
        clips = sampler.draw(settings.batch // workers.count, generator(seed, step, PREDICTOR, workers.rank))
        index = torch.from_numpy(clips)
        return {
            "latents": latents[index],
            "proprio": proprio[index],
            "actions": torch.from_numpy(cache.actions[clips[:, :-1]]),
        }

    schedule = Schedule(settings.steps, settings.learning_rate, precision=dtype)
    return train("predictor", PredictorLoss(model), batches, schedule, folder, seed, workers)


def train_decoder(
    decoder: Decoder,
    cache: FrameCache,
    latents: Tensor,
    settings: DecoderTraining,
    folder: Path,
    seed: int,
    workers: Workers,
    dtype: torch.dtype,
) -> History:
    """Train the decoder to draw the pictures that `latents` (N, D) encode."""
    every = max(1, cache.frames // 512)
    mean_picture = torch.from_numpy(cache.images[::every].mean(0, dtype=np.float64).astype(np.float32) / 255.0)

    def batches(step: int) -> dict[str, Tensor]:
        chosen = generator(seed, step, DECODER, workers.rank).integers(0, cache.frames, settings.batch // workers.count)
        return {"latents": latents[torch.from_numpy(chosen)], "images": torch.from_numpy(cache.images[chosen])}

    schedule = Schedule(settings.steps, settings.learning_rate, precision=dtype)
    return train("decoder", DecoderLoss(decoder, mean_picture), batches, schedule, folder, seed, workers)


@torch.inference_mode()
def expect_all(model: WorldModel, cache: FrameCache, latents: Tensor) -> tuple[Tensor, Tensor]:
    """Return the predicted latent (N, D) and scaled proprio (N, P) of every frame, on the CPU.

    Each is predicted from the frame before, given `latents` (N, D), the action taken there and, in a context of two,
    the frame before that one. An episode's first frame has no prediction: its own latent and proprio stand there.
    """
    model.eval().cpu()
    proprio = model.normaliser(torch.from_numpy(cache.states))
    actions = torch.from_numpy(cache.actions)
    expected, expected_proprio = latents.clone(), proprio.clone()
    earlier = torch.from_numpy(cache.frames_before())
    for first, end in _portions([cache.frames - 1], "expecting"):
        before = slice(first, end)
        after = slice(before.start + 1, before.stop + 1)
        expected[after], expected_proprio[after] = model.predictor(
            latents[before], proprio[before], actions[before], latents[earlier[before]]
        )
    begins = torch.from_numpy(cache.starts)
    expected[begins], expected_proprio[begins] = latents[begins], proprio[begins]
    return expected, expected_proprio


@torch.inference_mode()
def encode_all(
    model: WorldModel,
    cache: FrameCache,
    device: torch.device,
    augmentation: Augmentation | None = None,
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Return the latents (N, D) of every frame of the cache, on the CPU. With `augmentation` the pictures are varied
    first: all of an episode in the same way, drawn from `seed`. Matrices are multiplied in `dtype`."""
    model.eval().to(device)
    rng = torch_generator(generator(seed, 0, VARIED))
    latents = []
    ends = (cache.starts + cache.lengths).tolist() if augmentation is not None else [cache.frames]
    for first, end in _portions(ends, "encoding"):
        seen = with_history(cache, np.arange(first, end), model.encoder.frames)
        clips = torch.from_numpy(cache.images[seen])
        if augmentation is not None:
            varied = vary(clips.flatten(0, 1), augmentation, rng, model.config.views, group=seen.size)
            clips = varied.unflatten(0, seen.shape)
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=dtype != torch.float32):
            latents.append(model.encode_clips(clips.to(device)).float().cpu())
    return torch.cat(latents)


def _portions(ends: Sequence[int], what: str) -> Iterator[tuple[int, int]]:
    """Yield the first frame and the end of each batch, in order. No batch reaches across any of `ends`, the ends of
    episodes. A progress bar called `what` shows how far the caller has come."""
    with tqdm(total=ends[-1], desc=what, unit="frame", mininterval=0.5, delay=2.0) as bar:
        for start, stop in pairwise((0, *ends)):
            for first in range(start, stop, ENCODE_BATCH):
                end = min(first + ENCODE_BATCH, stop)
                yield first, end
                bar.update(end - first)
