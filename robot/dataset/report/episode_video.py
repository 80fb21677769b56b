"""Renders an episode as a video: all cameras side by side, and below them state and action as curves."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import av
import cv2
import matplotlib

from robot.dataset.format.columns import ACTION, STATE, TIMESTAMP

matplotlib.use("Agg")
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from tqdm import tqdm

from robot.dataset.format.columns import camera_of
from robot.dataset.format.schema import Feature
from robot.dataset.format.video_file import exact_rate
from robot.dataset.reader import Columns, Dataset
from robot.dataset.report.colour import as_colour
from robot.dataset.report.shown_cameras import shown_cameras
from robot.system.av1 import add_av1_stream
from robot.system.files import atomic_write

Image = npt.NDArray[np.uint8]

PANEL = 240  # height of each camera's picture, pixels
WIDEST = 1920
NARROWEST = 640
GAP = 12
TITLE = 66
PLOT = 150
FOOT = 28
LEFT, RIGHT = 60, 130  # margins of the curves, pixels: their scale, and their names
DPI = 100
PAPER, INK, CURSOR = "#faf9f6", "#282c34", (200, 40, 40)
_FAINT = 0.2
_MOST_NAMED = 10


def write_film(dataset: Dataset, index: int, path: Path) -> Mapping[str, str]:
    """Write the video of one episode to `path`, an MP4 file that plays at the rate of the recording. Return the columns
    whose pictures are not shown, because worldarm does not read them, with the reason.

    Raises DatasetError when the episode is absent or damaged; RecordingError when the file cannot be written.
    """
    cameras, unread = shown_cameras(dataset, index)
    frames = compose(dataset, index, cameras)
    first = next(frames)
    with atomic_write(path) as beside, av.open(str(beside), "w", format="mp4") as container:
        rate = exact_rate(dataset.info.fps)
        stream = add_av1_stream(container, rate, first.shape[1], first.shape[0], {"crf": "24", "preset": "10"})
        length = dataset.episodes[index].length
        with tqdm(total=length, desc="filming", unit="frame", mininterval=0.5, delay=2.0) as bar:
            for number, pixels in enumerate(_with_first(first, frames)):
                frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
                frame.pts, frame.time_base = number, 1 / rate
                container.mux(stream.encode(frame))
                bar.update()
        container.mux(stream.encode(None))
    return unread


def compose(dataset: Dataset, index: int, cameras: Sequence[str]) -> Iterator[Image]:
    """Yield the video's frames, (H, W, 3) uint8 RGB of even size, one for each frame of the episode.

    cameras: the columns of pictures to show.

    Raises DatasetError when the episode is absent or damaged.
    """
    curves = curve_features(dataset.features)
    columns = dataset.episode(index, curves)
    pictures = {name: dataset.frames(index, name) for name in cameras}
    panels = _panels(dataset.features, cameras)
    width = max(NARROWEST, sum(size[0] for size in panels.values()) + GAP * (len(panels) + 1))
    height = TITLE + (max((size[1] for size in panels.values()), default=0)) + PLOT * len(curves) + FOOT
    width, height = width + width % 2, height + height % 2
    lefts = _lefts(panels)
    full, faint, across = _pages(dataset, index, columns, curves, lefts, (width, height))
    below = height - PLOT * len(curves) - FOOT
    for x in across:
        canvas = faint.copy()
        canvas[below:, :x] = full[below:, :x]
        if curves:
            canvas[below : height - FOOT, x : x + 2] = CURSOR
        for name, size in panels.items():
            how = _interpolation(dataset.features[name], size)
            panel = canvas[TITLE : TITLE + size[1], lefts[name] : lefts[name] + size[0]]
            panel[:] = cv2.resize(as_colour(next(pictures[name])), size, interpolation=how)
        yield canvas


def curve_features(features: Mapping[str, Feature]) -> list[str]:
    """Return the columns to draw as curves: state and action, or else the first two columns of several numbers."""
    usual = [name for name in (STATE, ACTION) if name in features]
    others = [name for name, feature in features.items() if feature.dtype == "float32" and name != TIMESTAMP]
    return usual or others[:2]


def entry_names(name: str, feature: Feature) -> tuple[str, ...]:
    """Return the names of a column's numbers; for a column without names, their indices."""
    return feature.names or tuple(f"{name.rpartition('.')[2]} {number}" for number in range(math.prod(feature.shape)))


def _panels(features: Mapping[str, Feature], cameras: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Return the width and height of each camera's picture in the video: all of one height, as large as they fit."""
    ratios = {name: features[name].shape[1] / features[name].shape[0] for name in cameras}
    room = WIDEST - GAP * (len(cameras) + 1)
    high = min(PANEL, int(room / sum(ratios.values()))) if ratios else 0
    return {name: (max(1, round(high * ratio)), high) for name, ratio in ratios.items()}


def _lefts(panels: Mapping[str, tuple[int, int]]) -> dict[str, int]:
    lefts, left = {}, GAP
    for name, size in panels.items():
        lefts[name] = left
        left += size[0] + GAP
    return lefts


def _interpolation(feature: Feature, size: tuple[int, int]) -> int:
    """Return the interpolation for resizing: enlarged pixels keep sharp edges, since a model sees pixels."""
    return cv2.INTER_AREA if feature.shape[0] > size[1] else cv2.INTER_NEAREST


def _pages(
    dataset: Dataset,
    index: int,
    columns: Columns,
    curves: list[str],
    lefts: Mapping[str, int],
    size: tuple[int, int],
) -> tuple[Image, Image, list[int]]:
    """Return the page without pictures twice, with full and with faint curves, and each frame's x position on them."""
    width, height = size
    episode = dataset.episodes[index]
    times = np.arange(episode.length) / dataset.info.fps
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor=PAPER)
    canvas = FigureCanvasAgg(figure)
    task = textwrap.shorten("; ".join(episode.tasks), max(20, width // 9), placeholder=" …")
    # Dollar signs would otherwise start a formula.
    figure.text(GAP / width, 1 - 20 / height, task, fontsize=11, color=INK, va="center", parse_math=False)
    where = f"episode {index} of {dataset.root.resolve().name}, {episode.length / dataset.info.fps:.1f} s"
    figure.text(GAP / width, 1 - 40 / height, where, fontsize=8, color=INK, va="center", parse_math=False)
    for name, left in lefts.items():
        words = camera_of(name)
        figure.text(left / width, 1 - 57 / height, words, fontsize=8, color=INK, va="center", parse_math=False)
    lines = []
    axes: Axes | None = None
    for row, name in enumerate(curves):
        bottom = FOOT + PLOT * (len(curves) - 1 - row) + 14
        place = (LEFT / width, bottom / height, (width - LEFT - RIGHT) / width, (PLOT - 34) / height)
        axes = figure.add_axes(place)
        values = columns[name].reshape(episode.length, -1)
        for entry, words in enumerate(entry_names(name, dataset.features[name])):
            label = words if entry < _MOST_NAMED else None
            lines += axes.plot(times, values[:, entry], linewidth=1.2, label=label)
        _dress(axes, name, times, last=row == len(curves) - 1)
    full = _pixels(canvas)
    for line in lines:
        line.set_alpha(_FAINT)
    faint = _pixels(canvas)
    if axes is None:
        return full, faint, [0] * episode.length
    across = axes.transData.transform(np.stack([times, np.zeros_like(times)], axis=1))[:, 0]
    return full, faint, [int(x) for x in across.round()]


def _dress(axes: Axes, name: str, times: npt.NDArray[np.float64], last: bool) -> None:
    axes.set_facecolor(PAPER)
    axes.set_title(name, fontsize=8, color=INK, loc="left", pad=3, parse_math=False)
    axes.set_xlim(0.0, max(float(times[-1]), 1e-3))
    axes.tick_params(labelsize=7, colors=INK, labelbottom=last)
    axes.grid(alpha=0.25)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    if last:
        axes.set_xlabel("s", fontsize=7, color=INK, labelpad=0)
    axes.legend(fontsize=6, loc="upper left", bbox_to_anchor=(1.0, 1.05), frameon=False, labelspacing=0.2)


def _pixels(canvas: FigureCanvasAgg) -> Image:
    canvas.draw()
    return np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3])


def _with_first(first: Image, others: Iterator[Image]) -> Iterator[Image]:
    yield first
    yield from others
