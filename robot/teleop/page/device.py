"""A page in a browser as an input device: a handle on the tool to drag, and buttons that move the tool while held.

The tool moves to the handle only while the person drags it: when the handle is let go, the arm comes to rest where it
is. A page that no longer answers counts as holding nothing.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import pinocchio as pin

from robot.arm.interface import ArmSpec
from robot.arm.kinematics import Kinematics
from robot.arm.rotations import multiply
from robot.teleop.input import STILL, Controls, ToolTarget, Velocity
from robot.teleop.page.open_pages import Held, Pages
from robot.teleop.speed_limits import Dial
from robot.wire.messages import JointState

HELP = (
    "drag the handle on the tool: the arm follows for as long as you hold it; hold a button and it moves that way",
    "STOP, SPACE or ESC stop it, on whichever page; one page drives, others watch",
)


class Web:
    """The input device made of the open `pages`, for the arm of `spec`; `dial` sets the speed."""

    name = "web"
    help: Sequence[str] = HELP

    def __init__(self, pages: Pages, spec: ArmSpec, dial: Dial) -> None:
        self._pages = pages
        self._dial = dial
        self._kinematics = Kinematics(spec)
        self._armed = True
        self._grab = 0
        self._grabbed = (0.0, 0.0, 0.0, 1.0)

    def poll(self, now_ns: int, follower: JointState) -> Controls:
        """Return the input of the page that drives."""
        held = self._pages.held(now_ns)
        if held.away:
            return Controls(may_move=False, presses=held.presses, away=held.away)
        if not self._armed:
            self._armed = held.is_nothing
            note = "" if self._armed else "let go, then continue"
            return Controls(presses=held.presses, note=note)
        return Controls(self._input(held, follower), held.presses)

    def let_go(self) -> None:
        """Move nothing until handle and buttons have been let go. When nothing is held now, the next press moves the
        arm: a person may press as soon as the page says that the arm is theirs."""
        self._armed = self._pages.is_idle(time.monotonic_ns())

    def close(self) -> None:
        """Do nothing: the server closes the pages."""

    def _input(self, held: Held, follower: JointState) -> Velocity | ToolTarget:
        dial = self._dial
        x, y, z, yaw, grip = held.ways
        gripper = grip * dial.gripper
        if held.handle is None:
            if held.is_nothing:
                return STILL
            return Velocity((x * dial.linear, y * dial.linear, z * dial.linear), yaw * dial.yaw, gripper)
        if held.grab != self._grab:
            # The handle's axes are those of the base: its rotation is applied to the tool's orientation at the grab.
            rotation = self._kinematics.forward(np.asarray(follower.governed)).rotation
            qx, qy, qz, qw = pin.Quaternion(rotation).coeffs()
            self._grab, self._grabbed = held.grab, (float(qx), float(qy), float(qz), float(qw))
        position, turned = held.handle
        return ToolTarget(position, multiply(turned, self._grabbed), dial.linear, dial.yaw, gripper)
