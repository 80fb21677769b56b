"""`worldarm benchmark scaling`: the speed-up of training in several processes, and whether the losses stay the same."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
import torch
import tyro

from control.learning.doctor import HELD_OUT_SHARE
from control.learning.sizes import Sizes, encoder_for, model_config
from perception.model.encoders import EncoderDescription
from perception.model.losses.jepa import JepaWeights
from perception.model.world_model import WorldModel
from perception.training.distributed import join, leave
from perception.training.world_model import WorldModelTraining, compute_dtype, train_world_model
from perception.training_data.frame_cache import FrameCache, open_cache
from robot.dataset.reader import Dataset
from robot.embodiment.description import EmbodimentDescription, read_embodiment
from robot.errors import ConfigurationError, ConnectionLost
from robot.system.bounds import MAX_SMALL_JSON_BYTES
from robot.system.files import read_bounded, require_writable, write_json

LAST_SHARE = 0.2
"""Share of the steps, the last ones, over which the loss is averaged."""
PER_STEP_S = 60.0
STARTING_S = 300.0
"""A training that takes longer than this and `PER_STEP_S` for each step is ended."""
ENDING_S = 60.0
"""The longest time that a training may take to end when asked to."""


class Trained(msgspec.Struct, frozen=True):
    """One training in `processes` of one thread each: its steps per second, and the mean of its last losses with their
    standard deviation (`spread`, its name in the JSON). `faster` is the speed-up over one process for every doubling of
    the number of processes; 1 means no speed-up. `apart` is the number of steps per second of as many independent
    trainings side by side, each on its share of the batch: the most that the machine allows."""

    processes: int
    steps_per_s: float
    loss: float
    spread: float
    faster: float | None = None
    apart: float | None = None


def benchmark_scaling(
    dataset: Annotated[Path, tyro.conf.arg(help="the data set to learn from; it may be small")] = Path("data/play"),
    processes: Annotated[tuple[int, ...], tyro.conf.arg(help="numbers of processes to compare")] = (1, 2),
    steps: Annotated[int, tyro.conf.arg(help="steps of each training")] = 100,
    batch: Annotated[int, tyro.conf.arg(help="clips in each step, shared out over the processes")] = 64,
    json: Annotated[Path | None, tyro.conf.arg(help="write every number to this file")] = None,
) -> None:
    """Train the world model for some steps in one process and in several, under torchrun as `worldarm train` may be.

    Each process computes with one thread, so that numbers of cores are compared. All trainings take the same number of
    steps with the same batch, so their losses should differ by chance alone. The last column is the speed of as many
    processes side by side that do the same work and do not wait for each other: the most that the cores allow.
    """
    if len(processes) < 1 or min(processes) < 1 or steps < 10:
        raise ConfigurationError("--processes must be at least 1, and --steps at least 10")
    if batch < max(processes):
        raise ConfigurationError(f"--batch {batch} is too small for {max(processes)} processes")
    if json is not None:
        require_writable(json)
    # Decoded once, here: otherwise every training would begin by decoding.
    with tempfile.TemporaryDirectory(prefix="worldarm-scaling-") as place:
        source = Dataset.open(dataset)
        _frames(source, Path(place) / "cache")
        runs = [_measure(dataset, count, steps, batch, Path(place)) for count in processes]
    runs = [msgspec.structs.replace(run, faster=_faster(run, runs[0])) for run in runs]
    print(table(runs))
    if json is not None:
        write_json(json, runs)
        print(f"\nnumbers: {json}")


def table(runs: list[Trained]) -> str:
    """Return a Markdown table, one row a training."""
    rows = ["| processes | steps/s | × for every doubling | loss at the end | steps/s apart |", "|---|---|---|---|---|"]
    for run in runs:
        faster, apart = ("" if value is None else f"{value:.2f}" for value in (run.faster, run.apart))
        rows.append(
            f"| {run.processes} | {run.steps_per_s:.2f} | {faster} | {run.loss:.3f} ± {run.spread:.3f} | {apart} |"
        )
    return "\n".join(rows)


def _faster(run: Trained, first: Trained) -> float | None:
    """Return the speed-up of `run` over `first` for every doubling of the number of processes; None for no doubling."""
    if run.processes <= first.processes:
        return None
    return float((run.steps_per_s / first.steps_per_s) ** (1.0 / np.log2(run.processes / first.processes)))


def _measure(dataset: Path, count: int, steps: int, batch: int, place: Path) -> Trained:
    """Train in `count` processes together and then, if there are several, in as many independent ones. Raises
    `ConnectionLost` when one fails or hangs."""
    print(f"training in {count} process(es)", flush=True)
    cache = str(place / "cache")
    together = place / f"{count}.json"
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count), "-m", "--", __name__]
    words = [str(dataset), cache, str(place / f"run-{count}"), str(together), str(steps), str(batch), "1"]
    _run([[*launch, *words]], steps)
    trained = _answer(together)
    if count == 1:
        return trained
    print(f"training in {count} processes apart", flush=True)
    answers = [place / f"{count}-{number}.json" for number in range(count)]
    share = [str(steps), str(batch // count), str(count)]
    _run(
        [["-m", __name__, str(dataset), cache, str(answer.with_suffix("")), str(answer), *share] for answer in answers],
        steps,
    )
    return msgspec.structs.replace(trained, apart=float(np.mean([_answer(path).steps_per_s for path in answers])))


def _run(commands: list[list[str]], steps: int) -> None:
    """Run Python side by side with the words of each of `commands`, until all have ended. Raises `ConnectionLost` when
    one fails or hangs; none is left running."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    running = [subprocess.Popen([sys.executable, *command], env=environment) for command in commands]
    until = time.monotonic() + STARTING_S + steps * PER_STEP_S
    try:
        statuses = [process.wait(max(0.0, until - time.monotonic())) for process in running]
    except subprocess.TimeoutExpired as error:
        raise ConnectionLost(f"a training did not end in time: {error}") from error
    finally:
        for process in running:
            process.terminate()  # torchrun ends its own processes on this, and could not on being killed
        for process in running:
            process.wait(ENDING_S)
    if any(statuses):
        raise ConnectionLost(f"a training failed, with exit status {max(statuses, key=abs)}; its messages are above")


def _answer(path: Path) -> Trained:
    try:
        return msgspec.json.decode(read_bounded(path, MAX_SMALL_JSON_BYTES), type=Trained)
    except (OSError, msgspec.MsgspecError, ConfigurationError) as error:
        raise ConnectionLost(f"a training left no figures: {error}") from error


def _frames(source: Dataset, folder: Path) -> tuple[EmbodimentDescription, FrameCache, EncoderDescription]:
    """Return how `source` was recorded, its frames, which are decoded to `folder`, and the encoder to learn with."""
    encoder = encoder_for(source, Sizes(), None, None)
    embodiment = read_embodiment(source.info, picture=encoder.picture)
    return embodiment, open_cache(source, embodiment.camera.name, folder, encoder.picture), encoder


def _train(dataset: Path, cache_folder: Path, run: Path, answer: Path, steps: int, batch: int, shares: int) -> None:
    """Be one of the processes. It does one of `shares` equal shares of the work that does not depend on the batch; the
    leader writes the figures to `answer`."""
    torch.set_num_threads(1)
    workers = join("cpu")
    try:
        source = Dataset.open(dataset)
        embodiment, cache, encoder = _frames(source, cache_folder)
        fit, _ = cache.split(HELD_OUT_SHARE)
        run.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(0)
        model = WorldModel(model_config(cache, embodiment, Sizes(), encoder))
        usual = JepaWeights()
        weights = msgspec.structs.replace(usual, coloured=usual.coloured // shares)
        settings = WorldModelTraining(steps=steps, batch=batch, weights=weights)
        dtype = compute_dtype("auto", workers.device)
        history = train_world_model(model, cache, fit, settings, run, 0, workers, dtype)
        if workers.leads:
            losses = history.terms["loss"][-max(2, round(len(history.steps) * LAST_SHARE)) :]
            found = Trained(workers.count, steps / history.seconds, float(np.mean(losses)), float(np.std(losses)))
            write_json(answer, found)
    finally:
        leave(workers)


if __name__ == "__main__":
    _data, _cache, _place, _figures = map(Path, sys.argv[1:5])
    _steps, _batch, _shares = map(int, sys.argv[5:8])
    _train(_data, _cache, _place, _figures, _steps, _batch, _shares)
