"""`worldarm benchmark ablate`: the effect of leaving out each part of the training, and of less data."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, get_args

import matplotlib.pyplot as plt
import msgspec
import torch
import tyro

from control.learning.doctor import HELD_OUT_SHARE
from control.learning.heads import HeadTraining
from control.learning.origins import already_trained
from control.learning.pipeline import learn
from control.learning.settings import Learning
from control.learning.sizes import Sizes
from control.learning.training import Folders
from control.model.trained_model import load_trained
from control.policies import Method
from perception.model.losses.jepa import JepaWeights
from perception.training.distributed import Workers, join
from perception.training.world_model import DecoderTraining, PredictorTraining, WorldModelTraining
from perception.training_data.frame_cache import kept_aside
from robot.dataset.reader import Dataset
from robot.embodiment.description import read_embodiment
from robot.errors import ConfigurationError
from robot.system.figures import require_picture, save_figure
from robot.system.files import require_writable, write_json
from robot.system.seeds import require_seed
from sim.evaluation.evaluate import Measurement, collect, measure_agent
from sim.evaluation.summary import Summary, percent, summarise, table
from sim.tasks.task import Task

Part = Literal[
    "inverse",
    "sigreg",
    "posture",
    "colour",
    "blobs",
    "keypoints",
    "features",
    "pairs",
    "masks",
    "stride",
    "short-rollout",
    "long-rollout",
    "context",
    "data",
    "cameras",
]
OF_FLAT: frozenset[Part] = frozenset(("blobs", "keypoints", "features"))
"""Parts that only the training of a flat latent has."""
OF_ENTITIES: frozenset[Part] = frozenset(("pairs", "masks"))
"""Parts that only the training of entity tokens has."""
HEADS: Mapping[Part, Mapping[str, Any]] = MappingProxyType(
    {"features": {"features": 0}, "pairs": {"comparison": "whole", "masks": None}, "masks": {"masks": None}}
)
"""How critic and actor are trained without a part."""
WHOLE = "whole"


def ablate(
    task: Annotated[Task, tyro.conf.arg(help="what to measure")] = "push",
    parts: Annotated[
        tuple[Part, ...],
        tyro.conf.arg(
            help="inverse, sigreg, posture, colour, blobs: without that term of the loss; keypoints: without them; "
            "features: an actor that compares latents themselves; pairs: critic and actor compare all tokens at once, "
            "without masks; masks: they learn whole goals only; stride: on frames one block apart; short-rollout "
            "and long-rollout: clips of 2 and 6 frames; context: predict from two frames; data: a curve over the "
            "number of episodes; cameras: use each camera of a rig alone; none named: all that the model has, but the "
            "cameras"
        ),
    ] = (),
    data_sizes: Annotated[tuple[int, ...], tyro.conf.arg(help="numbers of episodes on that curve")] = (
        *(250, 500, 1000, 2000, 4000),
    ),
    dataset: Annotated[Path, tyro.conf.arg(help="the data set to learn from")] = Path("data/play"),
    run: Annotated[Path, tyro.conf.arg(help="folder for all trainings and checkpoints; they are kept")] = Path(
        "out/ablate"
    ),
    world_model: Annotated[
        WorldModelTraining, tyro.conf.arg(help="as for `worldarm train`, for every training")
    ] = WorldModelTraining(),
    predictor: Annotated[PredictorTraining, tyro.conf.arg(help="as for `worldarm train`")] = PredictorTraining(),
    decoder: Annotated[DecoderTraining, tyro.conf.arg(help="as for `worldarm train`")] = DecoderTraining(),
    heads: Annotated[HeadTraining, tyro.conf.arg(help="as for `worldarm train`")] = HeadTraining(),
    sizes: Annotated[Sizes, tyro.conf.arg(help="as for `worldarm train`")] = Sizes(),
    method: Annotated[Method, tyro.conf.arg(help="how the agent decides")] = "full",
    episodes: Annotated[int, tyro.conf.arg(help="held-out goals")] = 100,
    seed: Annotated[int, tyro.conf.arg(help="seed of the trainings and of the goals")] = 0,
    device: Annotated[Literal["cpu", "cuda"], tyro.conf.arg(help="where to train")] = "cpu",
    workers: Annotated[int, tyro.conf.arg(help="number of processes that share out the goals")] = 1,
    json: Annotated[Path | None, tyro.conf.arg(help="write every number to this file")] = None,
    plot: Annotated[Path, tyro.conf.arg(help="write the plot to this file")] = Path("out/ablate.png"),
) -> None:
    """Train again, each time without one part of the training or with fewer episodes, and measure every model on the
    same held-out goals.

    All trainings take the same number of steps. Finished ones are kept: the same command resumes where it was stopped,
    and uses checkpoints that were trained with the same settings on another machine. Prints a table with a row
    for each training, and draws a plot with the curve over data sizes.
    """
    if episodes < 1 or workers < 1:
        raise ConfigurationError("--episodes and --workers must be at least 1")
    require_seed(seed)
    require_picture(plot, "--plot")
    for path in (json, plot):
        if path is not None:
            require_writable(path)
    whole = Learning(world_model, predictor, decoder, heads, sizes, seed=seed)
    source, alone = Dataset.open(dataset), join(device)
    trainings = _possible(source, whole, parts or usual(whole), data_sizes)
    test = _Test(method, Measurement(task, "clean", "none", seed), episodes, workers)
    summaries = _measure_all(trainings, source, run, alone, test)
    _report(summaries, len(source) - kept_aside(len(source), HELD_OUT_SHARE), json, plot)


@dataclasses.dataclass(frozen=True)
class _Test:
    """How every model is measured: the `method` by which it decides, the task and its conditions, the number of
    `episodes`, and the number of processes (`workers`) that share them out."""

    method: Method
    measurement: Measurement
    episodes: int
    workers: int


def _possible(
    source: Dataset, whole: Learning, parts: tuple[Part, ...], data_sizes: tuple[int, ...]
) -> dict[str, Learning]:
    """Return the trainings by name. Raises `ConfigurationError` for those that the data set `source` cannot serve."""
    held, views = len(source), len(read_embodiment(source.info).camera.views)
    if "cameras" in parts and views == 1:
        raise ConfigurationError(
            f"--parts cameras: {source.root} was recorded with one camera; play with --camera tabletop-rig"
        )
    kind = "a flat latent" if whole.sizes.entities is None else "entities"
    if foreign := _foreign(whole).intersection(parts):
        raise ConfigurationError(
            f"--parts {' '.join(sorted(foreign))}: a model of {kind} has none of these to leave out; name the other "
            "parts"
        )
    if "data" in parts and (short := [size for size in data_sizes if not 1 <= size < held]):
        raise ConfigurationError(
            f"--data-sizes {' '.join(map(str, short))} must be between 1 and {held - 1}: {source.root} has {held} "
            "episodes; play more, or name smaller sizes"
        )
    return variants(whole, parts, data_sizes, views)


def _measure_all(
    trainings: dict[str, Learning], source: Dataset, run: Path, alone: Workers, test: _Test
) -> list[Summary]:
    """Train what is not trained yet, and measure each model on the same goals."""
    threads = torch.get_num_threads()
    fingerprint = source.fingerprint()
    summaries = []
    for name, learning in trainings.items():
        print(f"ablate: {name}", flush=True)
        torch.set_num_threads(threads)  # measuring changes it
        checkpoint = run / name / "checkpoint"
        if not already_trained(checkpoint, learning, fingerprint):
            learn(Folders(source.root, checkpoint, run / name, run / "cache"), learning, alone)
        digest = load_trained(checkpoint).card.weights_sha256
        runs = measure_agent(checkpoint, test.method, test.measurement, range(test.episodes), test.workers, None)
        records = collect(runs, test.episodes, test.measurement, name)
        summaries.append(summarise(test.measurement, name, False, digest, records))
    return summaries


def _report(summaries: list[Summary], whole: int, json: Path | None, plot: Path) -> None:
    """Print the table, and write the numbers and the plot. The first training learnt from `whole` episodes."""
    print(f"{table(summaries)}\n")
    if json is not None:
        write_json(json, summaries)
        print(f"numbers: {json}")
    draw_ablations(summaries, whole, plot)
    print(f"plot: {plot}")


def usual(whole: Learning) -> tuple[Part, ...]:
    """Return all parts that the model has, but the cameras: most data sets were recorded with a single one."""
    return tuple(part for part in get_args(Part)[:-1] if part not in _foreign(whole))


def _foreign(whole: Learning) -> frozenset[Part]:
    """Return the parts that a model of this kind does not have."""
    if whole.sizes.entities is None:
        return OF_ENTITIES
    return OF_FLAT if whole.heads.masks is not None else OF_FLAT | {"masks"}


def variants(whole: Learning, parts: tuple[Part, ...], data_sizes: tuple[int, ...], views: int) -> dict[str, Learning]:
    """Return the trainings by name: the `whole` one, and one or more for each of `parts`. `views` cameras recorded the
    data."""
    made = {WHOLE: whole}
    for part in parts:
        if part == "data":
            made |= {f"{size} episodes": dataclasses.replace(whole, episodes=size) for size in data_sizes}
        elif part == "keypoints":
            made["no keypoints"] = dataclasses.replace(whole, sizes=dataclasses.replace(whole.sizes, keypoints=0))
        elif part in HEADS:
            made[f"no {part}"] = dataclasses.replace(whole, heads=msgspec.structs.replace(whole.heads, **HEADS[part]))
        elif part == "cameras":
            made |= {f"camera {n} alone": dataclasses.replace(whole, view=n) for n in range(1, views + 1)}
        elif part == "context":
            made["context of 2"] = dataclasses.replace(whole, sizes=dataclasses.replace(whole.sizes, context=2))
        else:
            made |= _without(whole, part)
    return made


def _without(whole: Learning, part: Part) -> dict[str, Learning]:
    """Return, by its name, the training whose world model learns without `part`."""
    settings = whole.world_model
    if part == "stride":
        return {"stride 1": _with(whole, msgspec.structs.replace(settings, stride=1))}
    if part in ("short-rollout", "long-rollout"):
        frames = 2 if part == "short-rollout" else 6
        return {f"clips of {frames}": _with(whole, msgspec.structs.replace(settings, clip=frames))}
    weights: JepaWeights = msgspec.structs.replace(settings.weights, **{part: 0.0})
    return {f"no {part}": _with(whole, msgspec.structs.replace(settings, weights=weights))}


def _with(whole: Learning, settings: WorldModelTraining) -> Learning:
    return dataclasses.replace(whole, world_model=settings)


def draw_ablations(summaries: list[Summary], whole: int, path: Path) -> None:
    """Write a PNG: the success rate of each training with its interval, and the curve over the number of episodes. The
    first training learnt from `whole` episodes."""
    sizes = [s for s in summaries if s.method.endswith(" episodes")]
    others = [s for s in summaries if s not in sizes]
    first = (summaries[0].success, summaries[0].ci95)
    figure, (bars, curve) = plt.subplots(1, 2, figsize=(10, 3.8))
    shares, reach = percent([(s.success, s.ci95) for s in others])
    bars.barh([s.method for s in others], shares, xerr=reach, capsize=3, color="#3b6ea5")
    bars.invert_yaxis()
    bars.set_xlim(0, 105)
    bars.set_xlabel("success within the budget, % (95 % interval)")
    bars.set_title(f"{summaries[0].task}, {summaries[0].episodes} held-out goals")
    if sizes:
        points = sorted([(int(s.method.split()[0]), s.success, s.ci95) for s in sizes] + [(whole, *first)])
        counts = [count for count, *_ in points]
        shares, reach = percent([(success, interval) for _, success, interval in points])
        curve.errorbar(counts, shares, yerr=reach, marker="o", capsize=3, color="#d98c3f")
        curve.set_xscale("log")
        curve.set_xticks(counts, [str(count) for count in counts])
        curve.minorticks_off()
        curve.set_xlabel("episodes of play learnt from")
        curve.set_ylim(0, 105)
        curve.grid(alpha=0.3)
    else:
        curve.set_axis_off()
    save_figure(figure, path)
