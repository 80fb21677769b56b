"""A whole training: the world model; then predictor, decoder, critic and actor on its latents; then the doctor."""

from __future__ import annotations

from control.learning.doctor import examine
from control.learning.machine import open_machine
from control.learning.settings import Learning
from control.learning.stages import (
    augmented_views,
    choose_landmarks,
    encode,
    fit_decoder,
    fit_heads,
    fit_predictor,
    fit_world_model,
)
from control.learning.training import Folders, open_training
from control.learning.training_card import training_card
from control.model.trained_model import TrainedModel, save_trained
from perception.checkpoint.card import Gate
from perception.training.curves import draw_curves
from perception.training.distributed import Workers
from perception.training.world_model import Precision


def learn(
    folders: Folders,
    learning: Learning,
    workers: Workers,
    precision: Precision = "auto",
    compiled: bool = False,
) -> tuple[Gate, ...]:
    """Train a model on a data set and write its checkpoint, resuming what the run's folder holds. With
    `compiled` the world model's training is compiled to machine code first.

    Returns the doctor's gates; none in processes that do not lead. Raises as `open_training` does, and
    `CheckpointError` when a part diverges.
    """
    training = open_training(folders, learning, open_machine(workers, precision, compiled))
    fit_world_model(training)
    latents = encode(training)
    fit_predictor(training, latents)
    fit_decoder(training, latents)
    views = augmented_views(training, latents)
    fit_heads(training, views)
    if not workers.leads:
        return ()
    choose_landmarks(training, views[0])
    state_names, seed = training.embodiment.state_names, training.learning.seed
    gates = examine(training.parts, training.cache, latents, training.fit, training.judge, state_names, seed)
    save_trained(folders.output, TrainedModel(training_card(training, latents, tuple(gates)), training.parts))
    draw_curves(training.histories, folders.run / "curves.png")
    return tuple(gates)
