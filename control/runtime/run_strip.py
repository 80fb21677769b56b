"""Draws a run as one picture: the goal, the first and the last camera picture, and the last imagined one, with marks of
the things that the agent sees."""

from __future__ import annotations

import cv2
import numpy as np

from control.runtime.step import Outcome
from perception.camera.interface import Image
from robot.web.entity_drawing import draw_goal, draw_imagined, draw_now

PANEL = 256
GAP = 12
TITLE = 34
PAPER = (250, 249, 246)
INK = (40, 44, 52)
NOTHING = (205, 205, 200)


def draw_strip(goal: Image, outcome: Outcome) -> Image:
    """Return the `goal` (H, W, 3) uint8 RGB and the pictures of a run beside it, grey where nothing was imagined."""
    height, width = goal.shape[:2]
    scale = max(1, round(PANEL / width))
    tall, wide = scale * height, scale * width
    panels = (
        ("goal", goal, draw_goal),
        ("first", outcome.first, None),
        ("last", outcome.last, draw_now),
        ("imagined", outcome.imagined, draw_imagined),
    )
    strip = np.full((TITLE + tall + GAP, GAP + len(panels) * (wide + GAP), 3), PAPER, np.uint8)
    for column, (title, picture, draw) in enumerate(panels):
        left = GAP + column * (wide + GAP)
        cv2.putText(strip, title, (left, TITLE - 11), cv2.FONT_HERSHEY_SIMPLEX, 0.55, INK, 1, cv2.LINE_AA)
        panel = strip[TITLE : TITLE + tall, left : left + wide]
        if picture is None:
            panel[:] = NOTHING
            continue
        # Enlarged without smoothing, so that the strip shows the pixels that the model sees.
        large = np.asarray(cv2.resize(picture, (wide, tall), interpolation=cv2.INTER_NEAREST), np.uint8)
        panel[:] = large if draw is None else draw(large, outcome.entities, scale)
    return strip
