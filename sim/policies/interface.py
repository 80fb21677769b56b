"""The interface of scripted policies, and the start of an episode of play."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from robot.arm.interface import ObjectPose, Vector
from robot.embodiment.tool_displacement import ToolTarget


@dataclass(frozen=True)
class Start:
    """The start of an episode: the tool, and the objects on the table."""

    tool: ToolTarget
    objects: tuple[ObjectPose, ...]


class ScriptedPolicy(Protocol):
    """A policy that plays from the simulation's ground truth; only pictures, states and actions are recorded."""

    @property
    def clean_action(self) -> Vector:
        """The last action (A,) before its noise."""

    def act(self, tool: ToolTarget, objects: Sequence[ObjectPose]) -> Vector:
        """Return an action (A,) in [−1, 1] for the set-point `tool` and the objects on the table."""

    def choose_again(self) -> None:
        """Abandon the present skill, because the agent has moved the arm meanwhile."""


class CorrelatedNoise:
    """Correlated noise (A,): each draw keeps the share `kept` of the previous one."""

    def __init__(self, rng: np.random.Generator, size: int, scale: float, kept: float = 0.6) -> None:
        self._rng = rng
        self._scale = scale * np.sqrt(1.0 - kept**2)
        self._kept = kept
        self._now: Vector = np.zeros(size)

    def draw(self) -> Vector:
        """Return the next noise; its stationary standard deviation is `scale`."""
        self._now = self._kept * self._now + self._scale * self._rng.standard_normal(self._now.shape)
        return self._now


def standing(name: str, place: Sequence[float], yaw: float) -> ObjectPose:
    """Return an upright pose at `place` (x, y, z) m, rotated by `yaw` rad."""
    x, y, z = (float(value) for value in place)
    return ObjectPose(name, (x, y, z), (0.0, 0.0, float(np.sin(yaw / 2)), float(np.cos(yaw / 2))))
