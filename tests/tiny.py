"""A tiny model, its card, and frames of random numbers, for tests that need the real things but not their size."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import torch

from control.model.trained_model import Parts, TrainedModel, new_parts
from control.policy.comparison import FlatComparison
from control.policy.pair_comparison import PairComparison
from perception.checkpoint.card import SCHEMA, Card, Gate, HeadsConfig, Provenance
from perception.model.encoders import EncoderConfig
from perception.model.world_model import WorldModelConfig
from perception.training_data.frame_cache import FrameCache
from robot.embodiment.actions import PLANAR_PUSH
from robot.embodiment.description import EmbodimentDescription
from robot.embodiment.proprioception import STATE_NAMES
from robot.wire.camera_spec import CameraSpec

CAMERA = CameraSpec("front", 32, 32, (54.0, 54.0), (16.0, 16.0), (1.1, 0.0, 0.7), (0.5, -0.5, 0.5, -0.5))
EMBODIMENT = EmbodimentDescription("panda-sim", CAMERA, PLANAR_PUSH, STATE_NAMES)
CONFIG = WorldModelConfig(height=32, width_px=32, proprio=7, action=2, latent=16, width=32, blocks=1, keypoints=4)
OF_TWO = msgspec.structs.replace(CONFIG, context=2)
ENTITIES_OF_THREE = msgspec.structs.replace(
    CONFIG, latent=33, keypoints=0, entities=3, encoder=EncoderConfig("entities", {"features": "8"})
)
HEADS = HeadsConfig(discount=0.9)


def sized(latent: int, proprio: int, action: int = 2, **more: Any) -> WorldModelConfig:
    return WorldModelConfig(latent=latent, proprio=proprio, action=action, **more)


def card(gates: tuple[Gate, ...] = (), fingerprint: str = "f" * 64, config: WorldModelConfig = CONFIG) -> Card:
    return Card(
        schema=SCHEMA,
        embodiment=EMBODIMENT,
        world_model=config,
        heads=HEADS,
        block_change=1.5,
        provenance=Provenance(
            fingerprint, 12, 372, 0, {"heads.steps": 8000, "heads.noise": 0.05}, 12.5, {"torch": "2"}
        ),
        gates=gates,
    )


def parts(seed: int = 0, config: WorldModelConfig = CONFIG) -> Parts:
    torch.manual_seed(seed)
    made = new_parts(config, HEADS)
    for part in made.named().values():
        part.eval().requires_grad_(False)
    return made


def critic_says(made: Parts, value: float = 0.0) -> Parts:
    """The same parts, whose critic now gives everything about this value: with 0 it finds every goal near."""
    for network in made.critic.networks:
        assert isinstance(network, FlatComparison | PairComparison)
        network.begin_at(value)
    return made


def trained(seed: int = 0, config: WorldModelConfig = CONFIG) -> TrainedModel:
    return TrainedModel(card(config=config), parts(seed, config))


def frames(lengths: list[int], seed: int = 0) -> FrameCache:
    """Episodes of these lengths with random contents. The first entry of each state is its frame's number."""
    rng = np.random.default_rng(seed)
    total = sum(lengths)
    states = rng.normal(size=(total, CONFIG.proprio)).astype(np.float32)
    states[:, 0] = np.arange(total)
    return FrameCache(
        images=rng.integers(0, 256, (total, CONFIG.height, CONFIG.width_px, 3), np.uint8),
        states=states,
        actions=rng.uniform(-1, 1, (total, CONFIG.action)).astype(np.float32),
        clean_actions=rng.uniform(-1, 1, (total, CONFIG.action)).astype(np.float32),
        truth=rng.uniform(-0.2, 0.2, (total, 1, 3)).astype(np.float32),
        starts=np.cumsum([0, *lengths[:-1]]).astype(np.int64),
        lengths=np.array(lengths, np.int64),
        recorded=np.arange(len(lengths)),
        fingerprint="f" * 64,
        series="e" * 64,
    )


def picture(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (CONFIG.height, CONFIG.width_px, 3), np.uint8)
