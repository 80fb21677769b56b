"""The Franka Research 3's and the Panda's kinematics, hand and limits, as their maker publishes them.

Source: https://frankarobotics.github.io/docs/robot_specifications.html (Denavit-Hartenberg parameters in Craig's
convention; limits of both arms). Both have the same kinematics, and limits here hold for both.

The Research 3 allows a joint the less speed the nearer it is to its end, √(2 a d) − o at a distance d. The positions
here end where that is the speed here, with one exception: joint 4 may fold to −2.95 rad, as reaching the near edge of
the workspace takes, where a Research 3 allows 0.65 rad/s (1.6 from −2.60 on). One that is faster there stops itself.
"""

from __future__ import annotations

import math

from robot.arm.interface import ArmSpec, Box
from robot.hardware.panda_bodies import EFFORT, panda_bodies

PREFIX = "franka_"
JOINTS = tuple(f"{PREFIX}joint{number}" for number in range(1, 8))
TOOL = f"{PREFIX}grasptarget"
OPEN_M = 0.08
"""Between the fingers when the hand is open all the way."""
RATE_HZ = 250.0
"""The arm's own 1 kHz is kept by the native thread that tracks the set-points; every fourth of its steps gets a new
one, as in simulation, which leaves the driver's loop the time to answer, to govern and to be late."""

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
"""From the hand's base to between the fingertips, where simulation has `panda_grasptarget`."""

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
        # The frame turns by alpha about x before it goes along its own z.
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
    """Return the specification of an arm that stands at the edge of its table, and whose fingers may reach down to a
    centimetre above that."""
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
        # Home, workspace and table are where the simulated Panda has them, so that what is learnt there fits.
        home=(0.0, -0.1, 0.0, -2.5, 0.0, 2.4, 0.785),
        workspace=Box((0.30, -0.32, 0.01), (0.75, 0.32, 0.60)),
        table_height=0.01,
        gripper_range=(0.0, OPEN_M),
        bodies=panda_bodies(PREFIX),
        effort=EFFORT,
        models_of="panda-sim",
    )


def _fixed(parent: str, child: str, along: float, turn: float) -> str:
    """Return a fixed joint that goes `along` z (m) and turns about it (rad)."""
    return (
        f'<joint name="{PREFIX}{child}_joint" type="fixed"><origin xyz="0 0 {along}" rpy="0 0 {turn:.12g}"/>'
        f'<parent link="{PREFIX}{parent}"/><child link="{PREFIX}{child}"/></joint>'
    )
