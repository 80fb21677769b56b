"""Loss curves as a picture, with one panel for each trained part."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import NDArray

from perception.training.loop import History
from robot.system.figures import save_figure

SMOOTHING = 0.1


def draw_curves(histories: dict[str, History], path: Path) -> None:
    """Write a PNG to `path` with the loss terms of each part over its steps, smoothed over about ten readings."""
    figure, axes = plt.subplots(1, len(histories), figsize=(4.2 * len(histories), 3.4), squeeze=False)
    for axis, (name, history) in zip(axes[0], histories.items(), strict=True):
        for term, values in history.terms.items():
            axis.plot(history.steps, _smooth(np.asarray(values)), label=term, linewidth=1.4)
        if all(min(values) > 0 for values in history.terms.values()):
            axis.set_yscale("log")
        axis.set_title(name)
        axis.set_xlabel("step")
        axis.grid(alpha=0.3)
        axis.legend(fontsize=8)
    save_figure(figure, path)


def _smooth(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the exponential moving average of `values` (N,), which starts at the first value."""
    smooth = np.empty_like(values, dtype=np.float64)
    level = values[0]
    for index, value in enumerate(values):
        level += SMOOTHING * (value - level)
        smooth[index] = level
    return smooth
