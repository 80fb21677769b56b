"""The demo's film of one goal: goal picture, live camera and imagined outcome side by side, distance below."""

from __future__ import annotations

import io
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

PANEL = 256
GAP = 12
TITLE = 34
PLOT = 150
WIDTH = 3 * PANEL + 4 * GAP
BELOW = GAP + PLOT + GAP
BACKGROUND = (250, 249, 246)
INK = (40, 44, 52)
FAINT = (205, 205, 200)
BLUE = (42, 98, 168)
GREEN = (38, 140, 74)
FONT = cv2.FONT_HERSHEY_SIMPLEX


class Film:
    """Writes an AV1 MP4 with one frame per decision; the distance axis shows `horizon` blocks.

    Every picture has the size of `goal`; a rig's pictures are stacked. The file is written when the film is closed.
    """

    def __init__(self, path: Path, fps: Fraction, goal: Image, tolerance_m: float, horizon: int) -> None:
        self._goal = goal
        self._panel = len(enlarge(goal, PANEL))
        self._tolerance = 100 * tolerance_m
        self._horizon = horizon
        self._distances: list[float] = []
        self._path = path
        self._file = io.BytesIO()  # in memory: an earlier file stays intact until this film is complete
        self._container = av.open(self._file, "w", format="mp4")
        size = WIDTH, TITLE + self._panel + BELOW
        self._stream = add_av1_stream(self._container, fps, *size, {"crf": "30", "preset": "10"})

    def add(self, live: Image, imagined: Image | None, distance_m: float, caption: str) -> None:
        """Add a frame: the pictures (H, W, 3) uint8 RGB, the judge's distance (m) and a caption."""
        self._distances.append(100 * distance_m)
        self._write(self._compose(live, imagined, caption))

    def repeat_last(self, live: Image, imagined: Image | None, caption: str, frames: int) -> None:
        """Repeat the last frame, so that a viewer sees the end."""
        picture = self._compose(live, imagined, caption)
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

    def _compose(self, live: Image, imagined: Image | None, caption: str) -> Image:
        canvas = np.full((TITLE + self._panel + BELOW, WIDTH, 3), BACKGROUND, dtype=np.uint8)
        nothing = np.full(self._goal.shape, FAINT, dtype=np.uint8)
        panels = (("goal", self._goal), ("live camera", live), ("imagined", nothing if imagined is None else imagined))
        for column, (title, picture) in enumerate(panels):
            left = GAP + column * (PANEL + GAP)
            cv2.putText(canvas, title, (left, TITLE - 11), FONT, 0.55, INK, 1, cv2.LINE_AA)
            canvas[TITLE : TITLE + self._panel, left : left + PANEL] = enlarge(picture, PANEL)
        self._plot(canvas, TITLE + self._panel + GAP, caption)
        return canvas

    def _plot(self, canvas: Image, top: int, caption: str) -> None:
        """Draw the distance over the blocks so far into the strip below the panels."""
        left, right, bottom = GAP + 46, WIDTH - GAP, top + PLOT - 22
        highest = max(10.0, *(1.1 * value for value in self._distances))

        def place(block: float, distance: float) -> tuple[int, int]:
            across = left + (right - left) * block / max(1, self._horizon)
            return round(across), round(bottom - (bottom - top - 18) * distance / highest)

        cv2.line(canvas, (left, bottom), (right, bottom), FAINT, 1, cv2.LINE_AA)
        cv2.line(canvas, place(0, self._tolerance), place(self._horizon, self._tolerance), GREEN, 1, cv2.LINE_AA)
        cv2.putText(
            canvas,
            f"{self._tolerance:.0f} cm",
            (GAP, place(0, self._tolerance)[1] + 5),
            FONT,
            0.4,
            GREEN,
            1,
            cv2.LINE_AA,
        )
        points = np.array([place(block, value) for block, value in enumerate(self._distances)], dtype=np.int32)
        if len(points) > 1:
            cv2.polylines(canvas, [points], False, BLUE, 2, cv2.LINE_AA)
        if len(points):
            cv2.circle(canvas, tuple(points[-1].tolist()), 4, BLUE, -1, cv2.LINE_AA)
            words = f"distance {self._distances[-1]:.1f} cm    {caption}"
            cv2.putText(canvas, words, (left, top + 10), FONT, 0.5, INK, 1, cv2.LINE_AA)
        cv2.putText(canvas, "blocks", (right - 48, bottom + 16), FONT, 0.4, INK, 1, cv2.LINE_AA)
        for block in range(0, self._horizon + 1, 10):
            across = place(block, 0)[0]
            cv2.putText(canvas, str(block), (across - 6, bottom + 16), FONT, 0.4, INK, 1, cv2.LINE_AA)


def enlarge(picture: Image, width: int) -> Image:
    """Return a picture enlarged to `width` pixels without smoothing: it shows exactly the model's input."""
    size = (width, round(width * picture.shape[0] / picture.shape[1]))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_NEAREST), dtype=np.uint8)
