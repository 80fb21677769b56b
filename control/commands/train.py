"""`worldarm train`: makes a checkpoint from a data set, and resumes after an interruption."""

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
    run: Annotated[Path, tyro.conf.arg(help="folder to resume from, and for the loss curves")] = Path("out/train"),
    world_model: Annotated[
        WorldModelTraining, tyro.conf.arg(help="training of encoder and predictor")
    ] = WorldModelTraining(),
    predictor: Annotated[
        PredictorTraining, tyro.conf.arg(help="second training of the predictor, on frozen latents")
    ] = PredictorTraining(),
    decoder: Annotated[DecoderTraining, tyro.conf.arg(help="training of the drawing decoder")] = DecoderTraining(),
    heads: Annotated[HeadTraining, tyro.conf.arg(help="training of critic and actor")] = HeadTraining(),
    sizes: Annotated[Sizes, tyro.conf.arg(help="encoder and sizes of the world model")] = Sizes(),
    episodes: Annotated[
        int | None,
        tyro.conf.arg(help="number of (first) episodes to learn from; None: all not held out"),
    ] = None,
    mirror: Annotated[
        bool, tyro.conf.arg(help="learn from mirror images too; the camera must look along the arm's own plane")
    ] = False,
    encoder: Annotated[
        Path | None,
        tyro.conf.arg(
            help="keep the encoder of this checkpoint (a folder, or the name of one that comes with worldarm) and "
            "train only the rest (minutes), for example after practice; --sizes default to the checkpoint's"
        ),
    ] = None,
    camera: Annotated[
        str | None, tyro.conf.arg(help="use this camera, if the data set has several; None: the first")
    ] = None,
    view: Annotated[
        int | None, tyro.conf.arg(help="use only this camera of a rig, counted from 1; None: all of them")
    ] = None,
    seed: Annotated[int, tyro.conf.arg(help="the same seed and data give the same weights on the same machine")] = 0,
    device: Annotated[Literal["cpu", "cuda"], tyro.conf.arg(help="where to compute")] = "cpu",
    precision: Annotated[
        Precision, tyro.conf.arg(help="data type of matrix products; auto: bf16 where the device supports it")
    ] = "auto",
    compiled: Annotated[
        bool,
        tyro.conf.arg(name="compile", help="compile the world model's training: takes a minute, saves ten or more"),
    ] = False,
) -> None:
    """Learn a world model from a data set, then critic and actor on its latents, and write a checkpoint.

    Shows progress with the time left, draws the loss curves, and measures the finished model with the doctor's gates.
    After an interruption at any time, even by SIGKILL, the same command resumes exactly where it was. Several processes
    share the work with `torchrun --nproc-per-node N -m -- worldarm train ...` (the `--` ends torchrun's own options).
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
