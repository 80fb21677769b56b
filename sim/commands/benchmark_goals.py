"""`worldarm benchmark goals`: which goal pictures are refused, because they look like nothing that the model knows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import torch
import tyro

from control.model.trained_model import TrainedModel, load_trained
from control.policies import make_agent
from perception.checkpoint.card import PictureErrors
from perception.checkpoint.shipped import PRETRAINED_FOLDER
from robot.errors import CheckpointError, ConfigurationError
from robot.system.files import require_writable, write_json
from robot.system.seeds import require_seed
from sim.evaluation.refusals import measure_refusals, table
from sim.tasks.environments import ENVIRONMENTS, Environment, environment_of
from sim.world.cameras import camera_named
from sim.world.panda import panda_spec

SHIPPED = tuple(PRETRAINED_FOLDER / name for name in ENVIRONMENTS)


def goals(
    checkpoint: Annotated[
        tuple[Path, ...], tyro.conf.arg(help="folders of models, or names of those that come with worldarm")
    ] = SHIPPED,
    goals: Annotated[
        int, tyro.conf.arg(help="goals of each task, a fifth of that at each level but clean, and pictures of any kind")
    ] = 25,
    seed: Annotated[int, tyro.conf.arg(help="seed of the goals")] = 0,
    workers: Annotated[int, tyro.conf.arg(help="number of processes that make the pictures")] = 1,
    json: Annotated[Path | None, tyro.conf.arg(help="write every number to this file")] = None,
) -> None:
    """Measure how many goal pictures `worldarm run` refuses, because they look like nothing that the model knows.

    Goals of the model's own tasks should not be refused, at any level of `worldarm benchmark`. Pictures of one colour,
    noise, goals upside down and goals of another environment should. In between are pictures of a camera that was moved
    or turned. These goals are used for nothing else: not for training, not for the benchmark, and not to choose above
    which error pictures are refused. Shares have a 95 % Wilson interval. Prints a table. --json holds one object for
    one model, and a list for several.
    """
    if goals < 1 or workers < 1:
        raise ConfigurationError("--goals and --workers must be at least 1")
    if not checkpoint:
        raise ConfigurationError("--checkpoint needs at least one model")
    require_seed(seed)
    if json is not None:
        require_writable(json)
    torch.set_num_threads(1)
    found = []
    for trained, known, environment in [_required(each) for each in checkpoint]:
        found.append(measure_refusals(make_agent(trained, "hold"), known, environment, seed, goals, workers))
    print(f"{table(found)}\n")
    if json is not None:
        write_json(json, found[0] if len(found) == 1 else found)
        print(f"numbers: {json}")


def _required(checkpoint: Path) -> tuple[TrainedModel, PictureErrors, Environment]:
    """Return a model, the errors of the pictures that it knows, and its environment. Raises `CheckpointError` for one
    whose card lacks these errors, and the errors of `environment_of`."""
    trained = load_trained(checkpoint)
    environment = environment_of(trained.card.embodiment)
    camera = trained.card.embodiment.camera
    trained.card.require(panda_spec().name, camera_named(camera.name, camera.width, camera.height))
    if trained.card.picture_errors is None:
        raise CheckpointError(
            f"the card of {checkpoint} does not say which pictures the model knows, so that no goal is refused: "
            f"`worldarm check {checkpoint} --dataset DATA --calibrate` measures it"
        )
    return trained, trained.card.picture_errors, environment
