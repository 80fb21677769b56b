"""Merges several data sets into one: episodes in order, equal tasks joined; sets that do not match are refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
from tqdm import tqdm

from robot.dataset.edit.assemble import assemble, place_episodes, require_space, tasks_of
from robot.dataset.format import history
from robot.dataset.format.arm_kinematics import KEY as KINEMATICS_KEY
from robot.dataset.format.arm_kinematics import read_kinematics
from robot.dataset.format.schema import DatasetInfo, Feature, describe_feature, read_info, same_kind
from robot.dataset.format.staged_files import locked
from robot.dataset.format.staged_folders import new_folder, require_new
from robot.dataset.reader import Dataset
from robot.embodiment.description import KEYS, entry_difference
from robot.errors import DatasetError
from robot.system.plain_json import first_difference

_ENCODER_NOTES = frozenset(
    f"video.{note}"
    for note in ("codec", "crf", "extra_options", "fast_decode", "g", "pix_fmt", "preset", "video_backend")
)
"""What a set's videos were encoded with. Each video file says itself how it is decoded, so that these may differ; the
merged set keeps those that all sets share."""


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
        if one is None or two is None or not same_kind(one, two):
            raise _differ(first, other, f"feature {name!r}", describe_feature(one), describe_feature(two))
        noted = first_difference(_without_notes(one), _without_notes(two))
        if noted is not None:
            raise _differ(first, other, f"the entry {noted.place} of feature {name!r}", noted.one, noted.other)
    for key in KEYS:
        described = entry_difference(here.metadata, there.metadata, key)
        if described is not None:
            raise DatasetError(
                f"{other.root} was recorded in another way than {first.root}: worldarm.{described.place} in "
                f"meta/info.json is {described.other} there and {described.one} here, and a model cannot learn from "
                "both as one set"
            )
    one_extra, two_extra = ({k: type(v).__name__ for k, v in s.episodes[0].extra.items()} for s in (first, other))
    if one_extra != two_extra:
        raise _differ(first, other, "extras of the episodes", str(one_extra), str(two_extra))


def _require_same_kinematics(sets: Sequence[Dataset]) -> None:
    """Raise DatasetError when two sets carry different kinematics; one without any agrees with all."""
    carrying = [(one, found) for one in sets if (found := read_kinematics(one.info)) is not None]
    for other, found in carrying[1:]:
        first, expected = carrying[0]
        differing = first_difference(msgspec.to_builtins(expected), msgspec.to_builtins(found))
        if differing is not None:
            raise DatasetError(
                f"{first.root} and {other.root} cannot be one data set: the kinematics of their arms differ in "
                f"worldarm.{KINEMATICS_KEY}.{differing.place} (meta/info.json): {differing.one} of the one, "
                f"{differing.other} of the other"
            )


def _differ(first: Dataset, other: Dataset, what: str, here: str, there: str) -> DatasetError:
    return DatasetError(
        f"{first.root} and {other.root} cannot be one data set: {what} of the one {here}, of the other {there}"
    )


def _without_notes(feature: Feature) -> dict[str, Any]:
    return {key: value for key, value in feature.info.items() if key not in _ENCODER_NOTES}


def _merged_features(sets: Sequence[Dataset]) -> dict[str, Feature]:
    """Return the features of the first set, without the encoder notes in which another set differs."""
    merged = dict(sets[0].features)
    for name, feature in sets[0].info.user_features.items():
        infos = [one.features[name].info for one in sets]
        shared = {key: value for key, value in feature.info.items() if all(info.get(key) == value for info in infos)}
        merged[name] = replace(feature, info=shared)
    return merged


def _merged_info(sets: Sequence[Dataset]) -> DatasetInfo:
    first = sets[0].info
    shared = {
        key: value
        for key, value in first.metadata.items()
        if key != history.KEY and all(entry_difference(one.info.metadata, first.metadata, key) is None for one in sets)
    }
    # Older sets do not store the arm's kinematics; they match any.
    carried = [one.info.metadata[KINEMATICS_KEY] for one in sets if KINEMATICS_KEY in one.info.metadata]
    if carried:
        shared[KINEMATICS_KEY] = carried[0]
    parts = [{"name": one.root.resolve().name, "episodes": len(one), **_own_metadata(one, shared)} for one in sets]
    return history.with_step(replace(first, features=_merged_features(sets), metadata=shared), "merge", parts=parts)


def _own_metadata(one: Dataset, shared: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries of a set's metadata that the merged set's `shared` metadata does not hold."""
    metadata = one.info.metadata
    return {key: value for key, value in metadata.items() if entry_difference(metadata, shared, key)}


def _refuse_overlap(output: Path, inputs: Sequence[Path]) -> None:
    seen: set[Path] = set()
    for root in inputs:
        place = Path(root).resolve()
        if place in seen:
            raise DatasetError(f"{root} is given twice: its episodes would be in the new set twice")
        if place in output.resolve().parents:
            raise DatasetError(f"{output} would lie inside {root}: choose a folder outside")
        seen.add(place)
