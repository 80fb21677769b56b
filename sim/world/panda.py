"""The Franka Emika Panda as PyBullet ships it, with the limits its maker publishes.

Limits: https://frankaemika.github.io/docs/control_parameters.html (joint position, velocity, acceleration and
jerk). The workspace is the part of the table that the front camera sees.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import pybullet_data

from robot.arm.interface import ArmSpec, Box
from robot.hardware.panda_bodies import panda_bodies

URDF_PATH = Path(pybullet_data.getDataPath()) / "franka_panda" / "panda.urdf"
ARM_JOINTS = tuple(range(7))
FINGER_JOINTS = (9, 10)
TOOL_LINK = 11
MAX_GRIPPER_WIDTH = 0.08


@lru_cache(maxsize=1)
def panda_spec() -> ArmSpec:
    """Return the simulated Panda's specification."""
    return ArmSpec(
        name="panda-sim",
        joint_names=tuple(f"panda_joint{i}" for i in range(1, 8)),
        lower=(-2.8973, -1.7628, -2.8973, -3.0718, -2.8973, -0.0175, -2.8973),
        upper=(2.8973, 1.7628, 2.8973, -0.0698, 2.8973, 3.7525, 2.8973),
        velocity=(2.175, 2.175, 2.175, 2.175, 2.61, 2.61, 2.61),
        acceleration=(15.0, 7.5, 10.0, 12.5, 15.0, 20.0, 20.0),
        jerk=(7500.0, 3750.0, 5000.0, 6250.0, 7500.0, 10000.0, 10000.0),
        rate_hz=250.0,
        # The path of the meshes on this machine, for programs that draw the arm; the kinematics need no meshes.
        urdf=URDF_PATH.read_text().replace("package://", f"file://{URDF_PATH.parent}/"),
        tool_frame="panda_grasptarget",
        home=(0.0, -0.1, 0.0, -2.5, 0.0, 2.4, 0.785),
        workspace=Box((0.30, -0.32, 0.01), (0.75, 0.32, 0.60)),
        table_height=0.01,
        gripper_range=(0.0, MAX_GRIPPER_WIDTH),
        bodies=panda_bodies(),
    )
