"""`worldarm benchmark demonstrations`: a hand at the page demonstrates, a model learns from that, and is measured."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Annotated

import msgspec
import tyro

from control.learning.doctor import verdict
from control.learning.heads import HeadTraining
from control.learning.pipeline import learn
from control.learning.settings import Learning
from control.learning.sizes import Sizes
from control.learning.training import Folders
from control.model.trained_model import load_trained
from control.policies import Method
from perception.checkpoint.card import Gate
from perception.training.distributed import join
from perception.training.world_model import DecoderTraining, PredictorTraining, WorldModelTraining
from robot.dataset.edit.check import check
from robot.dataset.format.schema import INFO_PATH, read_info
from robot.dataset.reader import Dataset
from robot.dataset.report.quality import measure_quality
from robot.errors import ConfigurationError, DatasetError
from robot.system.files import make_folder, require_writable, write_json
from robot.system.seeds import require_seed
from sim.evaluation.evaluate import Measurement, collect, measure_agent
from sim.evaluation.summary import Summary, summarise, table
from sim.world.cameras import front_camera
from tests.benchmarks.lerobot_process import running_reference
from tests.benchmarks.page_demonstrations import record_demonstrations

METHODS: tuple[Method, ...] = ("full", "actor-only", "random", "hold")
_READ = 64
"""Frames that the other library reads."""


class Recorded(msgspec.Struct, frozen=True):
    """The demonstrations: how many `episodes` of how many `rows`, `minutes` long in all, recorded at `rate_hz` with so
    many frames `dropped` and episodes `marked`; in which time this run `recorded` how many of them, and how many it
    `discarded`; and which `lerobot` read the set (empty when none was asked)."""

    dataset: str
    episodes: int
    rows: int
    minutes: float
    rate_hz: float
    dropped: int
    marked: int
    recorded: int
    discarded: int
    recording_s: float
    lerobot: str


class Learnt(msgspec.Struct, frozen=True):
    """How the model was learnt: what it was `begun` from, in words, from so many `blocks`, in `seconds`, and the
    doctor's `gates`."""

    begun: str
    blocks: int
    seconds: float
    gates: tuple[Gate, ...]


class Found(msgspec.Struct, frozen=True):
    """All that was measured."""

    recorded: Recorded
    learnt: Learnt
    reached: tuple[Summary, ...]


def benchmark_demonstrations(
    folder: Annotated[
        Path, tyro.conf.arg(help="where data set, training and checkpoint go; what is there is gone on with")
    ] = Path("out/demonstrations"),
    episodes: Annotated[int, tyro.conf.arg(help="demonstrations; those that are there already count")] = 50,
    episode_s: Annotated[float, tyro.conf.arg(help="seconds of moving about in each, before its last way")] = 14.0,
    goals: Annotated[int, tyro.conf.arg(help="held-out goals to reach")] = 50,
    encoder: Annotated[
        Path | None,
        tyro.conf.arg(
            help="keep the encoder of this checkpoint, and learn all else from the demonstrations; None: learn that too"
        ),
    ] = Path("push"),
    mirror: Annotated[bool, tyro.conf.arg(help="learn from mirror images too, as for `worldarm train`")] = True,
    world_model: Annotated[
        WorldModelTraining, tyro.conf.arg(help="training of encoder and predictor, as for `worldarm train`")
    ] = WorldModelTraining(steps=1500),
    predictor: Annotated[PredictorTraining, tyro.conf.arg(help="likewise")] = PredictorTraining(steps=1500),
    decoder: Annotated[DecoderTraining, tyro.conf.arg(help="likewise")] = DecoderTraining(),
    heads: Annotated[HeadTraining, tyro.conf.arg(help="likewise")] = HeadTraining(steps=8000),
    sizes: Annotated[Sizes, tyro.conf.arg(help="likewise")] = Sizes(),
    lerobot_python: Annotated[
        Path | None, tyro.conf.arg(help="interpreter that has lerobot, which is to read the set too")
    ] = None,
    browser_path: Annotated[str | None, tyro.conf.arg(name="browser", help="Chromium, where not the system's own")] = (
        None
    ),
    seed: Annotated[int, tyro.conf.arg(help="of the hand, the training and the goals")] = 0,
    json: Annotated[Path | None, tyro.conf.arg(help="write every number to this file")] = None,
) -> None:
    """Measure what a model learns from demonstrations that were given at the page of `worldarm teleop --device web`.

    A scripted hand drives the page in a Chromium without a screen, as a person would: it drags the handle about, with
    pauses and changes of mind, to a place where each demonstration ends, and starts, keeps and resets by the page's
    buttons. The set is checked, a model is learnt from it, and held-out `reach` goals are put before the agent, beside
    agents that know nothing. Recording goes on in real time, so keep the machine free of other work meanwhile.
    """
    if episodes < 2 or goals < 1:
        raise ConfigurationError("--episodes must be at least 2, for one of them judges, and --goals at least 1")
    if not 1.0 <= episode_s <= 120.0:
        raise ConfigurationError(f"--episode-s must be from 1 to 120, not {episode_s:g}")
    require_seed(seed)
    if lerobot_python is not None and not os.access(lerobot_python, os.X_OK):
        raise ConfigurationError(
            f"--lerobot-python: there is no interpreter at {lerobot_python}; `make test-lerobot` makes one with lerobot"
        )
    learning = Learning(world_model, predictor, decoder, heads, sizes, seed=seed, encoder=encoder, mirror=mirror)
    known = None if encoder is None else load_trained(encoder)
    make_folder(folder)
    if json is not None:
        require_writable(json)
    dataset, checkpoint = folder / "set", folder / "checkpoint"
    recorded = _record(dataset, episodes, episode_s, seed, browser_path, lerobot_python)
    print(
        f"demonstrations: {recorded.episodes} episodes, {recorded.rows} rows, {recorded.minutes:.1f} minutes at "
        f"{recorded.rate_hz:.2f} Hz in {dataset}; {recorded.dropped} pictures dropped, {recorded.marked} episodes "
        f"marked; {recorded.recorded} recorded now in {recorded.recording_s / 60:.1f} minutes, {recorded.discarded} "
        f"discarded; sound{f', and lerobot {recorded.lerobot} reads it' if recorded.lerobot else ''}",
        flush=True,
    )
    begun = (
        "from nothing, all of it from these demonstrations"
        if known is None
        else f"with the encoder of {encoder} ({known.card.weights_sha256[:8]}), which learnt from other data; "
        "predictor, critic and actor from these demonstrations alone"
    )
    print(f"training: {begun}", flush=True)
    began = time.monotonic()
    gates = learn(Folders(dataset, checkpoint, folder / "run", folder / "run" / "cache"), learning, join("cpu"))
    trained = load_trained(checkpoint)
    learnt = Learnt(begun, trained.card.provenance.frames, round(time.monotonic() - began, 1), gates)
    print(f"training: {learnt.blocks} blocks, {learnt.seconds / 60:.1f} minutes; {verdict(gates)}", flush=True)
    what = Measurement("reach", "clean", "none", seed)
    summaries = []
    for method in METHODS:
        records = collect(measure_agent(checkpoint, method, what, range(goals), 1, None), goals, what, method)
        summaries.append(summarise(what, method, False, trained.card.weights_sha256, records))
    print(f"{table(summaries)}\n")
    if json is not None:
        write_json(json, Found(recorded, learnt, tuple(summaries)))
        print(f"numbers: {json}")


def _record(
    dataset: Path, episodes: int, seconds: float, seed: int, browser_path: str | None, lerobot: Path | None
) -> Recorded:
    """Bring the set to so many episodes, look it over, and return what it is."""
    there = read_info(dataset).total_episodes if (dataset / INFO_PATH).exists() else 0
    began, discarded = time.monotonic(), 0
    if there < episodes:
        camera = front_camera()
        discarded = record_demonstrations(dataset, episodes, seconds, camera, "push", seed, there, browser_path)
    recording_s = time.monotonic() - began
    report = check(dataset)
    if not report.sound:
        raise DatasetError(f"{dataset} is not sound: {report.problems[0]}; see `worldarm dataset check {dataset}`")
    source = Dataset.open(dataset)
    quality = measure_quality(source)
    return Recorded(
        dataset=str(dataset),
        episodes=len(source),
        rows=quality.frames,
        minutes=round(quality.frames / source.info.fps / 60, 2),
        rate_hz=round(quality.rate_hz, 3),
        dropped=quality.drops,
        marked=sum(bool(one.marks) for one in quality.episodes),
        recorded=max(0, len(source) - there),
        discarded=discarded,
        recording_s=round(recording_s, 1),
        lerobot="" if lerobot is None else _read_by_lerobot(lerobot, dataset, quality.frames),
    )


def _read_by_lerobot(python: Path, dataset: Path, rows: int) -> str:
    """Have the other library read frames from all over the set; return its version. Raises `ConfigurationError`."""
    order = [round(number * (rows - 1) / (_READ - 1)) for number in range(_READ)]
    with (
        tempfile.TemporaryDirectory(prefix="worldarm-") as name,
        running_reference(python, dataset, order, Path(name)) as theirs,
    ):
        theirs.read()
        return theirs.version
