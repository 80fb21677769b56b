"""The camera that took a picture, described so that a model can check whether it was trained on this view."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import msgspec

from robot.errors import ConfigurationError, SettingError
from robot.system.text import printable
from robot.wire.limits import MAX_NAME_LENGTH, MAX_PICTURE_SIDE, MAX_VIEWS

Images: TypeAlias = Literal["video", "png"]
"""How a data set stores a camera's pictures."""


class CameraSpec(msgspec.Struct, frozen=True):
    """A pinhole camera: size in pixels, `focal` (fx, fy) and `centre` (cx, cy) in pixels, and, when known,
    its pose in the arm's base frame: `position` (x, y, z) m and `orientation` quaternion (x, y, z, w) of the
    optical frame (z forward, x right, y down).

    A rig combines cameras that take their pictures at the same time, all of one size: its picture is a stack with the
    first camera's picture at the top and those of the cameras `below` under it. `height` is then that of the whole
    stack; the other fields are the first camera's.
    """

    name: str
    width: int
    height: int
    focal: tuple[float, float]
    centre: tuple[float, float]
    position: tuple[float, float, float] | None = None
    orientation: tuple[float, float, float, float] | None = None
    below: tuple[CameraSpec, ...] = ()

    def __post_init__(self) -> None:
        """Raise `SettingError` for a rig in a rig, and for sizes that no camera has."""
        if len(self.below) >= MAX_VIEWS or any(camera.below for camera in self.below):
            raise SettingError(f"a rig has at most {MAX_VIEWS} cameras, and none of them is a rig")
        if not 0 <= self.width <= MAX_PICTURE_SIDE or not 0 <= self.height <= MAX_PICTURE_SIDE * MAX_VIEWS:
            raise SettingError(
                f"a picture of {self.width}x{self.height} pixels; a camera's sides are at most {MAX_PICTURE_SIDE}"
            )
        msgspec.structs.force_setattr(self, "name", printable(self.name, MAX_NAME_LENGTH))

    @property
    def views(self) -> tuple[CameraSpec, ...]:
        """The rig's single cameras from top to bottom; for a camera that is no rig, the camera itself."""
        if not self.below:
            return (self,)
        own = self.height - sum(camera.height for camera in self.below)
        return (msgspec.structs.replace(self, height=own, below=()), *self.below)

    @property
    def view_size(self) -> tuple[int, int]:
        """Width and height, in pixels, of the picture of each camera of the rig; of any other camera, of its own."""
        return self.width, self.height // (1 + len(self.below))

    def view(self, number: int) -> CameraSpec:
        """Return the rig's camera `number`, counted from 1 at the top, with a name such as `rig.2`. Raises
        `ConfigurationError` when the rig has no such camera."""
        if not self.below or not 1 <= number <= len(self.views):
            what = f"a rig of {len(self.views)} cameras" if self.below else "no rig"
            raise ConfigurationError(f"the camera {self.name!r} is {what}: it has no view {number}")
        return msgspec.structs.replace(self.views[number - 1], name=f"{self.name}.{number}")


def rig(name: str, cameras: tuple[CameraSpec, ...]) -> CameraSpec:
    """Return the rig `name` of `cameras`, from top to bottom. Raises `ConfigurationError` unless their pictures have
    one size."""
    first = cameras[0]
    if any((camera.width, camera.height) != (first.width, first.height) for camera in cameras):
        raise ConfigurationError(f"the cameras of the rig {name!r} must all have pictures of one size")
    return msgspec.structs.replace(first, name=name, height=first.height * len(cameras), below=cameras[1:])


@dataclass(frozen=True)
class Crop:
    """The part of a picture that is kept: `width` x `height` pixels from (`left`, `top`)."""

    left: int
    top: int
    width: int
    height: int


def centre_crop(native: tuple[int, int], wanted: tuple[int, int]) -> Crop:
    """Return the largest centred part of a picture of the size `native` (width, height) with the aspect ratio of
    `wanted`."""
    scale = min(native[0] / wanted[0], native[1] / wanted[1])
    width = max(1, min(native[0], round(scale * wanted[0])))
    height = max(1, min(native[1], round(scale * wanted[1])))
    return Crop((native[0] - width) // 2, (native[1] - height) // 2, width, height)


def reframed(camera: CameraSpec, wanted: tuple[int, int]) -> CameraSpec:
    """Return the specification of `camera` after the centre of each view is cropped and resized to `wanted` (width,
    height)."""
    views = []
    for view in camera.views:
        crop = centre_crop((view.width, view.height), wanted)
        along = (wanted[0] / crop.width, wanted[1] / crop.height)
        views.append(
            msgspec.structs.replace(
                view,
                width=wanted[0],
                height=wanted[1],
                focal=(view.focal[0] * along[0], view.focal[1] * along[1]),
                centre=((view.centre[0] - crop.left) * along[0], (view.centre[1] - crop.top) * along[1]),
            )
        )
    return rig(camera.name, tuple(views)) if camera.below else views[0]
