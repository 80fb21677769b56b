"""The stages of a training, in the order in which they run. Each resumes where it was interrupted."""

from __future__ import annotations

import msgspec
import torch
from torch import Tensor

from control.learning.heads import train_actor, train_critic
from control.learning.hindsight import EncodedFrames, HindsightSampler
from control.learning.training import Training
from perception.model.entities.layout import layout_of
from perception.training.world_model import (
    encode_all,
    expect_all,
    train_decoder,
    train_predictor,
    train_world_model,
)


def fit_world_model(training: Training) -> None:
    """Train encoder and predictor; or, where an encoder is kept, take world model and decoder from its checkpoint."""
    parts, learning, machine = training.parts, training.learning, training.machine
    if training.known is not None:
        parts.model.load_state_dict(training.known.parts.model.state_dict())
        parts.decoder.load_state_dict(training.known.parts.decoder.state_dict())
        return
    training.histories["world model"] = train_world_model(
        *(parts.model, training.cache, training.fit, learning.world_model, training.folders.run),
        *(learning.seed, machine.workers, machine.dtype, machine.compiled),
    )


def encode(training: Training) -> Tensor:
    """Return the latents (N, D) of all frames as they are."""
    return encode_all(training.parts.model, training.cache, training.machine.workers.device)


def fit_predictor(training: Training, latents: Tensor) -> None:
    """Train the predictor a second time, on the frozen `latents` (N, D)."""
    learning, machine = training.learning, training.machine
    training.histories["predictor"] = train_predictor(
        *(training.parts.model, training.cache, training.fit, latents, learning.predictor, training.folders.run),
        *(learning.seed, machine.workers, machine.dtype),
    )


def fit_decoder(training: Training, latents: Tensor) -> None:
    """Train the decoder to draw the pictures of `latents` (N, D). One that came with a kept encoder stays as it is."""
    if training.known is not None:
        return
    learning, machine = training.learning, training.machine
    training.histories["decoder"] = train_decoder(
        *(training.parts.decoder, training.cache, latents, learning.decoder, training.folders.run),
        *(learning.seed, machine.workers, machine.dtype),
    )


def augmented_views(training: Training, latents: Tensor) -> list[EncodedFrames]:
    """Return the frames as critic and actor learn from them: as they are (`latents`, (N, D)), and, where training
    varies pictures, once more with every picture varied."""
    model, cache, learning, machine = training.parts.model, training.cache, training.learning, training.machine
    views = [latents]
    if learning.world_model.augmentation.share > 0:
        augmentation = msgspec.structs.replace(learning.world_model.augmentation, share=1.0)
        views.append(encode_all(model, cache, machine.workers.device, augmentation, learning.seed, machine.dtype))
    return [EncodedFrames(view, *expect_all(model, cache, view)) for view in views]


def fit_heads(training: Training, views: list[EncodedFrames]) -> None:
    """Train the critic, then the actor, which weighs actions by the critic's advantage."""
    parts, learning, machine = training.parts, training.learning, training.machine
    sampler = HindsightSampler(
        *(training.cache, training.fit, views, torch.from_numpy(training.cache.clean_actions)),
        *(learning.heads.masks or 0.0, layout_of(parts.model.encoder)),
    )
    common = (sampler, learning.heads, training.folders.run, learning.seed, machine.workers, machine.dtype)
    training.histories["critic"] = train_critic(parts.critic, *common)
    training.histories["actor"] = train_actor(parts.actor, parts.critic, parts.model.predictor, *common)


def choose_landmarks(training: Training, frames: EncodedFrames) -> None:
    """Choose the states to remember among those that were learnt from, and finish all parts for use on the CPU."""
    of_fit = torch.from_numpy(training.cache.frames_of(training.fit))
    training.parts.landmarks.choose(frames.latents[of_fit], frames.proprio[of_fit], training.learning.seed)
    for part in training.parts.named().values():
        part.cpu().eval()
