"""`worldarm benchmark compare`: all methods on the same goals, trained on the same data for the same time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
import torch
import tyro

from control.baselines.behaviour_cloning import Clone, ClonePolicy, CloneTraining, steps_within, train_clone
from control.learning.compatibility import embodiment_for, require_embodiment
from control.learning.doctor import HELD_OUT_SHARE
from control.model.trained_model import TrainedModel, load_trained
from control.policies import METHODS
from perception.training.compiler import require_compiler
from perception.training.run_folder import Settings, claim_run
from perception.training.world_model import compute_dtype
from perception.training_data.mirroring import with_mirrored
from perception.training_data.rig_view import open_seen, seen_by, view_like
from robot.dataset.reader import Dataset
from robot.errors import CheckpointError, ConfigurationError, DatasetError
from robot.system.bounds import MAX_SMALL_JSON_BYTES
from robot.system.figures import require_picture
from robot.system.files import make_folder, read_bounded, require_writable, write_json
from robot.system.seeds import require_seed
from sim.evaluation.episode import EpisodeRecord
from sim.evaluation.evaluate import Measurement, collect, measure, measure_agent
from sim.evaluation.summary import draw_summaries, summarise, table
from sim.tasks.environments import Environment, environment_of, pretrained_for
from sim.tasks.task import Level, Task
from sim.world.cameras import camera_named
from sim.world.panda import panda_spec

STEPS_FILE = "steps.json"


def compare(
    task: Annotated[Task, tyro.conf.arg(help="what to measure")] = "push",
    dataset: Annotated[Path, tyro.conf.arg(help="the data set that the checkpoint was trained on")] = Path("data/play"),
    checkpoint: Annotated[
        Path | None,
        tyro.conf.arg(
            help="folder of the model, or the name of one that comes with worldarm; None: the one for the task"
        ),
    ] = None,
    episodes: Annotated[int, tyro.conf.arg(help="held-out goals")] = 100,
    seed: Annotated[int, tyro.conf.arg(help="seed of the goals and of behaviour cloning")] = 0,
    level: Annotated[Level, tyro.conf.arg(help="as for `worldarm benchmark`")] = "clean",
    run: Annotated[Path, tyro.conf.arg(help="folder from which the training of behaviour cloning resumes")] = Path(
        "out/compare"
    ),
    clone_steps: Annotated[
        int | None,
        tyro.conf.arg(help="training steps of behaviour cloning; None: as long as the checkpoint's training took"),
    ] = None,
    workers: Annotated[
        int, tyro.conf.arg(help="number of processes that share the goals; with too few cores decisions take longer")
    ] = 1,
    json: Annotated[Path | None, tyro.conf.arg(help="write every number to this file")] = None,
    plot: Annotated[Path, tyro.conf.arg(help="write the plot to this file")] = Path("out/compare.png"),
) -> None:
    """Compare the full method with other methods on the same held-out goals.

    full: planning with model, critic and actor; critic-only: planning without the actor; actor-only: the actor without
    planning; latent-distance: planning that minimises the latent distance to the goal by CEM, as in LeWM and DINO-WM;
    latent-distance-mppi: the same by MPPI; behaviour-cloning: a policy trained on the same data on this machine, for
    the training time in the checkpoint's card, and compiled if that training was; hold: no motion; random: random
    actions. Prints a table and draws a plot.
    """
    if episodes < 1 or workers < 1 or (clone_steps is not None and clone_steps < 1):
        raise ConfigurationError("--episodes, --workers and --clone-steps must be at least 1")
    require_seed(seed)
    require_picture(plot, "--plot")
    checkpoint = checkpoint or pretrained_for(task)
    trained = load_trained(checkpoint)
    for path in (json, plot):
        if path is not None:
            require_writable(path)
    embodiment = trained.card.embodiment
    environment = environment_of(embodiment)
    known = embodiment.camera
    trained.card.require(panda_spec().name, camera_named(known.name, known.width, known.height))
    cloned = ClonePolicy(_cloned(trained, dataset, run, clone_steps, seed), embodiment)
    torch.set_num_threads(1)
    what = Measurement(task, level, "none", seed)
    summaries = []
    for name, runs in _in_turn(checkpoint, environment, cloned, what, range(episodes), workers):
        records = collect(runs, episodes, what, name)
        summaries.append(summarise(what, name, False, trained.card.weights_sha256, records))
    print(f"{table(summaries)}\n")
    if json is not None:
        write_json(json, summaries)
        print(f"numbers: {json}")
    draw_summaries(summaries, plot)
    print(f"plot: {plot}")


def _in_turn(
    checkpoint: Path, environment: Environment, cloned: ClonePolicy, what: Measurement, numbers: range, workers: int
) -> list[tuple[str, Iterator[EpisodeRecord]]]:
    """Return the methods by name, each with an iterator that runs it: planners and actor first, uninformed baselines
    last."""
    agents: list[tuple[str, Iterator[EpisodeRecord]]] = [
        (name, measure_agent(checkpoint, name, what, numbers, workers, None)) for name in METHODS
    ]
    return [*agents[:-2], (cloned.name, _measure_clone(environment, cloned, what, numbers)), *agents[-2:]]


def _measure_clone(
    environment: Environment, clone: ClonePolicy, what: Measurement, numbers: range
) -> Iterator[EpisodeRecord]:
    world = environment.world(clone.embodiment.camera, what.level)
    try:
        yield from measure(world, environment, what, clone, numbers)
    finally:
        world.close()


def _cloned(trained: TrainedModel, dataset: Path, run: Path, steps: int | None, seed: int) -> Clone:
    """Return a policy trained by behaviour cloning on the model's data, resuming what `run` holds."""
    card = trained.card
    source = Dataset.open(dataset)
    embodiment = embodiment_for(card, source)
    view = view_like(embodiment, card.embodiment.camera)
    require_embodiment(card, seen_by(embodiment, view), dataset)
    make_folder(run)
    cache = open_seen(source, view, embodiment, run / "cache")
    if cache.fingerprint != card.provenance.dataset_fingerprint:
        raise DatasetError(f"the checkpoint was not trained on {dataset}; give its training data by --dataset")
    fit, _ = cache.split(HELD_OUT_SHARE)
    if card.provenance.settings.get("mirror"):
        cache, mirrored = with_mirrored(cache, fit, card.embodiment)
        fit = np.concatenate([fit, mirrored])
    dtype = compute_dtype("auto", torch.device("cpu"))
    compiled = bool(card.provenance.settings.get("compiled"))
    if compiled:
        require_compiler()
    settings = CloneTraining()
    torch.manual_seed(seed)
    clone = Clone(card.world_model, card.heads)
    seconds = card.provenance.train_seconds
    if steps is None:
        steps = _remembered(
            run / STEPS_FILE,
            seconds,
            lambda: steps_within(seconds, clone, cache, fit, settings, seed, dtype, compiled),
        )
    computed: Settings = {"precision": str(dtype), "compiled": int(compiled)}
    claim_run(run, {"clone": {"dataset": cache.fingerprint, "seed": seed, "steps": steps, **computed}})
    train_clone(clone, cache, fit, steps, settings, run, seed, dtype, compiled)
    return clone


class _Steps(msgspec.Struct, frozen=True):
    """The number of training steps that this machine computes in `seconds`."""

    seconds: float
    steps: int


def _remembered(path: Path, seconds: float, count: Callable[[], int]) -> int:
    """Return the step count stored in `path` for `seconds`, or call `count` and store the result, so that a resumed
    training keeps its length."""
    if path.exists():
        try:
            known = msgspec.json.decode(read_bounded(path, MAX_SMALL_JSON_BYTES), type=_Steps)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OSError, ConfigurationError) as error:
            raise CheckpointError(f"{path} cannot be read ({error}); choose another --run folder") from error
        if known.seconds == seconds:
            return known.steps
    counted = count()
    write_json(path, _Steps(seconds, counted))
    return counted
