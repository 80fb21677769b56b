"""Trains the parts that know nothing of goals: the world model, then, on its frozen latents, predictor and decoder."""

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
from perception.training_data.augmentation import Augmentation, vary
from perception.training_data.clips import ClipSampler, generator, torch_generator
from perception.training_data.frame_cache import FrameCache

Precision = Literal["auto", "bf16", "float32"]

# What a step's random generator is for; drawn apart so that one part's settings never change another's data.
CLIPS, PROJECTIONS, DECODER, PREDICTOR, LOOKS, VARIED = 1, 2, 3, 4, 5, 6
ENCODE_BATCH = 1024


class WorldModelTraining(msgspec.Struct, frozen=True):
    """Settings of the world model's training: `steps` of `batch` clips of `clip` frames, `stride` blocks apart, which
    pictures are varied by `augmentation`; a context of two takes one frame more, before them. Over several blocks the
    arm goes about and things mostly stay: so they are what is learnt."""

    steps: int = 4000
    batch: int = 64
    clip: int = 3
    stride: int = 5
    learning_rate: float = 1.5e-3
    weights: JepaWeights = JepaWeights()
    augmentation: Augmentation = Augmentation()


class PredictorTraining(msgspec.Struct, frozen=True):
    """Settings of the predictor's second training, on frozen latents: `steps` of `batch` clips of `clip` frames, and of
    one more before them for a context of two."""

    steps: int = 2500
    batch: int = 128
    clip: int = 6
    learning_rate: float = 1e-3


class DecoderTraining(msgspec.Struct, frozen=True):
    """Settings of the decoder's training."""

    steps: int = 600
    batch: int = 64
    learning_rate: float = 2e-3


def compute_dtype(precision: Precision, device: torch.device) -> torch.dtype:
    """Return the type to multiply matrices in: bf16 where `device` multiplies it natively, unless told otherwise."""
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
    """Train encoder and predictor on clips of the given episodes; the `batch`, and how many of its pictures are
    `coloured`, are shared out over the workers."""
    model.normaliser.fit(cache.states[cache.frames_of(episodes)])
    sampler = ClipSampler(cache, episodes, settings.clip + model.config.context - 1, settings.stride)
    between = np.arange(settings.stride)
    latent = model.config.latent

    def batches(step: int) -> dict[str, Tensor]:
        clips = sampler.draw(settings.batch // workers.count, generator(seed, step, CLIPS, workers.rank))
        directions = generator(seed, step, PROJECTIONS).standard_normal(
            (latent, settings.weights.projections), dtype=np.float32
        )
        images = torch.from_numpy(cache.images[clips])
        rng = torch_generator(generator(seed, step, LOOKS, workers.rank))
        return {
            "images": vary(images.flatten(0, 1), settings.augmentation, rng, model.config.views).unflatten(
                0, clips.shape
            ),
            "plain": images,
            "states": torch.from_numpy(cache.states[clips]),
            # Displacements add up, so their mean over the blocks between two frames says where the arm went.
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
    """Train the predictor on clips of the frozen `latents` (N, D) of the given episodes."""
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
    """Train the decoder to draw the pictures that `latents` (N, D) came from."""
    every = max(1, cache.frames // 512)
    mean_picture = torch.from_numpy(cache.images[::every].mean(0, dtype=np.float64).astype(np.float32) / 255.0)

    def batches(step: int) -> dict[str, Tensor]:
        chosen = generator(seed, step, DECODER, workers.rank).integers(0, cache.frames, settings.batch // workers.count)
        return {"latents": latents[torch.from_numpy(chosen)], "images": torch.from_numpy(cache.images[chosen])}

    schedule = Schedule(settings.steps, settings.learning_rate, precision=dtype)
    return train("decoder", DecoderLoss(decoder, mean_picture), batches, schedule, folder, seed, workers)


@torch.inference_mode()
def expect_all(model: WorldModel, cache: FrameCache, latents: Tensor) -> tuple[Tensor, Tensor]:
    """Return what the model expects (N, D) of every frame, and its scaled proprio (N, P), from the frame before it, of
    `latents` (N, D), what was done there, and the one before that where the model looks at it; of an episode's first
    frame, what it is. On the CPU."""
    model.eval().cpu()
    proprio = model.normaliser(torch.from_numpy(cache.states))
    actions = torch.from_numpy(cache.actions)
    expected, felt = latents.clone(), proprio.clone()
    earlier = torch.arange(-1, cache.frames - 1)
    earlier[torch.from_numpy(cache.starts)] += 1
    for first, end in _portions([cache.frames - 1], "expecting"):
        before = slice(first, end)
        after = slice(before.start + 1, before.stop + 1)
        expected[after], felt[after] = model.predictor(
            latents[before], proprio[before], actions[before], latents[earlier[before]]
        )
    begins = torch.from_numpy(cache.starts)
    expected[begins], felt[begins] = latents[begins], proprio[begins]
    return expected, felt


@torch.inference_mode()
def encode_all(
    model: WorldModel,
    cache: FrameCache,
    device: torch.device,
    augmentation: Augmentation | None = None,
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Return the latents (N, D) of every frame of the cache, on the CPU; with `augmentation`, of varied pictures, each
    episode in one way, which depends on `seed`. Matrices are multiplied in `dtype`."""
    model.eval().to(device)
    rng = torch_generator(generator(seed, 0, VARIED))
    latents = []
    ends = (cache.starts + cache.lengths).tolist() if augmentation is not None else [cache.frames]
    for first, end in _portions(ends, "encoding"):
        # Copied, since the cache is mapped for reading only, and PyTorch warns of that.
        pictures = torch.from_numpy(np.array(cache.images[first:end]))
        if augmentation is not None:
            pictures = vary(pictures, augmentation, rng, model.config.views, alike=end - first)
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=dtype != torch.float32):
            latents.append(model.encode(pictures.to(device)).float().cpu())
    return torch.cat(latents)


def _portions(ends: Sequence[int], what: str) -> Iterator[tuple[int, int]]:
    """Return where each of the batches begins and ends in which frames are gone through, none across any of `ends`,
    showing how far that is."""
    with tqdm(total=ends[-1], desc=what, unit="frame", mininterval=0.5, delay=2.0) as bar:
        for start, stop in pairwise((0, *ends)):
            for first in range(start, stop, ENCODE_BATCH):
                end = min(first + ENCODE_BATCH, stop)
                yield first, end
                bar.update(end - first)
