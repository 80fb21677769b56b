"""The shape of a camera's pictures, whichever way `meta/info.json` declares it.

LeRobot takes both (H, W, C) and (C, H, W), with names of the axes in the same order, and stores the same pictures.
"""

from __future__ import annotations

CHANNELS = (1, 3, 4)
"""Channels of pictures that are read: depth or grey, colour, and colour with opacity."""
AXES = ("height", "width", "channels")
_CALLED = {"h": 0, "height": 0, "w": 1, "width": 1, "c": 2, "channel": 2, "channels": 2}


def height_width_channels(shape: tuple[int, ...], names: object) -> tuple[int, ...]:
    """Return a declared `shape` of pictures as (H, W, C), by the `names` of its axes where they fit, else by its sizes.

    A shape that is none of a picture's stays as it is.
    """
    if len(shape) != len(AXES):
        return shape
    for order in (_by_names(names), (0, 1, 2), (1, 2, 0)):
        if order is not None and shape[order[2]] in CHANNELS:
            return tuple(shape[axis] for axis in order)
    return shape


def _by_names(names: object) -> tuple[int, ...] | None:
    """Return which axis is the height, the width and the channels; None when the names do not say so."""
    if not isinstance(names, list) or len(names) != len(AXES):
        return None
    called = [_CALLED.get(name.lower()) if isinstance(name, str) else None for name in names]
    return tuple(called.index(axis) for axis in range(len(AXES))) if set(called) == {0, 1, 2} else None
