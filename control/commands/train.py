"""`worldarm train`: from a data set to a checkpoint in one command, going on where it was stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import tyro

from control.learning.doctor import verdict
from control.learning.heads import HeadTraining
from control.learning.pipeline import learn
from control.learning.settings import Learning
from control.learning.sizes import Sizes
from control.learning.training import Folders
from perception.training.distributed import join, leave
from perception.training.world_model import DecoderTraining, Precision, PredictorTraining, WorldModelTraining


def train(
    dataset: Annotated[Path, tyro.conf.arg(help="the data set to learn from")] = Path("data/play"),
    output: Annotated[Path, tyro.conf.arg(help="folder for the finished checkpoint")] = Path("out/checkpoint"),
    run: Annotated[Path, tyro.conf.arg(help="folder for what a resume needs, and the curves")] = Path("out/train"),
    world_model: Annotated[
        WorldModelTraining, tyro.conf.arg(help="training of encoder and predictor")
    ] = WorldModelTraining(),
    predictor: Annotated[
        PredictorTraining, tyro.conf.arg(help="second training of the predictor, on frozen latents")
    ] = PredictorTraining(),
    decoder: Annotated[DecoderTraining, tyro.conf.arg(help="training of the drawing decoder")] = DecoderTraining(),
    heads: Annotated[HeadTraining, tyro.conf.arg(help="training of critic and actor")] = HeadTraining(),
    sizes: Annotated[Sizes, tyro.conf.arg(help="sizes of the world model")] = Sizes(),
    episodes: Annotated[
        int | None, tyro.conf.arg(help="learn from the first so many episodes alone; None for all that do not judge")
    ] = None,
    mirror: Annotated[
        bool, tyro.conf.arg(help="learn from mirror images too; the camera must look along the arm's own plane")
    ] = False,
    encoder: Annotated[
        Path | None,
        tyro.conf.arg(
            help="keep the encoder of this checkpoint, a folder or the name of one that comes with worldarm, and learn "
            "the rest: minutes, after practice has added to the data; --sizes are then its own, unless given"
        ),
    ] = None,
    camera: Annotated[
        str | None, tyro.conf.arg(help="see through the camera of this name, of a set with several; None: the first")
    ] = None,
    view: Annotated[
        int | None, tyro.conf.arg(help="see with one camera of a rig alone, counted from 1; None for all of them")
    ] = None,
    seed: Annotated[int, tyro.conf.arg(help="the same seed and data give the same weights on the same machine")] = 0,
    device: Annotated[Literal["cpu", "cuda"], tyro.conf.arg(help="where to compute")] = "cpu",
    precision: Annotated[
        Precision, tyro.conf.arg(help="bf16 is faster where the CPU has it, which auto finds out")
    ] = "auto",
    compiled: Annotated[
        bool,
        tyro.conf.arg(name="compile", help="compile the world model's training first: a minute that saves ten or more"),
    ] = False,
) -> None:
    """Learn a world model from a data set, then critic and actor on its latents, and write a checkpoint.

    Shows progress with the time left, draws the loss curves, and measures the finished model with the doctor's gates.
    Stopped at any time, even by SIGKILL, the same command goes on exactly where it was. The work is shared over the
    processes of `torchrun --nproc-per-node N -m -- worldarm train ...` (the `--` keeps torchrun from the options).
    """
    learning = Learning(world_model, predictor, decoder, heads, sizes, episodes, seed, mirror, encoder, view, camera)
    workers = join(device)
    try:
        gates = learn(Folders(dataset, output, run, run / "cache"), learning, workers, precision, compiled)
    finally:
        leave(workers)
    if workers.leads:
        print(f"checkpoint in {output}, loss curves in {run / 'curves.png'}")
        print(verdict(list(gates)))
