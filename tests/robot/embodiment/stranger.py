"""A package from elsewhere that brings a convention of its own, in which one number moves the first joint, and a sense
of its own. It imports nothing but what a convention needs."""

from __future__ import annotations

from pathlib import Path

from robot.registry import CONVENTIONS, SENSES
from tests import strangers

SOURCE = """
from __future__ import annotations

import msgspec
import numpy as np

from robot.embodiment.state_entries import StateEntry
from robot.wire.messages import Waypoint

LEAN = StateEntry("lean", "m", lambda sample: sample.setpoint.position[2] - sample.tool.position[2])


class Swing(msgspec.Struct, frozen=True, tag_field="kind", tag="swing"):
    step_rad: float
    block_s: float = 0.2

    names = property(lambda self: ("swing",))
    size = property(lambda self: 1)
    binary = property(lambda self: ())
    block_ns = property(lambda self: round(self.block_s * 1e9))
    state_names = property(lambda self: ("joint.1", "setpoint.joint.1", "lean"))

    def mirror_signs(self):
        return (-1.0,)

    def yaw(self, rotation):
        return 0.0

    def set_point(self, kinematics, joints, gripper_width):
        return tuple(np.asarray(joints).tolist()), gripper_width

    def target(self, tool, action):
        joints, width = tool
        return (joints[0] + self.step_rad * float(np.clip(action[0], -1.0, 1.0)), *joints[1:]), width

    def block(self, kinematics, start, end, seed, start_ns):
        return Waypoint(start_ns, tuple(seed.tolist()), start[1]), Waypoint(start_ns + self.block_ns, end[0], end[1])

    def ready(self, kinematics, joints, gripper_width):
        return True

    def entry(self, kinematics, joints, gripper_width):
        return ()

    def describes(self, sample):
        return True

    def actions_between(self, series, times):
        return np.diff(series.at(times, "setpoint.joint.1"))[:, None] / self.step_rad
"""


def install(folder: Path) -> None:
    """Install it into `folder`, which is on the path."""
    (folder / "swinging.py").write_text(SOURCE)
    strangers.install(folder, "swinging", CONVENTIONS, {"swing": "swinging:Swing"})
    strangers.install(folder, "leaning", SENSES, {"lean": "swinging:LEAN"})
