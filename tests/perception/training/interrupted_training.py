"""A training that says each step it took, for a test that kills it.

    python -m tests.perception.training.interrupted_training FOLDER STEPS OUTPUT

trains in FOLDER and writes the final weights to OUTPUT.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from perception.model.losses.jepa import JepaLoss, JepaWeights
from perception.model.world_model import WorldModel
from perception.training import loop as trainer
from perception.training.distributed import Workers
from perception.training_data.clips import generator
from tests.tiny import CONFIG

LEARNING_RATE = 3e-3


def loss_module(seed: int = 0) -> JepaLoss:
    """A tiny world model in training, with dropout."""
    torch.manual_seed(seed)
    return JepaLoss(WorldModel(CONFIG), JepaWeights(projections=8))


def batches(step: int) -> dict[str, Tensor]:
    """Random numbers that depend on the step alone."""
    rng = generator(0, step, 1)
    images = torch.from_numpy(rng.integers(0, 256, (4, 3, 32, 32, 3), dtype="uint8"))
    return {
        "images": images[:, :, None],
        "plain": images,
        "states": torch.from_numpy(rng.standard_normal((4, 3, CONFIG.proprio), dtype="float32")),
        "actions": torch.from_numpy(rng.uniform(-1, 1, (4, 2, CONFIG.action)).astype("float32")),
        "projections": torch.from_numpy(rng.standard_normal((CONFIG.latent, 8), dtype="float32")),
    }


def alone() -> Workers:
    return Workers(0, 1, torch.device("cpu"))


def run(module: nn.Module, folder: Path, steps: int) -> trainer.History:
    schedule = trainer.Schedule(steps, LEARNING_RATE)
    return trainer.train(
        "world-model", module, batches, schedule, folder, 0, alone(), lambda: print("step", flush=True)
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    trainer.SAVE_EVERY_S = 0.0  # so that a kill often lands in the middle of a save
    trained = loss_module()
    run(trained, Path(sys.argv[1]), int(sys.argv[2]))
    save_file(trained.state_dict(), sys.argv[3])
