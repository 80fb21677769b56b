"""A camera that sees the board as an arm moves: it follows the driver's states, and draws what a camera called "hand",
carried by the tool, would see of a board on the table, and one called "beside" of a board in the hand."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from perception.calibration.board_renderer import BoardRenderer
from perception.calibration.hand_eye import inverse, times
from perception.camera.calibration_file import VERSION, Calibration, Mounting
from perception.camera.interface import CameraOptions, Picture
from robot.arm.interface import Vector
from robot.arm.kinematics import Kinematics, Pose
from robot.registry import CAMERAS
from robot.wire.camera_spec import CameraSpec
from robot.wire.messages import JointState
from robot.wire.subscription import Subscription
from tests import strangers
from tests.perception.calibration.views import BOARD, LENS
from tests.robot.panda import panda_spec

MOUNTINGS: dict[str, Mounting] = {"hand": "eye-in-hand", "beside": "eye-to-hand"}


def turned(x: float, y: float, z: float) -> np.ndarray:
    return np.asarray(cv2.Rodrigues(np.array([x, y, z]))[0], np.float64)


_MIDDLE = np.array([*BOARD.size_m, 0.0]) / 2
_HOME = Kinematics(panda_spec()).forward(np.array(panda_spec().home))
# Before the camera that is carried, the table's board lies straight as the arm is at home; that in the hand is turned
# about the tool, and stands straight before the camera beside the arm.
_ON_TABLE = Pose(np.array([0.0, 0.0, 0.42]) - _MIDDLE, np.eye(3))
_IN_HAND = times(Pose(np.array([0.0, 0.02, 0.05]), turned(0.4, 1.5, 0.2)), Pose(-_MIDDLE, np.eye(3)))
_BEFORE = Pose(np.array([0.02, 0.01, 0.55]) - _MIDDLE, np.eye(3))

CAMERA: dict[str, Pose] = {
    "hand": Pose(np.array([0.06, 0.01, -0.05]), turned(0.05, -0.1, 0.3)),
    "beside": times(times(_HOME, _IN_HAND), inverse(_BEFORE)),
}
"""Where the camera is: in the tool's frame, or in the base."""


class Drawer:
    """Draws what the camera `name` sees at given joints."""

    def __init__(self, name: str) -> None:
        self._camera = CAMERA[name]
        self._carried = MOUNTINGS[name] == "eye-in-hand"
        self._kinematics = Kinematics(panda_spec())
        self._renderer = BoardRenderer(BOARD, LENS)
        self._rng = np.random.default_rng(0)
        self._board = times(times(_HOME, self._camera), _ON_TABLE) if self._carried else _IN_HAND

    def draw(self, joints: Vector) -> np.ndarray:
        """Return (H, W, 3) uint8 BGR, the noise another each time."""
        tool = self._kinematics.forward(joints)
        if self._carried:
            seen = times(inverse(times(tool, self._camera)), self._board)
        else:
            seen = times(inverse(self._camera), times(tool, self._board))
        return self._renderer.render(seen, self._rng)


class BoardCamera:
    """Draws the newest state."""

    def __init__(self, options: CameraOptions) -> None:
        self.spec = CameraSpec(options.name, LENS.width, LENS.height, (500.0, 500.0), (320.0, 240.0))
        self._drawer = Drawer(options.name)
        self._states = Subscription(options.state_address, b"state", JointState)

    def start(self) -> None:
        self._states.wait(30.0)

    def read(self, timeout_s: float) -> Picture:
        self._states.wait(timeout_s)
        state = self._states.history[-1]
        image = cv2.cvtColor(self._drawer.draw(np.array(state.measured)), cv2.COLOR_BGR2RGB)
        return Picture(state.time_ns, np.asarray(image, np.uint8))

    def close(self) -> None:
        self._states.close()


def calibration(name: str) -> Calibration:
    return Calibration(VERSION, name, LENS, 0.05, 20, BOARD)


def install(folder: Path) -> Path:
    """Install this camera in `folder` as the camera "board"; returns the folder."""
    offers = {"board": "tests.perception.calibration.board_camera:BoardCamera"}
    strangers.install(folder, "board-camera", CAMERAS, offers)
    return folder
