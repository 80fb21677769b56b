"""Which camera took a picture: what a model must know to tell whether it has seen this view before."""

from __future__ import annotations

import msgspec


class CameraSpec(msgspec.Struct, frozen=True):
    """A pinhole camera: size in pixels, `focal` (fx, fy) and `centre` (cx, cy) in pixels, and, where it is known,
    its pose in the arm's base frame: `position` (x, y, z) m and `orientation` quaternion (x, y, z, w) of the
    optical frame (z forward, x right, y down)."""

    name: str
    width: int
    height: int
    focal: tuple[float, float]
    centre: tuple[float, float]
    position: tuple[float, float, float] | None = None
    orientation: tuple[float, float, float, float] | None = None
