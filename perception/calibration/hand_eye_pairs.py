"""Pairs of a picture and the arm's joints when it was taken, in a folder: enough to compute the camera's pose without
the arm."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec

from perception.camera.image_file import save_picture
from perception.camera.interface import Image
from robot.arm.interface import ArmSpec
from robot.errors import CalibrationError, ConfigurationError
from robot.system.bounds import MAX_JSON_BYTES
from robot.system.files import make_folder, read_bounded, write_json
from robot.wire.camera_spec import CameraSpec

FILE = "pairs.json"
VERSION = 1


class Pair(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The name of a `picture` beside this file, and the measured `joints` (n,) rad as it was taken."""

    picture: str
    joints: tuple[float, ...]


class Pairs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A recording: the arm, the camera as it was published, and the pairs."""

    version: int
    arm: ArmSpec
    camera: CameraSpec
    pairs: tuple[Pair, ...]


class PairRecorder:
    """Writes pairs to `folder`; each is on disk before the arm moves on."""

    def __init__(self, folder: Path, arm: ArmSpec, camera: CameraSpec) -> None:
        """Raises `ConfigurationError` when the folder cannot be written."""
        make_folder(folder)
        self._folder = folder
        self._arm, self._camera = arm, camera
        self._pairs: tuple[Pair, ...] = ()

    def add(self, image: Image, joints: tuple[float, ...]) -> None:
        """Write one more pair. Raises `GoalError` or `RecordingError` when it cannot be written."""
        name = f"pose-{len(self._pairs) + 1:03d}.png"
        save_picture(self._folder / name, image)
        self._pairs = (*self._pairs, Pair(name, joints))
        write_json(self._folder / FILE, Pairs(VERSION, self._arm, self._camera, self._pairs))


def load_pairs(folder: Path) -> Pairs:
    """Return the pairs in `folder`. Raises `CalibrationError` when they are missing or invalid."""
    path = folder / FILE
    try:
        pairs = msgspec.json.decode(read_bounded(path, MAX_JSON_BYTES), type=Pairs)
    except FileNotFoundError:
        raise CalibrationError(
            f"there is no {path}: pictures alone lack the arm's joints; record both with "
            "`worldarm calibrate hand-eye --save`"
        ) from None
    except OSError as error:
        raise CalibrationError(f"{path} cannot be read: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ConfigurationError) as error:
        raise CalibrationError(f"{path} does not hold recorded pairs: {error}") from error
    if pairs.version != VERSION:
        raise CalibrationError(f"{path} is of version {pairs.version}, and this is version {VERSION}")
    for pair in pairs.pairs:
        if len(pair.joints) != pairs.arm.dof or not all(map(math.isfinite, pair.joints)):
            raise CalibrationError(f"{path}: the joints beside {pair.picture!r} are not {pairs.arm.dof} numbers")
        if Path(pair.picture).name != pair.picture or not pair.picture.isprintable():
            raise CalibrationError(f"{path}: {pair.picture!r} is not the name of a picture beside it")
    return pairs
