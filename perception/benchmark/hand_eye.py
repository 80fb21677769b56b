"""`worldarm benchmark hand-eye`: measures the accuracy of the calibrations against a rendered ground truth.

Each seed draws a lens, a pose of the camera, and the arm's poses, renders the camera's pictures, and runs the code of
`worldarm calibrate`: board finder, intrinsics, hand-eye.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import cv2
import msgspec
import numpy as np
import tyro
from numpy.typing import NDArray
from tqdm import tqdm

from perception.calibration.board_finder import BoardFinder, View
from perception.calibration.board_renderer import BoardRenderer, SensorQuality, look_at
from perception.calibration.coverage import Coverage
from perception.calibration.hand_eye import angle_between, board_pose, inverse, solve, times
from perception.calibration.intrinsics import calibrate, require_enough
from perception.camera.board import Board
from perception.camera.calibration_file import Lens, Mounting
from robot.arm.interface import Vector
from robot.arm.kinematics import Pose
from robot.errors import ConfigurationError
from robot.system.files import require_writable, write_json

WIDTH, HEIGHT = 640, 480
VIEWS = 20
_TRIES = 100
_NEAR, _FAR = 0.30, 0.55


class HandEyeError(msgspec.Struct, frozen=True):
    """The errors of one seed: focal lengths (share, the larger of two), centre (px), and the camera's pose for
    `mounting`, in m and rad; with the residual (m) that a user would see, and the chosen method."""

    seed: int
    mounting: Mounting
    focal: float
    centre_px: float
    position: float
    rotation: float
    residual: float
    method: str


@dataclass(frozen=True)
class ArmNoise:
    """The error of an arm's reported tool pose, as standard deviations: m along each axis, rad about each."""

    position: float = 0.0002
    rotation: float = math.radians(0.03)


def benchmark_hand_eye(
    seeds: Annotated[int, tyro.conf.arg(help="how many lenses and camera poses to draw")] = 5,
    poses: Annotated[int, tyro.conf.arg(help="number of arm poses from which pictures are taken")] = 15,
    noise: Annotated[float, tyro.conf.arg(help="noise of the pictures, in levels of 255 (standard deviation)")] = 2.5,
    blur: Annotated[float, tyro.conf.arg(help="blur of the pictures, pixels (standard deviation)")] = 0.7,
    arm_mm: Annotated[float, tyro.conf.arg(help="error of the tool's position, mm (standard deviation)")] = 0.2,
    arm_deg: Annotated[float, tyro.conf.arg(help="error of the tool's rotation, degrees (standard deviation)")] = 0.03,
    json: Annotated[Path | None, tyro.conf.arg(help="write every number to this file")] = None,
) -> None:
    """Measure the accuracy of a calibration, on pictures of the board rendered from known poses through known lenses.

    Each seed calibrates a lens from 20 pictures of 640x480, then computes the camera's pose on the arm and beside it.
    """
    if seeds < 1 or poses < 1 or min(noise, blur, arm_mm, arm_deg) < 0:
        raise ConfigurationError("--seeds and --poses must be at least 1, and no noise may be below 0")
    if json is not None:
        require_writable(json)
    quality, arm = SensorQuality(blur, noise), ArmNoise(1e-3 * arm_mm, math.radians(arm_deg))
    found = [
        error
        for seed in tqdm(range(seeds), desc="calibrating", unit="seed")
        for error in measure(seed, poses, quality, arm)
    ]
    print(table(found))
    if json is not None:
        write_json(json, found)
        print(f"numbers: {json}")


def measure(
    seed: int, poses: int, quality: SensorQuality = SensorQuality(), arm: ArmNoise = ArmNoise()
) -> list[HandEyeError]:
    """Return the errors of one seed's calibrations, for both mountings."""
    rng = np.random.default_rng(seed)
    board, truth = Board(), random_lens(rng)
    renderer = BoardRenderer(board, truth)
    finder = BoardFinder(board)
    coverage = Coverage()
    for _ in range(_TRIES):
        if len(coverage.views) >= VIEWS and not coverage.missing:
            break
        view = finder.find(renderer.render(random_view(board, rng, 40.0), rng, quality)).view
        if view is not None:
            coverage.add(view)
    require_enough(coverage)
    lens = calibrate(coverage.views).lens
    off = np.abs(lens.camera_matrix - truth.camera_matrix)
    focal = float((np.diag(off)[:2] / np.diag(truth.camera_matrix)[:2]).max())
    centre = float(np.linalg.norm(off[:2, 2]))
    errors = []
    mountings: tuple[Mounting, ...] = ("eye-in-hand", "eye-to-hand")
    for mounting in mountings:
        camera, fixed = random_place(mounting, rng)
        tools: list[Pose] = []
        boards: list[Pose] = []
        for _ in range(_TRIES):
            if len(tools) == poses:
                break
            shown = random_view(board, rng, 30.0)
            seen = finder.find(renderer.render(shown, rng, quality)).view
            if seen is not None and _whole(seen, board):
                tools.append(_shaken(tool_at(mounting, camera, fixed, shown), arm, rng))
                boards.append(board_pose(seen, lens))
        result = solve(tools, boards, mounting, board)
        errors.append(
            HandEyeError(
                seed,
                mounting,
                focal,
                centre,
                float(np.linalg.norm(result.pose.position - camera.position)),
                angle_between(result.pose.rotation, camera.rotation),
                result.residual.middle,
                result.method,
            )
        )
    return errors


def random_lens(rng: np.random.Generator) -> Lens:
    """Return a lens like that of a webcam, 50° to 75° wide, with distortion."""
    focal = WIDTH / 2 / math.tan(math.radians(rng.uniform(50.0, 75.0)) / 2)
    fx, fy = focal, focal * rng.uniform(0.995, 1.005)
    cx, cy = (WIDTH - 1) / 2 + rng.uniform(-12, 12), (HEIGHT - 1) / 2 + rng.uniform(-12, 12)
    bent = (rng.uniform(-0.3, 0.05), rng.uniform(-0.05, 0.1), *rng.uniform(-1e-3, 1e-3, 2).tolist(), 0.0)
    return Lens(WIDTH, HEIGHT, ((fx, 0.0, cx), (0.0, fy, cy), (0.0, 0.0, 1.0)), tuple(map(float, bent)))


def random_view(board: Board, rng: np.random.Generator, tilt: float) -> Pose:
    """Return a pose of `board` in a camera's optical frame, tilted by up to `tilt` degrees and rotated by any angle
    about its axis."""
    width, height = board.size_m
    away, round_, along = rng.uniform(0.0, math.radians(tilt)), rng.uniform(0.0, 2 * math.pi), rng.uniform(_NEAR, _FAR)
    direction = np.array([math.sin(away) * math.cos(round_), math.sin(away) * math.sin(round_), -math.cos(away)])
    target = np.array([width * rng.uniform(0.1, 0.9), height * rng.uniform(0.1, 0.9), 0.0])
    camera = look_at(np.array([width / 2, height / 2, 0.0]) + along * direction, target, rng.uniform(-0.6, 0.6))
    return inverse(camera)


def random_place(mounting: Mounting, rng: np.random.Generator) -> tuple[Pose, Pose]:
    """Return the camera's pose (in the tool's frame or the base) and the board's pose (on the table, in the base frame;
    or in the gripper, in the tool's frame)."""
    hand = Pose(rng.uniform(-0.06, 0.06, 3), random_rotation(rng, 0.5))
    table = Pose(np.array([0.5, 0.0, 0.0]) + rng.uniform(-0.1, 0.1, 3), random_rotation(rng, math.pi))
    return (hand, table) if mounting == "eye-in-hand" else (table, hand)


def tool_at(mounting: Mounting, camera: Pose, fixed: Pose, shown: Pose) -> Pose:
    """Return the tool's pose in the base at which the board is at `shown` in the camera's optical frame; `camera` and
    `fixed` are poses as `random_place` returns them."""
    if mounting == "eye-in-hand":
        return times(times(fixed, inverse(shown)), inverse(camera))
    return times(times(camera, shown), inverse(fixed))


def random_rotation(rng: np.random.Generator, largest: float) -> NDArray[np.float64]:
    """Return a rotation (3, 3) about any axis by up to `largest` rad."""
    axis = rng.normal(size=3)
    return np.asarray(cv2.Rodrigues(axis / np.linalg.norm(axis) * rng.uniform(0.0, largest))[0], np.float64)


def table(errors: list[HandEyeError]) -> str:
    """Return a Markdown table: a row per seed and mounting, and a row with the worst of each column."""
    rows = [
        "| seed | mounting | focal | centre | position | rotation | residual | method |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for error in errors:
        rows.append(f"| {error.seed} | {error.mounting} | {_numbers(error)} | {error.method} |")
    worst = [max(values) for values in zip(*(_values(error) for error in errors), strict=True)]
    return "\n".join([*rows, f"| worst | | {_row(worst)} | |"])


def _values(error: HandEyeError) -> tuple[float, ...]:
    return error.focal, error.centre_px, error.position, error.rotation, error.residual


def _numbers(error: HandEyeError) -> str:
    return _row(list(_values(error)))


def _row(values: list[float]) -> str:
    focal, centre, position, rotation, residual = values
    return (
        f"{100 * focal:.3f} % | {centre:.2f} px | {1e3 * position:.2f} mm | {math.degrees(rotation):.3f}° | "
        f"{1e3 * residual:.2f} mm"
    )


def _whole(view: View, board: Board) -> bool:
    return len(view.ids) >= 0.7 * len(board.corners)


def _shaken(pose: Pose, arm: ArmNoise, rng: np.random.Generator) -> Pose:
    shift: Vector = rng.normal(0.0, arm.position, 3)
    turn = np.asarray(cv2.Rodrigues(rng.normal(0.0, arm.rotation, 3))[0], np.float64)
    return Pose(pose.position + shift, pose.rotation @ turn)
