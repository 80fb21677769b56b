"""`worldarm dataset merge|split|delete`: merge data sets, split one, delete episodes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro

from robot.dataset.edit.delete import delete as delete_episodes
from robot.dataset.edit.merge import merge as merge_sets
from robot.dataset.edit.split import WHOLE, parse_parts, parse_shares
from robot.dataset.edit.split import split as split_set
from robot.dataset.format.schema import DatasetInfo
from robot.dataset.reader import Dataset
from robot.errors import ConfigurationError, DatasetError

New = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="OUT", help="the new folder; it may not exist yet")]
Existing = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DIR", help="the data set's folder")]
Sets = Annotated[
    tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="IN [IN ...]", help="the data sets, in order")
]
Numbers = Annotated[
    tuple[int, ...], tyro.conf.Positional, tyro.conf.arg(metavar="N [N ...]", help="episode numbers, from 0")
]
Ranges = Annotated[
    tuple[str, ...],
    tyro.conf.arg(
        metavar="[NAME=]RANGE", help="episodes of each part, such as train=0:80 test=80:,3; a single part needs no name"
    ),
]
Shares = Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME=SHARE", help="shares, such as train=0.8 test=0.2")]
Seed = Annotated[
    int | None, tyro.conf.arg(help="draw the episodes of --fractions at random with this seed; None: in order")
]


def merge(output: New, inputs: Sets) -> None:
    """Merge data sets of the same arm, rate, features and embodiment into a new one; they stay as they are.

    Frames and videos are copied as they are; episodes are renumbered, and tasks with the same text become one.
    """
    info = merge_sets(output, inputs)
    print(f"{output}: {_size(info)}, {info.total_tasks} task(s), from {len(inputs)} data set(s)")


def split(directory: Existing, output: New, episodes: Ranges = (), fractions: Shares = (), seed: Seed = None) -> None:
    """Copy parts of a data set into new ones, OUT/NAME for each, or OUT itself for a single part without a name.

    Frames and videos are copied as they are, and the data set stays as it is. Parts may not overlap.
    """
    if bool(episodes) == bool(fractions):
        raise ConfigurationError("give --episodes or --fractions, one of the two")
    if seed is not None and not fractions:
        raise ConfigurationError("--seed is for --fractions; --episodes names the episodes itself")
    count = len(Dataset.open(directory))
    parts = parse_shares(fractions, count, seed) if fractions else parse_parts(episodes, count)
    for name, info in split_set(directory, output, parts).items():
        print(f"{output if name == WHOLE else output / name}: {_size(info)}")
    if left := count - sum(map(len, parts.values())):
        print(f"{left} of the {count} episodes of {directory} are in no part")


def delete(directory: Existing, episodes: Numbers) -> None:
    """Delete episodes of a data set permanently; the following ones are renumbered.

    Until the last step the data set is as it was: a reader finds it with all of these episodes or with none of them.
    """
    here = Path.cwd()
    if directory.resolve() in (here, *here.parents):
        raise DatasetError(
            f"{directory} is replaced by a new folder, and you are inside it: change to another folder first"
        )
    info = delete_episodes(directory, episodes)
    print(f"{directory}: {_size(info)} remain, {len(set(episodes))} deleted")


def _size(info: DatasetInfo) -> str:
    return f"{info.total_episodes} episodes, {info.total_frames} frames"
