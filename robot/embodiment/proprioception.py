"""The proprioceptive state that belongs to each picture, from the live arm and from recordings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robot.arm.interface import ArmSpec, Vector
from robot.arm.kinematics import Kinematics
from robot.embodiment.arm_sample import ArmSample
from robot.embodiment.convention import ArmConvention
from robot.embodiment.sample_series import SampleSeries
from robot.embodiment.state_entries import entries_named

STATE_NAMES = ("tool.x", "tool.y", "tool.z", "gripper.width", "setpoint.x", "setpoint.y", "setpoint.z")
"""The entries of the state where actions neither turn the tool nor move the gripper."""
GRASPING_STATE_NAMES = (*STATE_NAMES, "tool.yaw", "setpoint.yaw", "gripper.command")
"""The entries of the state where actions do."""


def joint_state_names(joints: int, grips: bool) -> tuple[str, ...]:
    """Return the entries of the state where actions move each of that many `joints` and, with `grips`, the gripper."""
    measured = tuple(f"joint.{number}" for number in range(1, joints + 1))
    commanded = tuple(f"setpoint.joint.{number}" for number in range(1, joints + 1))
    return (*measured, *STATE_NAMES[:4], *commanded, *(("gripper.command",) if grips else ()))


class Proprioception:
    """Computes the state with the entries `names` from the joints and the gripper of the live arm.

    `robot.embodiment.state_entries` defines every entry. Yaw is measured from the reference rotation of `convention`.
    """

    def __init__(self, names: Sequence[str], convention: ArmConvention[Any], kinematics: Kinematics) -> None:
        """Raise `ConfigurationError` for an unknown name."""
        self.names = tuple(names)
        self._entries = entries_named(names)
        self._convention = convention
        self._kinematics = kinematics

    def require(self, arm: ArmSpec) -> None:
        """Raise `ConfigurationError` unless `arm` has the joints, and measures the efforts, that the entries need."""
        width = arm.gripper_range[0]
        self.state(arm.home, arm.home, width, width, np.zeros(arm.dof) if arm.effort else ())

    def state(
        self,
        measured: Sequence[float] | Vector,
        governed: Sequence[float] | Vector,
        gripper_width: float,
        gripper_command: float,
        effort: Sequence[float] | Vector = (),
    ) -> Vector:
        """Return the state (P,) from measured and governed joints (n,) rad, measured and commanded gripper widths (m),
        and the joints' `effort` (n,) N·m, empty for an arm that measures none.

        Raises `ConfigurationError` for an entry of a joint that the arm lacks or whose effort it does not measure.
        """
        here, there = np.asarray(measured, dtype=np.float64), np.asarray(governed, dtype=np.float64)
        sample = ArmSample(
            here,
            there,
            self._kinematics.forward(here),
            self._kinematics.forward(there),
            gripper_width,
            gripper_command,
            np.asarray(effort, dtype=np.float64),
            self._convention.yaw,
        )
        return np.array([entry.read(sample) for entry in self._entries])


def states_at(names: Sequence[str], series: SampleSeries, times: Vector) -> NDArray[np.float64]:
    """Return the states (T, P) with the entries `names` of a recorded arm at `times` (T,) s.

    Raises `ConfigurationError` for an unknown name.
    """
    return np.stack([series.at(times, name) for name in names], axis=1)
