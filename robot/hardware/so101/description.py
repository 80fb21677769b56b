"""The SO-101's kinematics, limits and bodies.

Joint origins and limits are those of its makers' description, so101_new_calib.urdf
(https://github.com/TheRobotStudio/SO-ARM100, Apache-2.0): zero is the middle of each joint's range. Its base is turned
so that the arm reaches along x. Bodies are capsules around the printed parts and servos, from their sizes there.
"""

from __future__ import annotations

from robot.arm.interface import ArmSpec, Box, Capsule

JOINTS = ("shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll")
GRIPPER = "gripper"
MOTORS = (*JOINTS, GRIPPER)
TOOL = "gripperframe"
OPEN_M = 0.07
"""The distance between the jaws' tips when the gripper is fully open."""
STALL_NM = 1.9
"""A servo's stall torque at 7.4 V; the servo reports its load as a share of it."""

_ORIGINS = {
    "shoulder_pan": ("base", "shoulder", "0.0207909 -0.0230745 0.0948817", "3.14159265 0 1.57079633", 1.91986),
    "shoulder_lift": ("shoulder", "upper_arm", "-0.0303992 -0.0182778 -0.0542", "-1.57079633 -1.57079633 0", 1.74533),
    "elbow_flex": ("upper_arm", "lower_arm", "-0.11257 -0.028 0", "0 0 1.57079633", 1.69),
    "wrist_flex": ("lower_arm", "wrist", "-0.1349 0.0052 0", "0 0 -1.57079633", 1.65806),
    "wrist_roll": ("wrist", "gripper", "0 -0.0611 0.0181", "1.57079633 0 3.14159265", 2.79253),
}
LIMITS = {name: origin[4] for name, origin in _ORIGINS.items()}


def so101_urdf() -> str:
    """Return the description's XML."""
    links = ["mount", "base", *(origin[1] for origin in _ORIGINS.values()), TOOL]
    parts = [f'<link name="{name}"/>' for name in links]
    parts.append(
        '<joint name="mounted" type="fixed"><origin xyz="0 -0.0207909 0" rpy="0 0 1.57079633"/><parent link="mount"/>'
        '<child link="base"/></joint>'
    )
    for name, (parent, child, xyz, rpy, limit) in _ORIGINS.items():
        parts.append(
            f'<joint name="{name}" type="revolute"><origin xyz="{xyz}" rpy="{rpy}"/><parent link="{parent}"/>'
            f'<child link="{child}"/><axis xyz="0 0 1"/>'
            f'<limit effort="{STALL_NM}" velocity="4" lower="{-limit}" upper="{limit}"/></joint>'
        )
    parts.append(
        f'<joint name="{TOOL}_joint" type="fixed"><origin xyz="-0.0079 -0.000218121 -0.0981274" '
        f'rpy="1.57079633 0 1.57079633"/><parent link="gripper"/><child link="{TOOL}"/></joint>'
    )
    return f'<robot name="so101">{"".join(parts)}</robot>'


def so101_spec(lower: tuple[float, ...], upper: tuple[float, ...]) -> ArmSpec:
    """Return the specification of an arm whose calibrated joint ranges are `lower` to `upper` (5,) rad."""
    return ArmSpec(
        name="so101",
        joint_names=JOINTS,
        lower=lower,
        upper=upper,
        # Half of the servos' no-load speed: they must be able to follow with a load.
        velocity=(2.0, 2.0, 2.0, 2.5, 2.5),
        acceleration=(12.0,) * 5,
        jerk=(400.0,) * 5,
        rate_hz=100.0,
        urdf=so101_urdf(),
        tool_frame=TOOL,
        home=(0.0, -0.6, 0.6, 1.0, 0.0),
        workspace=Box((0.05, -0.40, 0.0), (0.45, 0.40, 0.45)),
        table_height=0.0,
        gripper_range=(0.0, OPEN_M),
        bodies=(
            Capsule("base", (0.0207, 0.0, 0.03), (0.0207, 0.0, 0.08), 0.045),
            Capsule("upper_arm", (0.0, -0.005, 0.018), (-0.113, -0.015, 0.018), 0.030),
            Capsule("lower_arm", (0.0, 0.0, 0.018), (-0.135, 0.005, 0.018), 0.028),
            Capsule("wrist", (0.0, -0.01, 0.018), (0.0, -0.05, 0.02), 0.028),
            Capsule("gripper", (0.0, 0.0, -0.01), (0.005, 0.0, -0.045), 0.030),
            Capsule("gripper", (0.0, 0.0, -0.05), (0.0, 0.0, -0.09), 0.025, handles=True),
        ),
        effort=(STALL_NM,) * 5,
        # A servo's controller has no integral part: it sags under a load.
        follow_error=0.2,
    )
