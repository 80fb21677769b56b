"""A checkpoint of the simulated arm and its front camera that has learnt nothing, and is quick to think."""

from __future__ import annotations

from pathlib import Path

import msgspec
import torch

from control.model.trained_model import TrainedModel, new_parts, save_trained
from perception.checkpoint.card import Card
from sim.world.cameras import front_camera
from tests import tiny

NEVER = -1.0


def untrained_card(block_change: float = NEVER) -> Card:
    """Its card; with 32×32 pictures, and never content unless `block_change` says so."""
    embodiment = msgspec.structs.replace(tiny.EMBODIMENT, camera=front_camera(32, 32))
    # Nothing is certain at the first look, so that what comes after it is seen.
    decision = {"goal_detection": {"sure": 0.0}}
    return msgspec.structs.replace(tiny.card(), embodiment=embodiment, block_change=block_change, decision=decision)


def untrained_checkpoint(folder: Path, block_change: float = NEVER) -> Path:
    """Write it to `folder`."""
    card = untrained_card(block_change)
    torch.manual_seed(0)
    save_trained(folder, TrainedModel(card, tiny.critic_says(new_parts(card.world_model, card.heads))))
    return folder
