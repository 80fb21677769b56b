"""`worldarm dataset info|check|repair DIR`: show, check and repair a data set."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import tyro

from robot.dataset.edit.check import Report
from robot.dataset.edit.check import check as check_dataset
from robot.dataset.edit.repair import repair as repair_dataset
from robot.dataset.format.schema import Feature, describe_names
from robot.dataset.reader import Dataset
from robot.errors import DatasetError
from robot.system.text import printable

_SHOWN = 1000  # characters of a name or of words in a set

Folder = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DIRECTORY", help="the data set's folder")]


def info(directory: Folder) -> None:
    """Show what a data set holds: features, episodes, tasks."""
    dataset = Dataset.open(directory)
    lengths = dataset.lengths
    seconds = int(lengths.sum()) / dataset.info.fps
    size = sum(map(_size, dataset.files()))
    print(f"{directory}: LeRobotDataset v3.0, robot {printable(dataset.info.robot_type or 'not named', _SHOWN)}")
    print(
        f"{len(dataset)} episodes of {lengths.min()} to {lengths.max()} frames, {lengths.sum()} in all, "
        f"at {dataset.info.fps} a second: {seconds / 60:.1f} minutes, {size / 1e6:.1f} MB"
    )
    print()
    _table([("feature", "type", "shape", "names"), *(_row(name, entry) for name, entry in dataset.features.items())])
    print()
    counts = Counter("; ".join(episode.tasks) for episode in dataset.episodes)
    _table(
        [
            ("episodes", "task"),
            *((str(number), printable(task, _SHOWN)) for task, number in counts.most_common() if task),
        ]
    )


def check(directory: Folder) -> None:
    """Check every file of a data set without changing it; the exit code is 1 when something is wrong."""
    report = check_dataset(directory)
    _print(report)
    if not report.sound:
        print(f"{len(report.problems)} problems; `worldarm dataset repair {directory}` keeps every intact episode")
        raise SystemExit(1)
    print("nothing is wrong")


def repair(directory: Folder) -> None:
    """Repair a data set: intact episodes stay, in order; everything else is moved to its folder `damaged`."""
    report = repair_dataset(directory)
    _print(report)
    if report.sound:
        print("nothing was wrong, nothing changed")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise DatasetError(f"{path} cannot be read ({error.strerror}): check the data set, or copy it again") from error


def _print(report: Report) -> None:
    print(f"{report.root}: {report.episodes} whole episodes, {report.frames} frames")
    for line in (*report.problems, *report.remarks):
        print(f"  {printable(line)}")


def _row(name: str, feature: Feature) -> tuple[str, str, str, str]:
    names = "" if feature.is_picture else printable(describe_names(feature), _SHOWN)
    return name, printable(feature.dtype, _SHOWN), "×".join(map(str, feature.shape)), names


def _table(rows: list[tuple[str, ...]]) -> None:
    rows = [tuple(map(printable, row)) for row in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
