"""A Panda's specification for the tests of this floor, from the description that ships with PyBullet."""

from __future__ import annotations

from pathlib import Path

import pybullet_data

from robot.arm.interface import ArmSpec, Box
from robot.hardware.panda_bodies import EFFORT, panda_bodies

URDF = Path(pybullet_data.getDataPath()) / "franka_panda" / "panda.urdf"


def panda_spec() -> ArmSpec:
    """The Panda with the maker's limits, a workspace before it and the table at the height of its base."""
    return ArmSpec(
        name="panda",
        joint_names=tuple(f"panda_joint{index}" for index in range(1, 8)),
        lower=(-2.8973, -1.7628, -2.8973, -3.0718, -2.8973, -0.0175, -2.8973),
        upper=(2.8973, 1.7628, 2.8973, -0.0698, 2.8973, 3.7525, 2.8973),
        velocity=(2.175, 2.175, 2.175, 2.175, 2.61, 2.61, 2.61),
        acceleration=(15.0, 7.5, 10.0, 12.5, 15.0, 20.0, 20.0),
        jerk=(7500.0, 3750.0, 5000.0, 6250.0, 7500.0, 10000.0, 10000.0),
        rate_hz=250.0,
        urdf=URDF.read_text(),
        tool_frame="panda_grasptarget",
        home=(0.0, -0.4, 0.0, -2.4, 0.0, 2.0, 0.785),
        workspace=Box(lower=(0.25, -0.4, 0.0), upper=(0.8, 0.4, 0.7)),
        table_height=0.0,
        gripper_range=(0.0, 0.08),
        bodies=panda_bodies(),
        effort=EFFORT,
    )
