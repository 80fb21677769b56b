"""The demo's film of one goal: the scene enlarged, with what the agent sees, wants and imagines beside it."""

from __future__ import annotations

import io
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from robot.system.av1 import add_av1_stream
from robot.system.files import atomic_write

Image = NDArray[np.uint8]

LARGE = 480
"""Height of the large picture, in pixels."""
PANEL = 192
"""The greatest width of a smaller one."""
COLUMN = 128
"""The least width of a column, which has a title."""
GAP = 12
TITLE = 34
PLOT = 180
"""The least height of the plot."""
HEIGHT = TITLE + LARGE + GAP
BACKGROUND = (250, 249, 246)
INK = (40, 44, 52)
FAINT = (205, 205, 200)
BLUE = (42, 98, 168)
GREEN = (38, 140, 74)
FONT = cv2.FONT_HERSHEY_SIMPLEX
AXIS = 56
"""Pixels to the left of the plot's axis, for the tolerance."""
WORDS = 50
"""Pixels above the curve, for the distance and the caption."""
LABELLED = 100
"""Every tenth block of a plot of this many is labelled, and of a longer one fewer."""
_PANELS = ("goal", "seen by agent", "imagined")


@dataclass(frozen=True)
class Shot:
    """One frame's pictures, (H, W, 3) uint8 RGB: the `large` one, and beside it `goal`, `seen` and `imagined`; None
    where the agent imagined nothing. A rig's pictures are stacked."""

    large: Image
    goal: Image
    seen: Image
    imagined: Image | None


@dataclass(frozen=True)
class Layout:
    """Where a film's pictures stand: the large one, `wide` pixels, to the left; to its right a column for each of the
    smaller ones, which all have the `shape` (H, W, 3), with the plot below them."""

    wide: int
    shape: tuple[int, ...]

    @property
    def panel(self) -> tuple[int, int]:
        """Width and height of a smaller picture: the largest multiple of its own that leaves room for the plot."""
        height, width = self.shape[:2]
        times = max(1, min(PANEL // width, (LARGE - GAP - PLOT) // height))
        return times * width, times * height

    @property
    def plot(self) -> tuple[int, int]:
        """Left and top of the plot, which reaches to the lower right corner."""
        return self.left(0), TITLE + min(self.panel[1], LARGE - GAP - PLOT) + GAP

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the film; both are even, as the encoder demands."""
        return 2 * (self.left(len(_PANELS)) // 2), HEIGHT

    def left(self, column: int) -> int:
        """Return the left edge of a column, counted from 0."""
        return 2 * GAP + self.wide + column * (max(self.panel[0], COLUMN) + GAP)


class Film:
    """Writes an AV1 MP4 with one frame per decision; the distance axis shows `horizon` blocks.

    The file is written when the film is closed.
    """

    def __init__(self, path: Path, fps: Fraction, layout: Layout, tolerance_m: float, horizon: int) -> None:
        self._layout = layout
        self._tolerance = 100 * tolerance_m
        self._horizon = horizon
        self._distances: list[float] = []
        self._path = path
        self._file = io.BytesIO()  # in memory: an earlier file stays intact until this film is complete
        self._container = av.open(self._file, "w", format="mp4")
        # Faster presets show letters where others were a moment before.
        self._stream = add_av1_stream(self._container, fps, *layout.size, {"crf": "22", "preset": "8"})

    def add(self, shot: Shot, distance_m: float, caption: str) -> None:
        """Add a frame: the `shot`, the judge's distance (m) and a caption."""
        self._distances.append(100 * distance_m)
        self._write(self._compose(shot, caption))

    def repeat_last(self, shot: Shot, caption: str, frames: int) -> None:
        """Repeat the last frame, so that a viewer sees the end."""
        picture = self._compose(shot, caption)
        for _ in range(frames):
            self._write(picture)

    def close(self) -> None:
        """Finish the film and write it. Raises `RecordingError` when it cannot be written."""
        for packet in self._stream.encode():
            self._container.mux(packet)
        self._container.close()
        with atomic_write(self._path) as beside:
            beside.write_bytes(self._file.getvalue())

    def __enter__(self) -> Film:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write(self, picture: Image) -> None:
        for packet in self._stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
            self._container.mux(packet)

    def _compose(self, shot: Shot, caption: str) -> Image:
        width, height = self._layout.size
        canvas = np.full((height, width, 3), BACKGROUND, dtype=np.uint8)
        _write_words(canvas, "scene", (GAP, TITLE - 11))
        canvas[TITLE : TITLE + LARGE, GAP : GAP + self._layout.wide] = shot.large
        nothing = np.full(self._layout.shape, FAINT, dtype=np.uint8)
        for column, (title, picture) in enumerate(zip(_PANELS, (shot.goal, shot.seen, shot.imagined), strict=True)):
            left = self._layout.left(column)
            _write_words(canvas, title, (left, TITLE - 11))
            panel = enlarge(nothing if picture is None else picture, self._layout.panel[0])[:LARGE]
            canvas[TITLE : TITLE + panel.shape[0], left : left + panel.shape[1]] = panel
        self._plot(canvas, caption)
        return canvas

    def _plot(self, canvas: Image, caption: str) -> None:
        """Draw the distance over the blocks so far."""
        left, top = self._layout.plot
        first, last, bottom = left + AXIS, canvas.shape[1] - GAP - 6, HEIGHT - GAP - 22
        highest = max(10.0, *(1.1 * value for value in self._distances))

        def place(block: float, distance: float) -> tuple[int, int]:
            across = first + (last - first) * block / max(1, self._horizon)
            return round(across), round(bottom - (bottom - top - WORDS) * distance / highest)

        cv2.line(canvas, (first, bottom), (last, bottom), FAINT, 1, cv2.LINE_AA)
        cv2.line(canvas, place(0, self._tolerance), place(self._horizon, self._tolerance), GREEN, 1, cv2.LINE_AA)
        _write_words(canvas, f"{self._tolerance:.0f} cm", (left, place(0, self._tolerance)[1] + 5), 0.4, GREEN)
        points = np.array([place(block, value) for block, value in enumerate(self._distances)], dtype=np.int32)
        if len(points) > 1:
            cv2.polylines(canvas, [points], False, BLUE, 2, cv2.LINE_AA)
        if len(points):
            cv2.circle(canvas, tuple(points[-1].tolist()), 4, BLUE, -1, cv2.LINE_AA)
            _write_words(canvas, f"distance {self._distances[-1]:.1f} cm", (left, top + 14))
            _write_words(canvas, caption, (left, top + 34), 0.42)
        for block in range(0, self._horizon + 1, 10 * max(1, -(-self._horizon // LABELLED))):
            _write_words(canvas, str(block), (place(block, 0)[0] - 4 * len(str(block)), bottom + 16), 0.4)
        _write_words(canvas, "blocks", (left, bottom + 16), 0.4)


def _write_words(
    canvas: Image, words: str, at: tuple[int, int], scale: float = 0.5, colour: tuple[int, int, int] = INK
) -> None:
    """Write words with their lower left corner `at` (across, down)."""
    cv2.putText(canvas, words, at, FONT, scale, colour, 1, cv2.LINE_AA)


def enlarge(picture: Image, width: int) -> Image:
    """Return a picture enlarged to `width` pixels without smoothing: it shows exactly the model's input."""
    size = (width, round(width * picture.shape[0] / picture.shape[1]))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_NEAREST), dtype=np.uint8)
