"""Specifications of the arms that worldarm comes with, by name, without a connection to any."""

from __future__ import annotations

from robot.arm.interface import ArmSpec
from robot.hardware.franka.description import franka_spec
from robot.hardware.so101.description import JOINTS as SO101_JOINTS
from robot.hardware.so101.description import LIMITS as SO101_LIMITS
from robot.hardware.so101.description import so101_spec
from robot.hardware.ur.description import MODELS, ur_spec

KNOWN_ARMS = ("franka", "so101", *MODELS)


def known_spec(name: str | None) -> ArmSpec | None:
    """Return the specification of the arm `name`, None for one that is not among `KNOWN_ARMS`.

    The joint limits of an SO-101 are those of its description; an arm's calibrated ones are narrower.
    """
    if name == "franka":
        return franka_spec()
    if name == "so101":
        limits = [SO101_LIMITS[joint] for joint in SO101_JOINTS]
        return so101_spec(tuple(-limit for limit in limits), tuple(limits))
    if name in MODELS:
        return ur_spec(name)
    return None
