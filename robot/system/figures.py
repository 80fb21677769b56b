"""Figures as files: drawn without a display, and written completely or not at all."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from robot.errors import ConfigurationError
from robot.system.files import atomic_write

FORMATS = (".png", ".pdf", ".svg")
DPI = 120


def require_picture(path: Path, option: str) -> None:
    """Raise `ConfigurationError` when `path`, given with `option`, does not end in a supported picture format."""
    if path.suffix.lower() not in FORMATS:
        raise ConfigurationError(f"{option} {path} is not a supported picture format; end it in {', '.join(FORMATS)}")


def save_figure(figure: Figure, path: Path) -> None:
    """Write `figure` to `path` and close it. Raises `RecordingError` when it cannot be written."""
    figure.tight_layout()
    with atomic_write(path) as beside:
        figure.savefig(beside, dpi=DPI)
    plt.close(figure)
