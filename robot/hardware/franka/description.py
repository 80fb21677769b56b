"""Kinematics, hand and limits of the Franka Research 3 and the Panda, as their maker publishes them.

Source: https://frankarobotics.github.io/docs/robot_specifications.html (Denavit-Hartenberg parameters in Craig's
convention; limits of both arms). Both have the same kinematics, and limits here hold for both.

The Research 3 limits a joint's speed near the end of its range: √(2 a d) − o at a distance d from it. The position
limits here are where that speed equals the velocity limit here, with one exception. Joint 4 may fold to −2.95 rad,
which the near edge of the workspace needs; there a Research 3 allows 0.65 rad/s (1.6 from −2.60 on), and stops itself
when the joint is faster.
"""

from __future__ import annotations

import math

from robot.arm.interface import ArmSpec, Box
from robot.hardware.panda_bodies import EFFORT, panda_bodies

PREFIX = "franka_"
JOINTS = tuple(f"{PREFIX}joint{number}" for number in range(1, 8))
TOOL = f"{PREFIX}grasptarget"
OPEN_M = 0.08
"""The distance between the fingers when the hand is fully open."""
RATE_HZ = 250.0
"""The native thread that tracks the set-points runs at the arm's own 1 kHz; every fourth step gets a new set-point, as
in simulation. This leaves the driver's loop enough time for requests, for the governor and for jitter."""

# Craig's convention: a of the joint before (m), d of the joint (m), alpha of the joint before (rad).
_DH = (
    (0.0, 0.333, 0.0),
    (0.0, 0.0, -0.5 * math.pi),
    (0.0, 0.316, 0.5 * math.pi),
    (0.0825, 0.0, 0.5 * math.pi),
    (-0.0825, 0.384, -0.5 * math.pi),
    (0.0, 0.0, 0.5 * math.pi),
    (0.088, 0.0, 0.5 * math.pi),
)
_FLANGE_M = 0.107
_HAND_TURN = -0.25 * math.pi
_FINGERTIPS_M = 0.105
"""From the hand's base to the point between the fingertips, where the simulation has `panda_grasptarget`."""

LOWER = (-2.31, -1.24, -2.48, -2.95, -2.57, 1.01, -2.77)
UPPER = (2.31, 1.24, 2.48, -0.60, 2.57, 3.75, 2.77)
VELOCITY = (2.0, 1.5, 1.5, 1.6, 2.61, 2.0, 2.61)
ACCELERATION = (10.0, 7.5, 10.0, 10.0, 10.0, 10.0, 10.0)
JERK = (5000.0, 3750.0, 5000.0, 5000.0, 5000.0, 5000.0, 5000.0)


def franka_urdf() -> str:
    """Return the description's XML: seven joints, the flange `link8`, the hand, and the tool frame."""
    links = [*(f"link{number}" for number in range(9)), "hand", "grasptarget"]
    parts = [f'<link name="{PREFIX}{name}"/>' for name in links]
    for number, (a, d, alpha) in enumerate(_DH):
        # The frame rotates by alpha about x before it moves along its own z.
        xyz = f"{a:.9g} {-math.sin(alpha) * d:.9g} {math.cos(alpha) * d:.9g}"
        parts.append(
            f'<joint name="{JOINTS[number]}" type="revolute"><origin xyz="{xyz}" rpy="{alpha:.12g} 0 0"/>'
            f'<parent link="{PREFIX}link{number}"/><child link="{PREFIX}link{number + 1}"/><axis xyz="0 0 1"/>'
            f'<limit effort="{EFFORT[number]}" velocity="{VELOCITY[number]}" lower="{LOWER[number]}" '
            f'upper="{UPPER[number]}"/></joint>'
        )
    parts.append(_fixed("link7", "link8", _FLANGE_M, 0.0))
    parts.append(_fixed("link8", "hand", 0.0, _HAND_TURN))
    parts.append(_fixed("hand", "grasptarget", _FINGERTIPS_M, 0.0))
    return f'<robot name="franka">{"".join(parts)}</robot>'


def franka_spec() -> ArmSpec:
    """Return the specification of an arm at the edge of its table, whose fingers may reach down to 1 cm above the
    table."""
    return ArmSpec(
        name="franka",
        joint_names=JOINTS,
        lower=LOWER,
        upper=UPPER,
        velocity=VELOCITY,
        acceleration=ACCELERATION,
        jerk=JERK,
        rate_hz=RATE_HZ,
        urdf=franka_urdf(),
        tool_frame=TOOL,
        # Home, workspace and table equal those of the simulated Panda, so that models learnt there fit.
        home=(0.0, -0.1, 0.0, -2.5, 0.0, 2.4, 0.785),
        workspace=Box((0.30, -0.32, 0.01), (0.75, 0.32, 0.60)),
        table_height=0.01,
        gripper_range=(0.0, OPEN_M),
        bodies=panda_bodies(PREFIX),
        effort=EFFORT,
        models_of="panda-sim",
        # At the torque at which the arm stops itself, its softest joint is this far from its set-point.
        follow_error=0.25,
    )


def _fixed(parent: str, child: str, along: float, turn: float) -> str:
    """Return a fixed joint that moves `along` z (m) and rotates by `turn` about it (rad)."""
    return (
        f'<joint name="{PREFIX}{child}_joint" type="fixed"><origin xyz="0 0 {along}" rpy="0 0 {turn:.12g}"/>'
        f'<parent link="{PREFIX}{parent}"/><child link="{PREFIX}{child}"/></joint>'
    )
