"""Figures as files: drawn without a screen, and there whole or not at all."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from robot.errors import ConfigurationError
from robot.system.files import whole

FORMATS = (".png", ".pdf", ".svg")
DPI = 120


def require_picture(path: Path, option: str) -> None:
    """Raise `ConfigurationError` when the name of the file `path`, which `option` asked for, is not a picture's."""
    if path.suffix.lower() not in FORMATS:
        raise ConfigurationError(f"{option} {path} is no picture that can be written; end it in {', '.join(FORMATS)}")


def save_figure(figure: Figure, path: Path) -> None:
    """Write `figure` to `path` and close it. Raises `RecordingError` when it cannot be written."""
    figure.tight_layout()
    with whole(path) as beside:
        figure.savefig(beside, dpi=DPI)
    plt.close(figure)
