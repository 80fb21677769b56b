"""The board on paper, in true size: a PDF to print, or a PNG that holds its resolution."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeAlias

import matplotlib

matplotlib.use("Agg")
import numpy as np
from matplotlib.figure import Figure

from perception.camera.board import Board, texture
from robot.errors import ConfigurationError
from robot.system.files import atomic_write

Paper: TypeAlias = Literal["a4", "a3", "letter"]
PAPERS_MM: dict[str, tuple[float, float]] = {"a4": (297.0, 210.0), "a3": (420.0, 297.0), "letter": (279.4, 215.9)}
FORMATS = (".pdf", ".png")
DPI = 300
RULER_MM = 100.0

_MM_AN_INCH = 25.4
_MARGIN_MM = 8.0
_CAPTION_MM = 14.0


def write_sheet(board: Board, paper: Paper, path: Path) -> None:
    """Write `board` on a sheet of `paper` in landscape format to `path`, a PDF or PNG by its suffix.

    Raises `ConfigurationError` for another suffix and for a board that is too large for the paper, and `RecordingError`
    when the file cannot be written.
    """
    if path.suffix.lower() not in FORMATS:
        raise ConfigurationError(f"{path} is not a supported format for a sheet; end it in {' or '.join(FORMATS)}")
    page = PAPERS_MM[paper]
    width, height = (1e3 * side for side in board.size_m)
    if width > page[0] - 2 * _MARGIN_MM or height > page[1] - _MARGIN_MM - _CAPTION_MM:
        raise ConfigurationError(
            f"a board of {width:g}x{height:g} mm does not fit on {paper} ({page[0]:g}x{page[1]:g} mm) with its "
            "caption; give smaller squares, fewer of them, or larger paper"
        )
    left, bottom = (page[0] - width) / 2, _CAPTION_MM + (page[1] - _CAPTION_MM - _MARGIN_MM - height) / 2
    figure = Figure(figsize=(page[0] / _MM_AN_INCH, page[1] / _MM_AN_INCH), facecolor="white")
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_axis_off()
    # No resampling: each square has a whole number of pixels, at a printer's resolution, placed in millimetres.
    pixels = round(2 * DPI * 1e3 * board.square_m / _MM_AN_INCH)
    place = (left, left + width, bottom, bottom + height)
    axes.imshow(texture(board, pixels), cmap="gray", vmin=0, vmax=255, extent=place, interpolation="none")
    axes.set_xlim(0.0, page[0])
    axes.set_ylim(0.0, page[1])
    axes.set_aspect("auto")
    ruler = left + np.array([0.0, RULER_MM])
    axes.plot(ruler, [9.0, 9.0], color="black", linewidth=0.6)
    for end in ruler:
        axes.plot([end, end], [7.5, 10.5], color="black", linewidth=0.6)
    axes.text(left, 4.0, f"this line is {RULER_MM:g} mm: print at 100 %, without fitting to the page", fontsize=7)
    axes.text(left + width, 9.0, f"worldarm: {board}", fontsize=7, ha="right", va="center")
    axes.text(left + width, 4.0, "glue it flat to something stiff", fontsize=7, ha="right")
    with atomic_write(path) as beside:
        figure.savefig(beside, dpi=DPI)
