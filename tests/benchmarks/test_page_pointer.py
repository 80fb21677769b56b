"""Where a pointer takes hold of the handle; that it does is tried at the real page, in the test of the whole way."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from robot.embodiment.actions import PLANAR_PUSH
from robot.teleop.page.controls import HANDLE_LENGTH_M
from robot.web.viewpoint import all_on_screen
from tests.benchmarks.page_pointer import HEIGHT, WIDTH, level_grip

LOWER, UPPER = PLANAR_PUSH.bounds.lower, PLANAR_PUSH.bounds.upper
RING_PX, ARROW_PX = 6.0, 3.0
"""How near such a thing counts as under the pointer."""


@given(st.floats(LOWER[0], UPPER[0]), st.floats(LOWER[1], UPPER[1]))
def test_the_level_square_is_met_and_no_ring_or_arrow(x: float, y: float) -> None:
    tool = np.array([x, y, LOWER[2]])
    grip = level_grip(tool, (WIDTH, HEIGHT))
    assert grip[2] == 0.0 and (grip[:2] > 0.1 * HANDLE_LENGTH_M).all() and (grip[:2] < 0.4 * HANDLE_LENGTH_M).all()
    axes = HANDLE_LENGTH_M * np.eye(3)
    angle = np.linspace(0.0, np.pi / 2, 50)[:, None]
    rings = [0.65 * (np.cos(angle) * axes[a] + np.sin(angle) * axes[b]) for a, b in ((0, 1), (0, 2), (1, 2))]
    arrows = [np.linspace(0.0, 1.0, 30)[:, None] * axis for axis in axes]
    for parts, picked_px in ((rings, RING_PX), (arrows, ARROW_PX)):
        seen = all_on_screen(tool + np.concatenate(parts), WIDTH, HEIGHT)
        pixel = all_on_screen((tool + grip)[None], WIDTH, HEIGHT)
        assert np.linalg.norm(seen - pixel, axis=1).min() > picked_px
