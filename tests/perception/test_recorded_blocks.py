"""Blocks read off recordings whose motion is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from perception.frame_cache import open_cache
from perception.framing import Framing
from perception.goal_source import read_goal
from perception.recorded_blocks import read_blocks
from perception.recording.open_set import open_set, recorded_by
from robot.action import PLANAR_PUSH, TABLETOP, ActionConvention
from robot.camera_spec import CameraSpec, reframed
from robot.dataset import Dataset
from robot.dataset.merge import merge
from robot.dataset.recorded import (
    CLAMPS,
    GOVERNED,
    MARKS,
    MEASURED,
    REQUESTED,
    STATE_NS,
    TOOL_GOVERNED,
    TOOL_MEASURED,
    age_feature,
    capture_feature,
)
from robot.errors import DatasetError
from robot.kinematics import Pose
from robot.proprio import GRASPING_STATE_NAMES
from robot.quaternion import quaternion_of
from robot.recipe import read_recipe
from tests.robot.panda import panda_spec

FPS = 30
CAMERA = CameraSpec("front", 32, 24, (30.0, 30.0), (16.0, 12.0))
WRIST = CameraSpec("wrist", 32, 24, (30.0, 30.0), (16.0, 12.0))
ARM = panda_spec()


def path(convention: ActionConvention, seconds: np.ndarray, speed: float) -> list[Pose]:
    """A tool that goes along +y, or that and up while it turns, from the middle of the convention's bounds."""
    middle = np.mean([convention.bounds.lower, convention.bounds.upper], axis=0) + [0.0, -0.1, 0.0]
    lifts = 0.02 if "z" in convention.axes else 0.0
    turns = 0.3 if "yaw" in convention.axes else 0.0
    return [
        convention.pose(convention.start(middle + [0.0, speed * t, lifts * t]).__class__(
            middle + [0.0, speed * t, lifts * t], turns * t, 0.0)) for t in seconds
    ]  # fmt: skip


def written(
    root: Path,
    convention: ActionConvention = PLANAR_PUSH,
    seconds: float = 4.0,
    speed: float = 0.05,
    lost: range = range(0),
    above_m: float = 0.0,
    gripper: np.ndarray | None = None,
    episodes: int = 1,
) -> Dataset:
    """A recording of that; pictures are all of one grey, the number of their row, and taken 10 ms before it."""
    rows = round(seconds * FPS)
    times_ns = 10**15 + np.round(np.arange(rows) * 1e9 / FPS).astype(np.int64)
    captured = times_ns - 10_000_000
    for row in lost:
        captured[row] = captured[row - 1]
    poses = path(convention, (times_ns - times_ns[0]) * 1e-9, speed)
    tool = np.array([[*pose.position, *quaternion_of(pose.rotation)] for pose in poses], np.float32)
    tool[:, 2] += above_m
    joints = np.tile(np.array(ARM.home, np.float32), (rows, 1))
    widths = np.zeros(rows, np.float32) if gripper is None else gripper.astype(np.float32)
    pictures = np.tile(np.arange(rows, dtype=np.uint8)[:, None, None, None], (1, 24, 32, 3))
    times = {}
    for camera in (CAMERA, WRIST):
        times |= {capture_feature(camera.name): captured, age_feature(camera.name): times_ns - captured}
        times[f"observation.images.{camera.name}"] = pictures
    with open_set(root, FPS, "png", ARM, recorded_by(ARM, (CAMERA, WRIST), convention)) as writer:
        for _ in range(episodes):
            writer.save_episode(
                {
                    "observation.state": np.column_stack([joints, widths]),
                    "action": np.column_stack([joints, widths]),
                    **dict.fromkeys((MEASURED, REQUESTED, GOVERNED), joints),
                    CLAMPS: np.zeros((rows, len(writer.info.features[CLAMPS].names or ())), bool),
                    TOOL_MEASURED: tool,
                    TOOL_GOVERNED: tool,
                    STATE_NS: times_ns,
                    **times,
                },
                "move",
                {MARKS: ()},
            )
    return Dataset.open(root)


def blocks_of(dataset: Dataset, convention: ActionConvention, camera: CameraSpec = CAMERA):  # type: ignore[no-untyped-def]
    return read_blocks(dataset, recorded_by(ARM, (CAMERA, WRIST), convention), camera)


def test_actions_say_what_happened_between_their_pictures(tmp_path: Path) -> None:
    dataset = written(tmp_path / "set")
    blocks = blocks_of(dataset, PLANAR_PUSH)
    assert blocks.left_out == "" and len(blocks.stretches) == 1
    stretch = blocks.stretches[0]
    assert len(stretch.rows) == 28 and stretch.rows[0] == 1  # the first picture is older than the first state
    assert set(np.diff(stretch.rows)) == {4, 5}  # 30 / 7
    wanted = 0.05 * np.diff(stretch.rows) / FPS / PLANAR_PUSH.scale_m
    np.testing.assert_allclose(stretch.actions[:-1, 1], wanted, atol=1e-4)
    np.testing.assert_allclose(stretch.actions[:, 0], 0.0, atol=1e-5)
    assert (stretch.actions[-1] == 0).all()
    # What the arm felt when the picture was taken, and not when its row was put together.
    y = path(PLANAR_PUSH, np.array([0.0]), 0.05)[0].position[1]
    np.testing.assert_allclose(stretch.states[:, 1], y + 0.05 * (stretch.rows / FPS - 0.01), atol=1e-5)
    np.testing.assert_allclose(stretch.states[:, 5], stretch.states[:, 1], atol=1e-6)
    # Followed one after the other, the actions lead to where the tool was.
    travelled = stretch.states[0, 5] + PLANAR_PUSH.scale_m * stretch.actions[:-1, 1].sum()
    assert travelled == pytest.approx(stretch.states[-1, 5], abs=1e-4)


def test_turning_lifting_and_gripping_are_told_of_too(tmp_path: Path) -> None:
    gripper = np.interp(np.arange(120), [0, 40, 60, 80, 100], [0.08, 0.08, 0.05, 0.05, 0.07])
    dataset = written(tmp_path / "set", TABLETOP, gripper=gripper)
    (stretch,) = blocks_of(dataset, TABLETOP).stretches
    assert read_recipe(dataset.info).state_names == GRASPING_STATE_NAMES
    assert stretch.states.shape == (20, 10) and stretch.actions.shape == (20, 5)
    assert set(np.diff(stretch.rows)) == {6}
    np.testing.assert_allclose(stretch.actions[:-1, 1], 0.05 / 5 / TABLETOP.scale_m, atol=1e-3)
    np.testing.assert_allclose(stretch.actions[:-1, 2], 0.02 / 5 / TABLETOP.scale_m, atol=1e-3)
    np.testing.assert_allclose(stretch.actions[:-1, 3], 0.3 / 5 / TABLETOP.turn_rad, atol=1e-3)
    # Open at first; closing from row 40 on, and closed as far as it went until it opens again.
    assert stretch.actions[:-1, 4].tolist() == [1.0] * 6 + [-1.0] * 7 + [1.0] * 6


def test_an_episode_is_cut_where_pictures_are_missing(tmp_path: Path) -> None:
    blocks = blocks_of(written(tmp_path / "set", lost=range(50, 62)), PLANAR_PUSH)
    assert "lack a picture near enough" in blocks.left_out
    first, second = blocks.stretches
    assert first.rows.max() <= 50 and second.rows.min() >= 61
    assert (np.abs(second.actions[:-1, 1]) < 0.3).all()  # no leap over the gap


def test_what_no_action_tells_of_is_left_out(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"nothing in .* the tool was where"):
        blocks_of(written(tmp_path / "high", above_m=0.1), PLANAR_PUSH)
    open_gripper = np.where(np.arange(120) < 60, 0.04, 0.0)
    blocks = blocks_of(written(tmp_path / "open", gripper=open_gripper), PLANAR_PUSH)
    assert blocks.stretches[0].rows[0] >= 58 and "in 14 the tool was where" in blocks.left_out
    with pytest.raises(DatasetError, match="too few in a row"):
        blocks_of(written(tmp_path / "short", seconds=0.5), PLANAR_PUSH)


def test_pictures_are_framed_as_a_camera_of_that_size_would_have_sent_them(tmp_path: Path) -> None:
    dataset = written(tmp_path / "set", episodes=2)
    cache = open_cache(dataset, "front", tmp_path / "cache")
    assert cache.images.shape == (56, 64, 64, 3) and cache.lengths.tolist() == [28, 28]  # type: ignore[attr-defined]
    rows = blocks_of(dataset, PLANAR_PUSH).stretches[0].rows
    assert [int(picture.mean()) for picture in cache.images[:28]] == rows.tolist()  # type: ignore[attr-defined]
    assert cache.states.shape == (56, 7) and (cache.meant == cache.actions).all() and cache.truth is None
    camera = read_recipe(dataset.info).camera
    assert camera == reframed(CAMERA, (64, 64)) and camera.focal == (80.0, 80.0) and camera.centre == (32.0, 32.0)
    assert (read_goal(f"{dataset.root}:1:50", camera) == 50).all()
    wrist = open_cache(dataset, "wrist", tmp_path / "cache")
    assert len(wrist.images) == 56
    with pytest.raises(DatasetError, match="no pictures of a camera named 'side'"):
        open_cache(dataset, "side", tmp_path / "cache")


def test_reframing_agrees_with_the_framing_of_camera_processes() -> None:
    from perception.framing import reframe

    picture = np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)
    framing = Framing("front", (320, 240), (64, 64))
    camera = CameraSpec("front", 320, 240, (277.0, 277.0), (160.0, 120.0))
    np.testing.assert_array_equal(reframe(picture, camera, (64, 64)), framing(picture[..., ::-1].copy()))
    np.testing.assert_allclose(reframed(camera, (64, 64)).centre, framing.spec.centre)


def test_recordings_of_one_kind_can_be_joined_and_learnt_from(tmp_path: Path) -> None:
    written(tmp_path / "one")
    written(tmp_path / "two")
    merge(tmp_path / "both", [tmp_path / "one", tmp_path / "two"])
    cache = open_cache(Dataset.open(tmp_path / "both"), "front", tmp_path / "cache")
    assert cache.lengths.tolist() == [28, 28]
    written(tmp_path / "other", TABLETOP)
    with pytest.raises(DatasetError, match="recorded in another way"):
        merge(tmp_path / "all", [tmp_path / "one", tmp_path / "other"])
