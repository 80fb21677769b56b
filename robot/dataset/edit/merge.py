"""Merges several data sets into one: episodes in order, equal tasks joined; sets that do not match are refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from robot.dataset.edit.assemble import assemble, place_episodes, require_space, tasks_of
from robot.dataset.format import history
from robot.dataset.format.arm_kinematics import KEY as KINEMATICS_KEY
from robot.dataset.format.arm_kinematics import read_kinematics
from robot.dataset.format.schema import DatasetInfo, describe_feature, read_info, same_kind
from robot.dataset.format.staged_files import locked
from robot.dataset.format.staged_folders import new_folder, require_new
from robot.dataset.reader import Dataset
from robot.embodiment.description import KEYS, same_entry
from robot.errors import DatasetError


def merge(output: Path, inputs: Sequence[Path]) -> DatasetInfo:
    """Write the episodes of all `inputs`, in this order, as a new set `output`; return its info.

    Frames, videos and extras stay as they are; episodes are renumbered, tasks with the same text become one, and
    statistics are merged. Metadata that the sets do not share goes into the new set's history.

    Raises DatasetError, with nothing written, when `output` exists; when a set is absent, in use, damaged, or has
    videos that cannot be cut; or when sets differ in arm, kinematics, rate, features, extras or embodiment. Raises
    RecordingError when `output` cannot be written.
    """
    if not inputs:
        raise DatasetError("merge needs at least one data set to take episodes from")
    require_new(output)
    _refuse_overlap(output, inputs)
    with ExitStack() as stack:
        sets = []
        for root in inputs:
            read_info(root)  # reports an absent set more clearly than the lock does
            stack.enter_context(locked(root, shared=True))
            sets.append(Dataset.open(root))
        for dataset in sets:
            require_matching(sets[0], dataset)
        _require_same_kinematics(sets)
        placed = place_episodes(sets[0].info, ((dataset, episode) for dataset in sets for episode in dataset.episodes))
        require_space(output, placed)
        info = _merged_info(sets)
        with new_folder(output) as folder:
            bar = tqdm(placed, desc="merging", unit="episode", mininterval=0.5, delay=2.0)
            return assemble(folder, info, tasks_of(placed), bar)


def require_matching(first: Dataset, other: Dataset) -> None:
    """Raise DatasetError unless episodes of `other` may be in one set with those of `first`."""
    here, there = first.info, other.info
    if here.robot_type != there.robot_type:
        raise _differ(first, other, "arm", here.robot_type or "not named", there.robot_type or "not named")
    if here.fps != there.fps:
        raise _differ(first, other, "frames a second", str(here.fps), str(there.fps))
    for name in sorted(here.user_features.keys() | there.user_features.keys()):
        one, two = here.user_features.get(name), there.user_features.get(name)
        if one is None or two is None or not same_kind(one, two) or one.info != two.info:
            raise _differ(first, other, f"feature {name!r}", describe_feature(one), describe_feature(two))
    for key in KEYS:
        if not same_entry(here.metadata, there.metadata, key):
            raise DatasetError(
                f"{other.root} was recorded in another way than {first.root} (worldarm.{key} in meta/info.json: "
                "camera, action convention): a model cannot learn from both as one set"
            )
    one_extra, two_extra = ({k: type(v).__name__ for k, v in s.episodes[0].extra.items()} for s in (first, other))
    if one_extra != two_extra:
        raise _differ(first, other, "extras of the episodes", str(one_extra), str(two_extra))


def _require_same_kinematics(sets: Sequence[Dataset]) -> None:
    """Raise DatasetError when two sets carry different kinematics; one without any agrees with all."""
    carrying = [(one, found) for one in sets if (found := read_kinematics(one.info)) is not None]
    for other, found in carrying[1:]:
        first, expected = carrying[0]
        if found != expected:
            raise DatasetError(
                f"{first.root} and {other.root} cannot be one data set: both are of the arm {expected.name}, but its "
                f"kinematics differ (worldarm.{KINEMATICS_KEY} in meta/info.json: description, joints or tool frame)"
            )


def _differ(first: Dataset, other: Dataset, what: str, here: str, there: str) -> DatasetError:
    return DatasetError(
        f"{first.root} and {other.root} cannot be one data set: {what} of the one {here}, of the other {there}"
    )


def _merged_info(sets: Sequence[Dataset]) -> DatasetInfo:
    first = sets[0].info
    shared = {
        key: value
        for key, value in first.metadata.items()
        if key != history.KEY and all(same_entry(one.info.metadata, first.metadata, key) for one in sets)
    }
    # Older sets do not store the arm's kinematics; they match any.
    carried = [one.info.metadata[KINEMATICS_KEY] for one in sets if KINEMATICS_KEY in one.info.metadata]
    if carried:
        shared[KINEMATICS_KEY] = carried[0]
    parts = [{"name": one.root.resolve().name, "episodes": len(one), **_own_metadata(one, shared)} for one in sets]
    return history.with_step(replace(first, metadata=shared), "merge", parts=parts)


def _own_metadata(one: Dataset, shared: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries of a set's metadata that the merged set's `shared` metadata does not hold."""
    metadata = one.info.metadata
    return {key: value for key, value in metadata.items() if not same_entry(metadata, shared, key)}


def _refuse_overlap(output: Path, inputs: Sequence[Path]) -> None:
    seen: set[Path] = set()
    for root in inputs:
        place = Path(root).resolve()
        if place in seen:
            raise DatasetError(f"{root} is given twice: its episodes would be in the new set twice")
        if place in output.resolve().parents:
            raise DatasetError(f"{output} would lie inside {root}: choose a folder outside")
        seen.add(place)
