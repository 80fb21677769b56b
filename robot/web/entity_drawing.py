"""Draws over a picture where an agent sees things, where it wants them, and the paths that it imagines for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from robot.wire.entity_mark import EntityMark, Point, Points

_WHITE, _BLACK = (255, 255, 255), (30, 30, 30)
_RADIUS, _SMALLEST_RADIUS = 9, 6
_FONT, _FONT_SCALE = cv2.FONT_HERSHEY_SIMPLEX, 0.45
_NAMED_FROM = 3.0
"""Pictures that are enlarged less have no room for names."""

Image = NDArray[np.uint8]
Where = Callable[[EntityMark], Points]


def draw_now(picture: Image, marks: Sequence[EntityMark], scale: float) -> Image:
    """Return `picture` (H, W, 3) uint8 RGB with a ring and a name where each thing is, a cross where it is wanted, and
    its imagined path. The picture is `scale` times as large as the one that the agent saw."""
    return _rings(_ways(picture, marks, scale), marks, scale, lambda mark: mark.now)


def draw_imagined(picture: Image, marks: Sequence[EntityMark], scale: float) -> Image:
    """Return `picture` with a ring and a name where each thing is at the plan's end, a cross where it is wanted, and
    its path to the ring; `scale` as in `draw_now`."""
    return _rings(_ways(picture, marks, scale), marks, scale, lambda mark: mark.path[-1] if mark.path else mark.now)


def draw_goal(picture: Image, marks: Sequence[EntityMark], scale: float) -> Image:
    """Return `picture` with a ring and a name where each thing that matters is wanted; `scale` as in `draw_now`."""
    return _rings(picture.copy(), marks, scale, lambda mark: mark.wanted)


def in_view(marks: Sequence[EntityMark], view: int) -> tuple[EntityMark, ...]:
    """Return the marks with their places in one `view` alone, counted from 0."""
    return tuple(
        msgspec.structs.replace(
            mark,
            now=mark.now[view : view + 1],
            wanted=mark.wanted[view : view + 1],
            path=tuple(step[view : view + 1] for step in mark.path),
        )
        for mark in marks
    )


def paths_of(mark: EntityMark) -> list[list[Point]]:
    """Return the path of a thing in each view in which it is seen and imagined: its place now, and those after it."""
    ways = [[place for place in places if place is not None] for places in zip(mark.now, *mark.path, strict=False)]
    return [way for way in ways if len(way) > 1]


def _ways(picture: Image, marks: Sequence[EntityMark], scale: float) -> Image:
    """Return `picture` with the path of each thing, and a cross where it is wanted."""
    canvas = picture.copy()
    for mark in marks:
        for path in paths_of(mark):
            points = np.array([_pixel(place, scale) for place in path], np.int32)
            for colour, thickness in ((_WHITE, 4), (mark.colour, 2)):
                cv2.polylines(canvas, [points], False, colour, thickness, cv2.LINE_AA)
        for place in filter(None, mark.wanted):
            for colour, thickness in ((_WHITE, 5), (mark.colour, 2)):
                cv2.drawMarker(
                    canvas, _pixel(place, scale), colour, cv2.MARKER_TILTED_CROSS, 2 * _radius(scale), thickness
                )
    return canvas


def _rings(canvas: Image, marks: Sequence[EntityMark], scale: float, where: Where) -> Image:
    """Draw a ring and a name at the places `where` each mark has them; return the `canvas`."""
    for mark in marks:
        for place in filter(None, where(mark)):
            at = _pixel(place, scale)
            for colour, thickness in ((_WHITE, 4), (mark.colour, 2)):
                cv2.circle(canvas, at, _radius(scale), colour, thickness, cv2.LINE_AA)
            if scale >= _NAMED_FROM:
                _name(canvas, mark.name, at)
    return canvas


def _name(canvas: Image, name: str, at: tuple[int, int]) -> None:
    """Write `name` to the upper right of a ring, or so far to the left and down that it is not cut off."""
    (wide, tall), _ = cv2.getTextSize(name, _FONT, _FONT_SCALE, 3)
    left = max(0, min(at[0] + _RADIUS + 4, canvas.shape[1] - wide - 2))
    bottom = max(tall + 2, min(at[1] - _RADIUS, canvas.shape[0] - 4))
    for colour, thickness in ((_WHITE, 3), (_BLACK, 1)):
        cv2.putText(canvas, name, (left, bottom), _FONT, _FONT_SCALE, colour, thickness, cv2.LINE_AA)


def _radius(scale: float) -> int:
    """Return the radius of a ring, smaller in small pictures, so that it does not cover the thing in it."""
    return max(_SMALLEST_RADIUS, min(_RADIUS, round(3 * scale)))


def _pixel(place: Point, scale: float) -> tuple[int, int]:
    """Return the pixel of the enlarged picture in which a `place` of the agent's picture lies."""
    across, down = (int(scale * each) for each in place)
    return across, down
