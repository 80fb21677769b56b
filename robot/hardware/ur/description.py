"""The kinematics, limits and bodies of Universal Robots' e-series arms.

Kinematics are the maker's Denavit-Hartenberg parameters
(https://www.universal-robots.com/articles/ur/application-installation/dh-parameters-for-calculations-of-kinematics-and-dynamics/),
speeds, torques and the limbs' offsets from that plane those of its own ROS descriptions
(https://github.com/UniversalRobots/Universal_Robots_ROS2_Description, config/). An arm is calibrated in the factory,
and so differs from these by about a millimetre.

The base frame has x to the front: at zero the arm is stretched out along it. It is the maker's base frame, whose x
points to the back, rotated by half a turn about z; the pendant's (x, y, z) is (−x, −y, z) here.
"""

from __future__ import annotations

import math

import msgspec

from robot.arm.interface import ArmSpec, Box, Capsule

JOINTS = ("shoulder_pan", "shoulder_lift", "elbow", "wrist_1", "wrist_2", "wrist_3")
FLANGE = "flange"
RATE_HZ = 125.0
"""A quarter of the controller's own rate of 500 Hz. The controller interpolates between set-points, and a Python loop
keeps a period of 8 ms but would miss every second deadline at 2 ms."""
_ALPHA = (math.pi / 2, 0.0, 0.0, math.pi / 2, -math.pi / 2, 0.0)
_LINKS = ("shoulder", "upper_arm", "forearm", "wrist_1_link", "wrist_2_link", "wrist_3_link")
_TURN = 2.0 * math.pi
_SLOWER = 0.5
"""The share of the joints' top speed that is used: at the full limit, the arm would make a protective stop."""


class UrModel(msgspec.Struct, frozen=True):
    """One size of arm.

    `reported` is the controller's name of the model; `a` and `d` (6,) m are its DH parameters; `speed` (6,) rad/s and
    `torque` (6,) N·m are the joints' limits; `reach` is in m. `shoulder` and `elbow` (m) are the offsets, along those
    joints' axes, of upper arm and forearm from the plane of the DH parameters. `radii` (m) are those of shoulder, arms
    and wrists.
    """

    reported: str
    a: tuple[float, ...]
    d: tuple[float, ...]
    speed: tuple[float, ...]
    torque: tuple[float, ...]
    reach: float
    shoulder: float
    elbow: float
    radii: tuple[float, float, float]


_SLOW, _MIDDLE, _FAST = (math.radians(each) for each in (120.0, 180.0, 360.0))

MODELS = {
    "ur3e": UrModel(
        "UR3",
        (0.0, -0.24355, -0.2132, 0.0, 0.0, 0.0),
        (0.15185, 0.0, 0.0, 0.13105, 0.08535, 0.0921),
        (_MIDDLE,) * 3 + (_FAST,) * 3,
        (56.0, 56.0, 28.0, 12.0, 12.0, 12.0),
        0.50,
        0.120,
        0.027,
        (0.060, 0.046, 0.038),
    ),
    "ur5e": UrModel(
        "UR5",
        (0.0, -0.425, -0.3922, 0.0, 0.0, 0.0),
        (0.1625, 0.0, 0.0, 0.1333, 0.0997, 0.0996),
        (_MIDDLE,) * 6,
        (150.0, 150.0, 150.0, 28.0, 28.0, 28.0),
        0.85,
        0.138,
        0.007,
        (0.075, 0.060, 0.045),
    ),
    "ur10e": UrModel(
        "UR10",
        (0.0, -0.6127, -0.57155, 0.0, 0.0, 0.0),
        (0.1807, 0.0, 0.0, 0.17415, 0.11985, 0.11655),
        (_SLOW,) * 2 + (_MIDDLE,) * 4,
        (330.0, 330.0, 150.0, 56.0, 56.0, 56.0),
        1.30,
        0.176,
        0.039,
        (0.095, 0.075, 0.055),
    ),
    "ur16e": UrModel(
        "UR16",
        (0.0, -0.4784, -0.36, 0.0, 0.0, 0.0),
        (0.1807, 0.0, 0.0, 0.17415, 0.11985, 0.11655),
        (_SLOW,) * 2 + (_MIDDLE,) * 4,
        (330.0, 330.0, 150.0, 54.0, 54.0, 54.0),
        0.90,
        0.176,
        0.040,
        (0.095, 0.075, 0.055),
    ),
}


def ur_urdf(name: str) -> str:
    """Return the description's XML of the model `name`, a key of `MODELS`.

    DH parameters rotate each joint about z, then move by d along z and a along x, then rotate by α about x. The next
    joint's origin, in the frame of the link before it, is therefore at (a, 0, d), rotated by α about x.
    """
    model, limits = MODELS[name], _limits()
    parts = [f'<link name="{link}"/>' for link in ("mount", "base", *_LINKS, FLANGE)]
    parts.append(
        f'<joint name="mounted" type="fixed"><origin xyz="0 0 0" rpy="0 0 {math.pi}"/><parent link="mount"/>'
        '<child link="base"/></joint>'
    )
    parent, origin = "base", '<origin xyz="0 0 0" rpy="0 0 0"/>'
    for number, (joint, link) in enumerate(zip(JOINTS, _LINKS, strict=True)):
        parts.append(
            f'<joint name="{joint}" type="revolute">{origin}<parent link="{parent}"/><child link="{link}"/>'
            f'<axis xyz="0 0 1"/><limit effort="{model.torque[number]}" velocity="{model.speed[number]}" '
            f'lower="{-limits[number]}" upper="{limits[number]}"/></joint>'
        )
        parent = link
        origin = f'<origin xyz="{model.a[number]} 0 {model.d[number]}" rpy="{_ALPHA[number]} 0 0"/>'
    parts.append(
        f'<joint name="{FLANGE}_joint" type="fixed">{origin}<parent link="{parent}"/><child link="{FLANGE}"/></joint>'
    )
    return f'<robot name="{name}">{"".join(parts)}</robot>'


def ur_spec(name: str) -> ArmSpec:
    """Return the specification of the model `name`, a key of `MODELS`, standing upright on its table.

    The arm has no gripper of its own, so its range of widths is empty. The workspace is that of the flange: a mounted
    tool reaches further, which the safety planes in the controller's installation should include.
    """
    model, limits = MODELS[name], _limits()
    around, upright = model.reach, sum(model.d) - sum(model.a) - model.d[3]
    return ArmSpec(
        name=name,
        joint_names=JOINTS,
        lower=tuple(-limit for limit in limits),
        upper=limits,
        velocity=tuple(_SLOWER * speed for speed in model.speed),
        acceleration=(5.0,) * 6,
        jerk=(50.0,) * 6,
        rate_hz=RATE_HZ,
        urdf=ur_urdf(name),
        tool_frame=FLANGE,
        home=(0.0, -math.pi / 2, math.pi / 2, -math.pi / 2, -math.pi / 2, 0.0),
        workspace=Box((-around, -around, 0.0), (around, around, upright)),
        table_height=0.0,
        gripper_range=(0.0, 0.0),
        bodies=_bodies(model),
        effort=model.torque,
    )


def _limits() -> tuple[float, ...]:
    """Return the joints' ranges to either side of zero, rad: a full turn; for the elbow, until the arm is folded."""
    return (_TURN, _TURN, math.pi, _TURN, _TURN, _TURN)


def _bodies(model: UrModel) -> tuple[Capsule, ...]:
    thick, arm, wrist = model.radii
    (_, upper, fore, *_), (height, *_, d4, d5, d6) = model.a, model.d
    return (
        Capsule("base", (0.0, 0.0, 0.02), (0.0, 0.0, height), thick),
        Capsule("shoulder", (0.0, 0.0, height), (0.0, -model.shoulder, height), thick),
        Capsule("upper_arm", (0.0, 0.0, model.shoulder), (upper, 0.0, model.shoulder), arm),
        Capsule("upper_arm", (upper, 0.0, model.shoulder), (upper, 0.0, model.elbow), arm),
        Capsule("forearm", (0.0, 0.0, model.elbow), (fore, 0.0, model.elbow), arm),
        Capsule("wrist_1_link", (0.0, 0.0, 0.0), (0.0, 0.0, d4), wrist),
        Capsule("wrist_2_link", (0.0, 0.0, 0.0), (0.0, 0.0, d5), wrist),
        Capsule("wrist_3_link", (0.0, 0.0, 0.0), (0.0, 0.0, d6 - 0.5 * wrist), wrist),
    )
