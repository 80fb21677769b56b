"""What the arm feels: the proprioceptive state that goes beside every picture, in data and on the wire alike."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from robot.arm.interface import Vector
from robot.arm.kinematics import Kinematics
from robot.embodiment.actions import ActionConvention
from robot.errors import ConfigurationError

STATE_NAMES = ("tool.x", "tool.y", "tool.z", "gripper.width", "setpoint.x", "setpoint.y", "setpoint.z")
"""What an arm feels that neither turns its tool nor uses its gripper."""
TOOL = STATE_NAMES[:3]
"""Those of them that say where its tool is."""
GRASPING_STATE_NAMES = (*STATE_NAMES, "tool.yaw", "setpoint.yaw", "gripper.command")
"""What one feels that does."""
COMMANDED = ("setpoint.x", "setpoint.y", "setpoint.z", "setpoint.yaw", "gripper.command")
"""Those of them that tell what the arm was sent to do, and not what it does."""


class Proprioception:
    """Makes the state whose entries are called `names` out of joints and gripper.

    Positions and widths are in m; "tool" is measured and "setpoint" what the governor let through; "yaw" is in rad,
    about the vertical from the rotation of `convention`; "gripper.command" is the width that the gripper was sent to,
    which an object between the fingers keeps it from.
    """

    def __init__(self, names: Sequence[str], convention: ActionConvention, kinematics: Kinematics) -> None:
        """Raise `ConfigurationError` for a name that no arm here feels."""
        unknown = [name for name in names if name not in GRASPING_STATE_NAMES]
        if unknown:
            raise ConfigurationError(
                f"no arm here feels {', '.join(unknown)}; what can be felt is {', '.join(GRASPING_STATE_NAMES)}"
            )
        self.names = tuple(names)
        self._order = [GRASPING_STATE_NAMES.index(name) for name in names]
        self._convention = convention
        self._kinematics = kinematics

    def feel(
        self,
        measured: Sequence[float] | Vector,
        governed: Sequence[float] | Vector,
        gripper_width: float,
        gripper_command: float,
    ) -> Vector:
        """Return the state (P,) from measured and governed joints (n,) rad and the gripper's widths (m)."""
        tool = self._kinematics.forward(np.asarray(measured))
        setpoint = self._kinematics.forward(np.asarray(governed))
        yaws = self._convention.yaw(tool.rotation), self._convention.yaw(setpoint.rotation)
        return np.array([*tool.position, gripper_width, *setpoint.position, *yaws, gripper_command])[self._order]
