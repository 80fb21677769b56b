"""The bodies of a Franka Panda or FR3 with its hand, as capsules around the collision meshes that its maker publishes.

Each is the capsule of least volume around all vertices of one mesh; the fingers' capsule contains them both open and
closed.
"""

from __future__ import annotations

from robot.arm.interface import Capsule

EFFORT = (87.0, 87.0, 87.0, 87.0, 12.0, 12.0, 12.0)
"""The maker's effort limit of each joint, N·m."""


def panda_bodies(prefix: str = "panda_") -> tuple[Capsule, ...]:
    """Return the bodies for a robot description whose link names begin with `prefix`."""
    return (
        Capsule(f"{prefix}link0", (-0.002, 0.0, 0.053), (-0.056, 0.0, 0.012), 0.105),
        Capsule(f"{prefix}link1", (-0.001, -0.053, -0.001), (0.0, 0.0, -0.139), 0.077),
        Capsule(f"{prefix}link2", (0.0, -0.142, -0.001), (0.0, 0.0, 0.053), 0.077),
        Capsule(f"{prefix}link3", (0.083, 0.043, 0.001), (0.0, 0.001, -0.081), 0.070),
        Capsule(f"{prefix}link4", (-0.081, 0.084, 0.0), (0.0, 0.0, 0.043), 0.070),
        Capsule(f"{prefix}link5", (0.0, 0.064, 0.004), (0.001, 0.011, -0.245), 0.068),
        Capsule(f"{prefix}link6", (0.020, 0.013, 0.005), (0.087, 0.008, 0.0), 0.075),
        Capsule(f"{prefix}link7", (-0.005, -0.005, 0.074), (0.033, 0.033, 0.079), 0.050),
        Capsule(f"{prefix}hand", (0.0, -0.079, 0.021), (-0.002, 0.066, 0.028), 0.049),
        Capsule(f"{prefix}hand", (0.0, -0.040, 0.085), (0.0, 0.040, 0.085), 0.029, handles=True),
    )
