"""A short recording of a real arm's motion, for tests that have another arm repeat it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from robot.arm.interface import ArmSpec
from robot.dataset import DatasetWriter, Feature
from robot.dataset.format.columns import GOVERNED, MEASURED, STATE_NS

FPS = 30


def sway(spec: ArmSpec, seconds: float = 1.0, angle: float = 0.15) -> npt.NDArray[np.float64]:
    """Set-points (T, n) in which every joint goes to and fro once about where it is at home."""
    share = 0.5 - 0.5 * np.cos(np.linspace(0.0, 2 * np.pi, round(seconds * FPS)))
    return np.array(spec.home) + angle * share[:, None] * np.where(np.arange(spec.dof) % 2, 1.0, -1.0)


def recording(
    root: Path,
    spec: ArmSpec,
    setpoints: npt.NDArray[np.float64],
    names: tuple[str, ...] | None = None,
    robot: str | None = None,
    columns: tuple[str, ...] = (GOVERNED, MEASURED, "action", STATE_NS),
    width: float = 0.05,
) -> Path:
    """A data set of one episode with these set-points (T, n) rad, measured exactly."""
    names = spec.joint_names if names is None else names
    joints = Feature("float32", (len(names),), names)
    features = {
        GOVERNED: joints,
        MEASURED: joints,
        "action": Feature("float32", (len(names) + 1,), (*names, "gripper.command")),
        STATE_NS: Feature("int64"),
    }
    rows = len(setpoints)
    values = {
        GOVERNED: setpoints,
        MEASURED: setpoints,
        "action": np.column_stack([setpoints, np.full(rows, width)]),
        STATE_NS: 10**15 + np.round(np.arange(rows) * 1e9 / FPS).astype(np.int64),
    }
    kept = {name: features[name] for name in columns}
    with DatasetWriter.create(root, FPS, kept, spec.name if robot is None else robot) as writer:
        writer.save_episode({name: values[name] for name in columns}, "sway")
    return root
