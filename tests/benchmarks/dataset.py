"""`worldarm benchmark dataset`: frames in any order, by our reader and by the reference library, in one run."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
import tyro

from robot.dataset import Dataset
from robot.dataset.random_access import RandomAccess
from robot.errors import ConfigurationError
from robot.system.files import require_writable, write_json
from tests.benchmarks.lerobot_process import DEFAULT, Reference, running_reference
from tests.benchmarks.sample_set import write_sample_set

WANTED = 3.0


class Reading(msgspec.Struct, frozen=True):
    """How fast frames came: a second of the clock, the median of the rounds, and a second of the processor."""

    per_second: float
    per_processor_second: float


class Comparison(msgspec.Struct, frozen=True):
    """Both readers on the same frames. picture_difference: the largest in any colour of a pixel, of 255."""

    root: str
    episodes: int
    frames: int
    cameras: int
    samples: int
    rounds: int
    ours: Reading
    reference: Reading
    ratio: float
    processor_ratio: float
    picture_difference: int
    reference_version: str
    reference_backend: str


def benchmark_dataset(
    directory: Annotated[
        Path | None,
        tyro.conf.Positional,
        tyro.conf.arg(metavar="DIR", help="the data set's folder; without it, one is made for the measurement"),
    ] = None,
    reference: Annotated[Path, tyro.conf.arg(metavar="PYTHON", help="interpreter that has lerobot")] = DEFAULT,
    samples: Annotated[int, tyro.conf.arg(help="frames to read in each round, drawn by chance")] = 500,
    rounds: Annotated[int, tyro.conf.arg(help="rounds of each reader, in turns")] = 5,
    episodes: Annotated[int, tyro.conf.arg(help="of the set that is made")] = 20,
    frames: Annotated[int, tyro.conf.arg(help="of each of its episodes; two cameras of 320×240")] = 300,
    seed: Annotated[int, tyro.conf.arg(help="of the draws")] = 0,
    json: Annotated[Path | None, tyro.conf.arg(help="write every number to this file")] = None,
) -> None:
    """Measure how fast one process reads frames in any order, as training draws them, beside the reference library.

    Both read every column of the same frames, pictures decoded to 8 bits. They take turns, so that what else the
    machine does meets both.
    """
    for option, count in {"samples": samples, "rounds": rounds, "episodes": episodes, "frames": frames}.items():
        if count < 1:
            raise ConfigurationError(f"--{option} must be at least 1, not {count}")
    if seed < 0:
        raise ConfigurationError(f"--seed must not be negative; it is {seed}")
    if json is not None:
        require_writable(json)
    with tempfile.TemporaryDirectory(prefix="worldarm-") as name:
        folder = Path(name)
        root = directory
        if root is None:
            root = folder / "set"
            write_sample_set(root, episodes, frames, 240, 320, seed)
        dataset = Dataset.open(root)
        total = int(dataset.lengths.sum())
        order = np.random.default_rng(seed).permutation(total)[:samples].tolist()
        with running_reference(reference, root, order, folder) as theirs, RandomAccess(dataset) as ours:
            found = _measured(dataset, ours, theirs, order, rounds)
    print(table(found))
    if json is not None:
        write_json(json, msgspec.to_builtins(found))


def table(found: Comparison) -> str:
    """What was found, in words."""
    return "\n".join(
        [
            f"{found.root}: {found.episodes} episodes, {found.frames} frames, {found.cameras} camera(s); "
            f"{found.samples} frames in any order, one process, {found.rounds} rounds in turns",
            f"  worldarm       {_told(found.ours)}",
            f"  lerobot {found.reference_version:<6} {_told(found.reference)}   ({found.reference_backend})",
            f"  ratio          {found.ratio:8.1f}             {found.processor_ratio:8.1f}",
            f"  wanted         {WANTED:8.1f}             {'reached' if found.ratio >= WANTED else 'not reached'}",
            f"  pictures differ by at most {found.picture_difference} of 255",
        ]
    )


def _told(reading: Reading) -> str:
    return f"{reading.per_second:8.1f} frames/s,   {reading.per_processor_second:8.1f} a processor second"


def _measured(dataset: Dataset, ours: RandomAccess, theirs: Reference, order: Sequence[int], rounds: int) -> Comparison:
    difference = 0
    for index in order:  # to warm up, as the other has done
        ours[index]
    for place, index in enumerate(order):
        if any(place >= len(stack) for stack in theirs.pictures.values()) or not theirs.pictures:
            break
        frame = ours[index]
        for name, stack in theirs.pictures.items():
            other = stack[place] if stack.dtype == np.uint8 else (stack[place] * 255).round()
            difference = max(difference, int(np.abs(frame[name] - other.transpose(1, 2, 0).astype(float)).max()))
    times: dict[str, list[tuple[float, float]]] = {"ours": [], "theirs": []}
    for _ in range(rounds):
        began, used = time.perf_counter(), time.process_time()
        for _frame in ours.read(order):
            pass
        times["ours"].append((time.perf_counter() - began, time.process_time() - used))
        times["theirs"].append(theirs.read())
    here, there = (_reading(times[who], len(order)) for who in ("ours", "theirs"))
    return Comparison(
        root=str(dataset.root),
        episodes=len(dataset),
        frames=len(ours),
        cameras=sum(feature.is_picture for feature in dataset.features.values()),
        samples=len(order),
        rounds=rounds,
        ours=here,
        reference=there,
        ratio=here.per_second / there.per_second,
        processor_ratio=here.per_processor_second / there.per_processor_second,
        picture_difference=difference,
        reference_version=theirs.version,
        reference_backend=theirs.backend,
    )


def _reading(times: Sequence[tuple[float, float]], samples: int) -> Reading:
    wall, processor = np.median(np.array(times), axis=0)
    return Reading(samples / float(wall), samples / float(processor))
