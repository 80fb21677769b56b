"""The scripted policys that play: what one must offer, and how an episode of its play begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from robot.arm.interface import ObjectPose, Vector
from robot.embodiment.tool_displacement import ToolTarget


@dataclass(frozen=True)
class Start:
    """How an episode begins: the tool, and the objects that are on the table."""

    tool: ToolTarget
    objects: tuple[ObjectPose, ...]


class ScriptedPolicy(Protocol):
    """Plays. It sees the truth of the simulation; what is recorded of it is pictures and actions."""

    @property
    def clean_action(self) -> Vector:
        """What the last action (A,) would have been without noise."""

    def act(self, tool: ToolTarget, objects: Sequence[ObjectPose]) -> Vector:
        """Return an action (A,) in [−1, 1] for the set-point `tool` and the objects on the table."""

    def rethink(self) -> None:
        """Give up what was being done: somebody else has moved the arm meanwhile."""


class CorrelatedNoise:
    """Noise (A,) that wanders: each draw keeps `kept` of the one before."""

    def __init__(self, rng: np.random.Generator, size: int, scale: float, kept: float = 0.6) -> None:
        self._rng = rng
        self._scale = scale * np.sqrt(1.0 - kept**2)
        self._kept = kept
        self._now: Vector = np.zeros(size)

    def draw(self) -> Vector:
        """Return the next noise; its standard deviation is `scale` in the long run."""
        self._now = self._kept * self._now + self._scale * self._rng.standard_normal(self._now.shape)
        return self._now


def standing(name: str, place: Sequence[float], yaw: float) -> ObjectPose:
    """Return an upright pose at `place` (x, y, z) m, turned by `yaw` rad."""
    x, y, z = (float(value) for value in place)
    return ObjectPose(name, (x, y, z), (0.0, 0.0, float(np.sin(yaw / 2)), float(np.cos(yaw / 2))))
