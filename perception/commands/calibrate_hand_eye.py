"""`worldarm calibrate hand-eye`: move the arm so that the camera sees the board from many sides, and compute the
camera's pose."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import cv2
import msgspec
import numpy as np
import tyro
from numpy.typing import NDArray

from perception.calibration.board_finder import BoardFinder, Detection, View, views_of_one_size
from perception.calibration.hand_eye import LEAST_POSES, HandEyeResult, board_pose, solve
from perception.calibration.hand_eye_pairs import PairRecorder, load_pairs
from perception.calibration.hand_eye_poses import poses_around
from perception.calibration.kept_pictures import kept_if_refused
from perception.calibration.overwriting import calibration_at, require_no_loss
from perception.calibration.pictures import read_pictures
from perception.calibration.plausibility import CAUSES, OTHER, doubtful, require_plausible, residual_text
from perception.camera.board import Board
from perception.camera.calibration_file import Calibration, HandEye, Mounting, load_calibration, save_calibration
from perception.camera.framing import lens_of
from perception.camera.subscriber import FrameSubscriber
from robot.arm.interface import ArmSpec, Vector
from robot.arm.kinematics import Kinematics, Pose
from robot.arm.rotations import quaternion_of
from robot.client.client import Client
from robot.client.joint_move import move_straight
from robot.errors import CalibrationError, ConfigurationError
from robot.system.files import require_writable
from robot.wire.addresses import COMMAND, FRAMES
from robot.wire.camera_spec import CameraSpec

HOLDER = "hand-eye"
SETTLE_S = 0.4
"""The time for which the arm may still vibrate after it has stopped."""
_PICTURE_S = 5.0


@dataclass(frozen=True)
class _PoseSet:
    """A set of pictures, live or recorded: the arm, the camera as it was published, and for each pose its name, the
    picture's size, the result of the board finder, and the measured joints (n,) rad."""

    arm: ArmSpec
    camera: CameraSpec
    poses: list[tuple[str, tuple[int, int], Detection, Vector]]


def hand_eye(
    mounting: Annotated[Mounting, tyro.conf.arg(help="the camera moves with the tool, or stands beside the arm")],
    calibration: Annotated[Path, tyro.conf.arg(help="calibration file of the camera, with its lens")] = Path(
        "calibration.json"
    ),
    pictures: Annotated[
        Path | None, tyro.conf.arg(help="folder recorded with --save: compute from it, without the arm")
    ] = None,
    poses: Annotated[int, tyro.conf.arg(help="number of arm poses from which pictures are taken")] = 15,
    angle: Annotated[float, tyro.conf.arg(help="how far to rotate the wrist joints, degrees")] = 20.0,
    speed: Annotated[float, tyro.conf.arg(help="share of each joint's velocity limit, up to 1")] = 0.2,
    save: Annotated[Path | None, tyro.conf.arg(help="save pictures and joints to this folder")] = None,
    output: Annotated[Path | None, tyro.conf.arg(help="output file; default: the calibration file itself")] = None,
    replace: Annotated[bool, tyro.conf.arg(help="overwrite the output file even if it holds something better")] = False,
    command_address: Annotated[str, tyro.conf.arg(help="command address of the driver")] = COMMAND,
    frames_address: Annotated[str, tyro.conf.arg(help="address of the camera process")] = FRAMES,
) -> None:
    """Compute a camera's pose: in the tool's frame when the arm carries it, else in the arm's base frame.

    With the camera on the arm, lay the board on the table; with the camera beside the arm, put the board into the
    gripper. Bring the arm to where the camera sees the whole board. The arm then moves slowly around that pose, and
    back to it at the end; on Ctrl-C it holds.
    """
    known = load_calibration(calibration)
    target = calibration if output is None else output
    require_writable(target)
    before = None if replace else calibration_at(target)
    if pictures is not None:
        result, found = _found(_recorded(pictures, known), known, mounting)
        require_no_loss(before, found, target)
    else:
        if poses < LEAST_POSES or not 0 < angle <= 60:
            raise ConfigurationError(
                f"--poses must be at least {LEAST_POSES}, and --angle above 0 and at most 60 degrees"
            )
        with kept_if_refused(save) as folder:
            taken = _moved(known, poses, math.radians(angle), speed, folder, command_address, frames_address)
            result, found = _found(taken, known, mounting)
            require_no_loss(before, found, target)
    save_calibration(target, found)
    _report(result, found, target)


def _found(taken: _PoseSet, known: Calibration, mounting: Mounting) -> tuple[HandEyeResult, Calibration]:
    """Return the result and the calibration `known` with it. Raises `CalibrationError` when it cannot be right."""
    result, count = work_out(taken.arm, taken.camera, taken.poses, known, mounting)
    frame = taken.arm.tool_frame if mounting == "eye-in-hand" else "base"
    x, y, z = result.pose.position.tolist()
    found = HandEye(
        mounting,
        taken.arm.name,
        frame,
        (x, y, z),
        quaternion_of(result.pose.rotation),
        result.method,
        result.residual.middle,
        result.residual.rotation,
        count,
    )
    return result, msgspec.structs.replace(known, hand_eye=found)


def _report(result: HandEyeResult, made: Calibration, target: Path) -> None:
    found = made.hand_eye
    assert found is not None, "it was just computed"
    for method, residual in sorted(result.others.items(), key=lambda item: item[1].corners):
        print(f"  {method:<10} apparent motion of the board {residual_text(residual)}")
    x, y, z = found.position
    print(
        f"camera {made.camera} is at ({x:.4f}, {y:.4f}, {z:.4f}) m in the frame {found.frame} of {found.arm}, "
        f"by {result.method}: residual {residual_text(result.residual)} over {found.poses} poses"
    )
    if doubtful(result.residual):
        print(f"warning: a good residual is about a millimetre: {CAUSES}")
    print(f"calibration: {target}")


def work_out(
    arm: ArmSpec,
    camera: CameraSpec,
    poses: Sequence[tuple[str, tuple[int, int], Detection, Vector]],
    known: Calibration,
    mounting: Mounting,
) -> tuple[HandEyeResult, int]:
    """Return the result and the number of poses that it uses. Each of `poses` has its name, the picture's size, the
    result of the board finder, and the joints (n,) rad. Raises `CalibrationError` when the pictures or poses do not
    suffice, do not fit the calibration `known`, or give a result that cannot be right."""
    views = dict(views_of_one_size([(name, size, sight) for name, size, sight, _ in poses], known.board))
    lens = lens_of(camera, known)
    kinematics = Kinematics(arm)
    tools = [kinematics.forward(joints) for name, _, _, joints in poses if name in views]
    boards = [board_pose(view, lens) for view in views.values()]
    result = solve(tools, boards, mounting, known.board)
    other = _other_mounting(tools, boards, mounting, known.board) if doubtful(result.residual) else None
    require_plausible(result, other, mounting)
    for index in result.left_out:
        print(f"{list(views)[index]} did not agree with the rest and was left out")
    return result, len(tools) - len(result.left_out)


def _other_mounting(
    tools: Sequence[Pose], boards: Sequence[Pose], mounting: Mounting, board: Board
) -> HandEyeResult | None:
    try:
        return solve(tools, boards, OTHER[mounting], board)
    except CalibrationError:
        return None  # then the given mounting is judged alone


def _recorded(folder: Path, known: Calibration) -> _PoseSet:
    pairs = load_pairs(folder)
    _require_same_camera(pairs.camera, known)
    finder = BoardFinder(known.board)
    files = [folder / pair.picture for pair in pairs.pairs]
    poses = []
    for pair, (name, picture) in zip(pairs.pairs, read_pictures(files), strict=True):
        height, width = picture.shape[:2]
        poses.append((name, (width, height), finder.find(picture), np.array(pair.joints)))
    print(f"{len(poses)} pictures, {sum(sight.view is not None for _, _, sight, _ in poses)} with the board")
    return _PoseSet(pairs.arm, pairs.camera, poses)


def _moved(
    known: Calibration,
    count: int,
    angle: float,
    speed: float,
    save: Path,
    command_address: str,
    frames_address: str,
) -> _PoseSet:
    """Move the arm from pose to pose, take a picture of the board at each, and return to the start."""
    finder = BoardFinder(known.board)
    with Client(command_address) as client, FrameSubscriber(frames_address) as frames:
        camera = frames.latest(_PICTURE_S).camera
        _require_same_camera(camera, known)
        lens_of(camera, known)
        arm = client.arm
        start = np.array(client.state().governed)
        _, _, sight = _look(client, frames, finder)
        if sight.view is None:
            raise CalibrationError(
                f"from the arm's present pose, camera {camera.name} sees {sight.reason}; bring the arm to where the "
                f"board ({known.board}) is in full view"
            )
        around = poses_around(arm, start, count, angle)
        recorder = PairRecorder(save, arm, camera)
        print(f"moving {arm.name} to {count} poses around this one, slowly; on Ctrl-C it holds", flush=True)
        poses: list[tuple[str, tuple[int, int], Detection, Vector]] = []
        for number, joints in enumerate(around, 1):
            move_straight(client, joints, speed, f"pose {number}", HOLDER)
            picture, measured, sight = _look(client, frames, finder)
            recorder.add(picture, tuple(measured.tolist()))
            poses.append((f"pose {number}", (picture.shape[1], picture.shape[0]), sight, measured))
            print(f"pose {number} of {count}: {_seen(sight.view, sight.reason)}", flush=True)
        move_straight(client, start, speed, "where it began", HOLDER)
    return _PoseSet(arm, camera, poses)


def _look(client: Client, frames: FrameSubscriber, finder: BoardFinder) -> tuple[NDArray[np.uint8], Vector, Detection]:
    """Wait until the arm is still; return a picture (H, W, 3) RGB, the joints (n,) rad at its time, and the result of
    the board finder."""
    frame = frames.newer_than(time.monotonic_ns() + round(SETTLE_S * 1e9), SETTLE_S + _PICTURE_S)
    state = client.state_near(frame.time_ns)
    sight = finder.find(np.asarray(cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR), np.uint8))
    return frame.image, np.array(state.measured), sight


def _require_same_camera(camera: CameraSpec, known: Calibration) -> None:
    if camera.name != known.camera:
        raise CalibrationError(
            f"the calibration is for the camera {known.camera!r}, the pictures are from {camera.name!r}: give the "
            "calibration of that camera"
        )


def _seen(view: View | None, reason: str) -> str:
    return f"{len(view.ids)} corners of the board" if view is not None else reason
