"""Deletes episodes from a data set: the set without them is built in a temporary folder and replaces it in one step."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from tqdm import tqdm

from robot.dataset.edit.assemble import assemble, place_in_order, tasks_of, transfer
from robot.dataset.format import history
from robot.dataset.format.ownership import require_file_an_episode, require_own_rows
from robot.dataset.format.schema import INFO_PATH, STATS_PATH, TASKS_PATH, DatasetInfo, read_info
from robot.dataset.format.staged_files import leftovers, locked, make_durable_folder
from robot.dataset.format.staged_folders import replaced_folder
from robot.dataset.format.tables import row_files
from robot.dataset.reader import Dataset
from robot.errors import DatasetError


def delete(root: Path, numbers: Sequence[int]) -> DatasetInfo:
    """Delete the episodes `numbers` from the set under `root` and renumber the others. Returns the new info.

    Until the last step the set is as it was: a reader finds it with all of these episodes or with none of them. The
    user's files in the folder, and those that a repair moved to `damaged`, stay.

    Raises DatasetError, with nothing changed, when the set is absent, in use or not laid out by worldarm, when an
    episode is absent, none would remain, or a remaining one is damaged; RecordingError when it cannot be written.
    """
    root = Path(root)
    read_info(root)
    # Nobody may write meanwhile: the set is locked before it is read.
    with locked(root):
        dataset = Dataset.open(root)
        gone = require_episodes(dataset, numbers)
        if len(gone) == len(dataset):
            raise DatasetError(f"these are all episodes of {root}: to delete the whole set, remove its folder")
        require_file_an_episode(root, dataset.info, dataset.episodes)
        require_own_rows(root, dataset.info, dataset.episodes)
        placed = place_in_order(dataset, (one for one in dataset.episodes if one.index not in gone))
        info = history.with_step(dataset.info, "delete", episodes=history.ranges(sorted(gone)))
        with replaced_folder(root) as folder:
            bar = tqdm(placed, desc="deleting", unit="episode", mininterval=0.5, delay=2.0)
            done = assemble(folder, info, tasks_of(placed), bar, linked=True)
            for path in _user_files(dataset):
                target = folder / path.relative_to(root)
                if path.is_symlink():
                    make_durable_folder(target.parent, durable=False)
                    target.symlink_to(os.readlink(path))
                else:
                    transfer(path, target, linked=True)
            _keep_modes(root, folder)
    return done


def require_episodes(dataset: Dataset, numbers: Iterable[int]) -> set[int]:
    """Return the numbers, each once. Raises DatasetError when there are none or one is not an episode's."""
    wanted = set(numbers)
    if not wanted:
        raise DatasetError("name at least one episode")
    if absent := sorted(number for number in wanted if not 0 <= number < len(dataset)):
        raise DatasetError(
            f"{dataset.root} has the episodes 0 to {len(dataset) - 1}; {', '.join(map(str, absent))} is not among them"
        )
    return wanted


def _keep_modes(old: Path, new: Path) -> None:
    """Copy the permissions of the old set's folders to those of the new one."""
    for place, _, _ in os.walk(new):
        before = old / Path(place).relative_to(new)
        if before.is_dir():
            shutil.copymode(before, place)


def _user_files(dataset: Dataset) -> list[Path]:
    """Return the files and links in the folder that are not part of the set; they must stay."""
    root = dataset.root
    own = {*dataset.files(), *row_files(root), *(root / name for name in (INFO_PATH, STATS_PATH, TASKS_PATH))}
    own |= set(leftovers(root))
    return [path for path in sorted(root.rglob("*")) if (path.is_symlink() or path.is_file()) and path not in own]
