from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from perception.benchmark.hand_eye import measure, random_place, random_rotation, random_view, tool_at
from perception.calibration.board_finder import BoardFinder
from perception.calibration.board_renderer import BoardRenderer
from perception.calibration.hand_eye import angle_between, board_pose, inverse, require_turns, solve, times
from perception.camera.calibration_file import Mounting
from robot.arm.kinematics import Pose
from robot.errors import CalibrationError
from tests.perception.calibration.views import BOARD, LENS


def exact(mounting: Mounting, count: int, seed: int = 0) -> tuple[Pose, list[Pose], list[Pose]]:
    """Where the camera is, and tool and board poses without any error."""
    rng = np.random.default_rng(seed)
    camera, fixed = random_place(mounting, rng)
    boards = [random_view(BOARD, rng, 30.0) for _ in range(count)]
    return camera, [tool_at(mounting, camera, fixed, shown) for shown in boards], boards


@pytest.mark.parametrize("mounting", ["eye-in-hand", "eye-to-hand"])
def test_without_error_the_camera_is_found_exactly(mounting: Mounting) -> None:
    camera, tools, boards = exact(mounting, 10)
    found = solve(tools, boards, mounting, BOARD)
    assert found.pose.position == pytest.approx(camera.position, abs=1e-6)
    assert angle_between(found.pose.rotation, camera.rotation) < 1e-5
    assert found.residual.middle < 1e-6 and found.residual.rotation < 1e-5
    assert found.residual.corners == min(each.corners for each in found.others.values())
    assert set(found.others) >= {"TSAI", "PARK", "HORAUD", "DANIILIDIS"}


@pytest.mark.parametrize("seed", [11, 12])
def test_from_drawn_pictures_the_camera_is_found_within_2_mm_and_a_third_of_a_degree(seed: int) -> None:
    """Through the whole chain: another lens each time, calibrated from pictures, then both mountings."""
    for error in measure(seed, 12):
        told = f"{error.mounting}: {1e3 * error.position:.2f} mm, {math.degrees(error.rotation):.3f}°"
        print(f"seed {seed}, focal {100 * error.focal:.3f} %, {told}, by {error.method}")
        assert error.focal < 0.005
        assert error.position < 0.002, told
        assert math.degrees(error.rotation) < 0.3, told


def test_a_residual_betrays_a_board_that_moved() -> None:
    _, tools, boards = exact("eye-in-hand", 10)
    moved = [Pose(pose.position + (0.02, 0.0, 0.0), pose.rotation) if k > 5 else pose for k, pose in enumerate(boards)]
    assert solve(tools, moved, "eye-in-hand", BOARD).residual.middle > 0.003


@pytest.mark.parametrize("mounting", ["eye-in-hand", "eye-to-hand"])
def test_a_pose_in_which_something_still_moved_is_left_out(mounting: Mounting) -> None:
    camera, tools, boards = exact(mounting, 12, seed=3)
    tools[7] = Pose(tools[7].position + (0.0, 0.015, 0.0), tools[7].rotation)
    found = solve(tools, boards, mounting, BOARD)
    assert found.left_out == (7,)
    assert found.pose.position == pytest.approx(camera.position, abs=1e-6)


def test_the_board_is_where_it_was_drawn() -> None:
    rng = np.random.default_rng(5)
    pose = random_view(BOARD, rng, 30.0)
    view = BoardFinder(BOARD).find(BoardRenderer(BOARD, LENS).render(pose, rng)).view
    assert view is not None
    seen = board_pose(view, LENS)
    assert np.linalg.norm(seen.position - pose.position) < 0.001
    assert math.degrees(angle_between(seen.rotation, pose.rotation)) < 0.3


def test_too_few_poses_and_turns_about_one_axis_are_refused() -> None:
    _, tools, boards = exact("eye-in-hand", 5)
    with pytest.raises(CalibrationError, match="seen from 5 poses of the arm; 6 are needed"):
        solve(tools, boards, "eye-in-hand", BOARD)
    about_one = [Pose(np.zeros(3), np.asarray(cv2.Rodrigues(np.array([0.0, 0.0, 0.2 * k]))[0])) for k in range(8)]
    with pytest.raises(CalibrationError, match="rotated too little, or about one axis only"):
        require_turns(about_one)
    with pytest.raises(CalibrationError, match="rotated too little"):
        require_turns([Pose(np.full(3, 0.1 * k), np.eye(3)) for k in range(8)])


def test_a_pose_and_its_inverse_cancel() -> None:
    rng = np.random.default_rng(0)
    pose = Pose(rng.normal(size=3), random_rotation(rng, 3.0))
    both = times(pose, inverse(pose))
    assert both.position == pytest.approx([0.0, 0.0, 0.0], abs=1e-12)
    assert both.rotation == pytest.approx(np.eye(3), abs=1e-12)
