"""Computes the camera's pose on the arm, or beside it, from pairs of tool and board poses: AX = XB.

OpenCV's five methods (Tsai-Lenz 1989, Park-Martin 1994, Horaud-Dornaika 1995, Andreff 1999, Daniilidis 1999) each give
an answer. The chosen answer is the one with the least apparent motion of the board in the frame in which it is fixed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from perception.calibration.board_finder import LEAST_CORNERS, View
from perception.calibration.board_renderer import look_at
from perception.camera.board import Board
from perception.camera.calibration_file import Lens, Mounting
from perception.camera.lens_model import directions
from robot.arm.interface import Vector
from robot.arm.kinematics import Pose
from robot.errors import CalibrationError

METHODS = ("TSAI", "PARK", "HORAUD", "ANDREFF", "DANIILIDIS")
LEAST_POSES = 6
LEAST_TURN = 10.0
"""Degrees by which the tool must have rotated about a second axis: rotations about one axis leave the camera's position
along it undetermined."""
_GOOD_M = 1e-4
_WIDEST = 11.0  # tan 85°: farther aside, a corner's direction is no longer exact
_FAR_BETTER = 0.5


@dataclass(frozen=True)
class Residual:
    """The apparent motion of the fixed board, as root mean squares over the poses: of its `middle` (m), of its
    `rotation` (rad), and of its `corners` (m), which combines both."""

    middle: float
    rotation: float
    corners: float


@dataclass(frozen=True)
class HandEyeResult:
    """The camera's `pose` in the tool's frame or the arm's base, computed by `method`, with its `residual`. `others`
    holds the residuals of all methods that gave an answer. `left_out` are the indices of poses that did not agree with
    the rest."""

    pose: Pose
    method: str
    residual: Residual
    others: dict[str, Residual]
    left_out: tuple[int, ...] = ()


def board_pose(view: View, lens: Lens) -> Pose:
    """Return the pose of the board's frame in the camera's optical frame. Raises `CalibrationError` when the view does
    not determine it."""
    if lens.model == "standard":
        return _pose(view.points, view.pixels, lens.camera_matrix, lens.coefficients)
    straight = directions(lens, view.pixels)
    seen = np.abs(straight).max(axis=1) < _WIDEST
    if seen.sum() < LEAST_CORNERS:
        raise CalibrationError("the board is too far aside in a view of it: its pose cannot be computed")
    rays = np.column_stack([straight[seen], np.ones(seen.sum())])
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    # A pinhole camera that is turned towards the board weighs its corners equally, however far aside they are.
    turned = look_at(np.zeros(3), rays.mean(axis=0), 0.0)
    ahead = rays @ turned.rotation
    pose = _pose(view.points[seen], (ahead[:, :2] / ahead[:, 2:]).astype(np.float32), np.eye(3), np.zeros(5))
    return times(turned, pose)


def _pose(
    points: NDArray[np.float32],
    pixels: NDArray[np.float32],
    matrix: NDArray[np.float64],
    distortion: NDArray[np.float64],
) -> Pose:
    """Return the pose at which the `points` (k, 3) m of the board are seen at `pixels` (k, 2)."""
    found, turn, shift = cv2.solvePnP(points, pixels, matrix, distortion, flags=cv2.SOLVEPNP_IPPE)
    if not found:
        raise CalibrationError("the board's pose cannot be computed from a view of it")
    turn, shift = cv2.solvePnPRefineLM(points, pixels, matrix, distortion, turn, shift)
    return Pose(np.asarray(shift, np.float64).ravel(), np.asarray(cv2.Rodrigues(turn)[0], np.float64))


def solve(tools: Sequence[Pose], boards: Sequence[Pose], mounting: Mounting, board: Board) -> HandEyeResult:
    """Return the camera's pose. `tools` are the tool's poses in the arm's base, `boards` the board's poses at the same
    times in the camera's optical frame.

    A pose without which all others agree far better, because the arm or the board still moved, is left out; at most two
    of ten. Raises `CalibrationError` for too few or too similar poses, and when no method gives an answer.
    """
    require_turns(tools)
    # With the camera beside the arm and the board in the gripper, base and tool exchange roles (Horaud-Dornaika 1995).
    moving = [inverse(tool) for tool in tools] if mounting == "eye-to-hand" else list(tools)
    kept = list(range(len(tools)))
    result = _best(moving, boards, board)
    for _ in range(min(len(tools) // 5, len(tools) - LEAST_POSES)):
        if result.residual.corners < _GOOD_M:
            break
        without = {
            index: _best(
                [moving[each] for each in kept if each != index],
                [boards[each] for each in kept if each != index],
                board,
            )
            for index in kept
        }
        worst = min(without, key=lambda index: without[index].residual.corners)
        if without[worst].residual.corners > _FAR_BETTER * result.residual.corners:
            break
        kept.remove(worst)
        result = without[worst]
    left_out = tuple(index for index in range(len(tools)) if index not in kept)
    return replace(result, left_out=left_out)


def _best(moving: Sequence[Pose], boards: Sequence[Pose], board: Board) -> HandEyeResult:
    """Return the answer of the method with the least apparent motion of the board."""
    found: dict[str, tuple[Pose, Residual]] = {}
    for method in METHODS:
        try:
            rotation, position = cv2.calibrateHandEye(
                [pose.rotation for pose in moving],
                [pose.position for pose in moving],
                [pose.rotation for pose in boards],
                [pose.position for pose in boards],
                method=getattr(cv2, f"CALIB_HAND_EYE_{method}"),
            )
        except cv2.error:
            continue  # one method may fail where others succeed; an error below reports that all fail
        pose = Pose(np.asarray(position, np.float64).ravel(), np.asarray(rotation, np.float64))
        if np.isfinite(pose.position).all() and np.isfinite(pose.rotation).all():
            found[method] = (pose, residual(pose, moving, boards, board))
    if not found:
        raise CalibrationError("no method finds the camera's pose: rotate the tool further between pictures")
    best = min(found, key=lambda method: found[method][1].corners)
    return HandEyeResult(found[best][0], best, found[best][1], {name: each[1] for name, each in found.items()})


def residual(pose: Pose, moving: Sequence[Pose], boards: Sequence[Pose], board: Board) -> Residual:
    """Return the board's apparent motion if the camera is at `pose` in the moving frame. `moving` are that frame's
    poses in the frame in which the board is fixed."""
    width, height = board.size_m
    corners = np.array([[0.0, 0.0, 0.0], [width, 0.0, 0.0], [0.0, height, 0.0], [width, height, 0.0]])
    fixed = [times(times(tool, pose), seen) for tool, seen in zip(moving, boards, strict=True)]
    places = np.array([each.rotation @ corners.T + each.position[:, None] for each in fixed])  # (poses, 3, 4)
    off = places - places.mean(axis=0)
    middle = places.mean(axis=2)
    mean = _mean_rotation([each.rotation for each in fixed])
    angles = np.array([angle_between(mean, each.rotation) for each in fixed])
    return Residual(
        middle=float(np.sqrt(((middle - middle.mean(axis=0)) ** 2).sum(axis=1).mean())),
        rotation=float(np.sqrt((angles**2).mean())),
        corners=float(np.sqrt((off**2).sum(axis=1).mean())),
    )


def require_turns(tools: Sequence[Pose]) -> None:
    """Raise `CalibrationError` unless the tool rotated about at least two axes, in enough poses."""
    if len(tools) < LEAST_POSES:
        raise CalibrationError(
            f"the board was seen from {len(tools)} poses of the arm; {LEAST_POSES} are needed: move it to where the "
            "camera sees the board, or try smaller turns (--angle)"
        )
    first = tools[0].rotation
    turns = np.array([np.asarray(cv2.Rodrigues(first.T @ pose.rotation)[0]).ravel() for pose in tools[1:]])
    spread = np.linalg.svd(turns, compute_uv=False)[1] / math.sqrt(len(turns))
    if math.degrees(spread) < LEAST_TURN / 2:
        raise CalibrationError(
            "the tool rotated too little, or about one axis only, so the camera's pose is not determined: rotate it by "
            f"{LEAST_TURN:g}° and more about two axes"
        )


def angle_between(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Return the angle (rad) between two rotations (3, 3)."""
    return float(np.linalg.norm(np.asarray(cv2.Rodrigues(one.T @ other)[0])))


def times(outer: Pose, inner: Pose) -> Pose:
    """Return the product of two poses: `inner`, given in the frame at `outer`, expressed in the frame of `outer`."""
    return Pose(outer.rotation @ inner.position + outer.position, outer.rotation @ inner.rotation)


def inverse(pose: Pose) -> Pose:
    """Return the inverse of `pose`: the pose of its reference frame in the frame at `pose`."""
    return Pose(-pose.rotation.T @ pose.position, pose.rotation.T)


def _mean_rotation(rotations: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return the chordal mean: the rotation nearest to the sum."""
    left, _, right = np.linalg.svd(np.sum(rotations, axis=0))
    sign: Vector = np.array([1.0, 1.0, np.linalg.det(left @ right)])
    return np.asarray((left * sign) @ right, np.float64)
