"""Draws a run as one picture: the goal, the first and the last camera picture, and the last imagined one."""

from __future__ import annotations

import cv2
import numpy as np

from perception.camera.interface import Image

PANEL = 256
GAP = 12
TITLE = 34
PAPER = (250, 249, 246)
INK = (40, 44, 52)
NOTHING = (205, 205, 200)


def draw_strip(goal: Image, first: Image, last: Image, imagined: Image | None) -> Image:
    """Return the four pictures (H, W, 3) uint8 RGB side by side, grey where nothing was imagined."""
    height, width = goal.shape[:2]
    scale = max(1, round(PANEL / height))
    tall, wide = scale * height, scale * width
    panels = (("goal", goal), ("first", first), ("last", last), ("imagined", imagined))
    strip = np.full((TITLE + tall + GAP, GAP + len(panels) * (wide + GAP), 3), PAPER, np.uint8)
    for column, (title, picture) in enumerate(panels):
        left = GAP + column * (wide + GAP)
        cv2.putText(strip, title, (left, TITLE - 11), cv2.FONT_HERSHEY_SIMPLEX, 0.55, INK, 1, cv2.LINE_AA)
        panel = strip[TITLE : TITLE + tall, left : left + wide]
        # Enlarged without smoothing, so that the strip shows the pixels that the model sees.
        panel[:] = NOTHING if picture is None else cv2.resize(picture, (wide, tall), interpolation=cv2.INTER_NEAREST)
    return strip
