"""Adopts a data set that another program recorded: adds to `meta/info.json` what training must know of it. Pictures and
numbers stay as they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from perception.camera.framing import Framing
from robot.arm.interface import ArmSpec
from robot.dataset.format.arm_kinematics import kinematics_of
from robot.dataset.format.columns import ACTION, IMAGES, STATE, image_column
from robot.dataset.format.schema import INFO_PATH, DatasetInfo, Feature
from robot.dataset.format.staged_files import locked
from robot.dataset.reader import Dataset
from robot.embodiment.convention import ArmConvention
from robot.embodiment.description import KEY, RecordedEmbodiment, read_recorded_embodiment
from robot.embodiment.joint_source import JointSource
from robot.errors import ConfigurationError, DatasetError
from robot.system.files import write_json
from robot.system.plain_json import read_json
from robot.system.text import printable
from robot.wire.camera_spec import CameraSpec

BEYOND_RAD = 0.05
"""How far outside its limits a joint may be: arms are calibrated a little differently."""
MOST_BEYOND = 0.1
"""The largest share of rows in which a joint may be farther outside."""
STILL_RAD = 0.02
"""An arm whose joints all move less than this in the whole set does not move; its numbers are in other units."""
APART_RAD = 0.7
"""The largest median angle between commanded and measured joints. Actions farther apart are not positions."""
_SHOWN = 200


@dataclass(frozen=True)
class Adoption:
    """What was read from a set with the joints so described: the lowest and highest angle `lower`, `upper` (n,) rad
    that each joint was sent to, and of how many `rows`."""

    recorded: RecordedEmbodiment
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    rows: int


def entries(info: DatasetInfo, column: str) -> tuple[str, ...]:
    """Return the name of each number of a column, its place where it has none. Raises `DatasetError` when the set lacks
    the column, or when it does not hold numbers."""
    feature = info.features.get(column)
    if feature is None or feature.is_picture or len(feature.shape) != 1:
        raise DatasetError(
            f"the set has no column {column!r} of numbers, which training needs; it has "
            f"{', '.join(printable(name, _SHOWN) for name in info.user_features)}"
        )
    return feature.names or tuple(str(number) for number in range(feature.shape[0]))


def adopt(
    root: Path,
    arm: ArmSpec,
    action: ArmConvention[Any],
    source: Callable[[DatasetInfo], JointSource],
    cameras: Sequence[str] = (),
) -> Adoption:
    """Write to the set under `root` that its numbers are those of `arm`, as `source` reads them from its columns, for
    models with the convention `action`. `cameras`: the cameras by name, the one that a model sees first; empty: all
    that take colour pictures.

    Raises `DatasetError`, with nothing written, when worldarm recorded the set itself, when it lacks a camera or a
    column, and when its numbers cannot be those of `arm`; `ConfigurationError` as `source` does; and `RecordingError`
    when it cannot be written.
    """
    with locked(root):
        dataset = Dataset.open(root)
        _require_foreign(dataset)
        found = source(dataset.info)
        specs = tuple(_camera(dataset, name) for name in cameras or _colour_cameras(dataset))
        recorded = RecordedEmbodiment(arm.models_of or arm.name, specs, action, action.state_names, found)
        adopted = _measured(dataset, arm, recorded, found)
        document = read_json(root / INFO_PATH)
        own = {**document.get("worldarm", {}), **recorded.to_metadata(), **kinematics_of(arm).to_metadata()}
        write_json(root / INFO_PATH, {**document, "worldarm": msgspec.to_builtins(own)})
    return adopted


def _require_foreign(dataset: Dataset) -> None:
    recorded = read_recorded_embodiment(dataset.info)
    if KEY in dataset.info.metadata or (recorded is not None and recorded.source is None):
        raise DatasetError(f"{dataset.root} was made by worldarm and says itself what training needs")


def _colour_cameras(dataset: Dataset) -> list[str]:
    """Return the names of all cameras with colour pictures."""
    found = [name.removeprefix(IMAGES) for name, each in dataset.features.items() if _is_colour(name, each)]
    if not found:
        raise DatasetError(
            f"{dataset.root} has no colour pictures in a column called {IMAGES}NAME, which training needs; it has "
            f"{', '.join(printable(name, _SHOWN) for name in dataset.info.user_features)}"
        )
    return found


def _is_colour(name: str, feature: Feature) -> bool:
    return name.startswith(IMAGES) and feature.is_picture and feature.channels == 3


def _camera(dataset: Dataset, name: str) -> CameraSpec:
    """Return the specification of the camera `name`; its focal length is a guess, as of any that is not calibrated."""
    column = image_column(name)
    feature = dataset.features.get(column)
    if feature is None or not _is_colour(column, feature):
        there = ", ".join(printable(each, _SHOWN) for each in _colour_cameras(dataset))
        raise DatasetError(f"{dataset.root} has no camera {name!r} with colour pictures; it has {there}")
    height, width = feature.shape[:2]
    return Framing(name, (width, height), (width, height)).spec


def _measured(dataset: Dataset, arm: ArmSpec, recorded: RecordedEmbodiment, source: JointSource) -> Adoption:
    """Return what the set says with the joints so described. Raises `DatasetError` when that cannot be this arm."""
    shapes = [dataset.features[name].shape[0] for name in (ACTION, STATE)]
    try:
        source.require(len(arm.joint_names), *shapes)
    except ConfigurationError as error:
        raise DatasetError(f"{dataset.root} cannot be read so: {error}") from error
    sent, measured = [], []
    for number in range(len(dataset)):
        columns = dataset.episode(number, [ACTION, STATE])
        sent.append(source.commanded(columns[ACTION])[:, :-1])
        measured.append(source.measured(columns[STATE])[:, :-1])
    joints, seen = np.concatenate(sent), np.concatenate(measured)
    if not (np.isfinite(joints).all() and np.isfinite(seen).all()):
        raise DatasetError(f"{dataset.root} has numbers that are not finite: check the data set")
    _require_possible(dataset.root, arm, joints, seen)
    return Adoption(recorded, joints.min(0), joints.max(0), len(joints))


def _require_possible(root: Path, arm: ArmSpec, joints: NDArray[np.float64], seen: NDArray[np.float64]) -> None:
    """Raise `DatasetError` when joints (N, n) rad cannot be what the arm was sent, or `seen` what it measured then."""
    advice = "are --arm, --units, --joints, --reverse and --offsets-deg right?"
    lower, upper = np.array(arm.lower) - BEYOND_RAD, np.array(arm.upper) + BEYOND_RAD
    beyond = ((joints < lower) | (joints > upper)).mean(0)
    worst = int(beyond.argmax())
    if beyond[worst] > MOST_BEYOND:
        there, here = (np.degrees([low, high]) for low, high in (_range(joints, worst), (lower[worst], upper[worst])))
        raise DatasetError(
            f"the numbers of {root} cannot be joints of the arm {arm.name}: {arm.joint_names[worst]} would go from "
            f"{there[0]:.0f}° to {there[1]:.0f}°, and its limits are {here[0]:.0f}° and {here[1]:.0f}°; {advice}"
        )
    moves = float(np.ptp(joints, axis=0).max())
    if moves < STILL_RAD:
        raise DatasetError(
            f"the arm would move no joint by more than {np.degrees(moves):.2f}° in all of {root}; {advice}"
        )
    apart = float(np.median(np.abs(joints - seen).max(1)))
    if apart > APART_RAD:
        raise DatasetError(
            f"the joints that were sent in {root} would be {np.degrees(apart):.0f}° from those measured, in the "
            f"median, so that its actions are not joint positions; worldarm learns from positions only; {advice}"
        )


def _range(joints: NDArray[np.float64], number: int) -> tuple[float, float]:
    return float(joints[:, number].min()), float(joints[:, number].max())
