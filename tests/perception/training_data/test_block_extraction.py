"""Blocks read off recordings whose motion is known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from perception.camera.framing import Framing
from perception.camera.goal_source import read_goal
from perception.recording.dataset import open_set, recorded_embodiment
from perception.training_data.block_extraction import read_blocks
from perception.training_data.frame_cache import open_cache
from robot.dataset import Dataset
from robot.dataset.edit.merge import merge
from robot.embodiment.actions import PLANAR_PUSH, TABLETOP
from robot.embodiment.convention import ArmConvention
from robot.embodiment.convention_file import read_convention
from robot.embodiment.description import read_embodiment, read_recorded_embodiment
from robot.embodiment.joint_displacement import JointDisplacement
from robot.embodiment.proprioception import GRASPING_STATE_NAMES
from robot.embodiment.tool_displacement import ToolDisplacement
from robot.errors import ConfigurationError, DatasetError
from robot.wire.camera_spec import CameraSpec, reframed
from tests.perception.recording.known import ARM, CAMERA, FPS, WRIST, described, path, written, written_in_joints
from tests.robot.embodiment import stranger


def blocks_of(dataset: Dataset, convention: ToolDisplacement, camera: CameraSpec = CAMERA):  # type: ignore[no-untyped-def]
    return read_blocks(dataset, recorded_embodiment(ARM, (CAMERA, WRIST), convention), camera)


def test_actions_say_what_happened_between_their_pictures(tmp_path: Path) -> None:
    dataset = written(tmp_path / "set")
    blocks = blocks_of(dataset, PLANAR_PUSH)
    assert blocks.left_out == ""
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


def test_what_happened_is_told_of_as_often_as_pictures_allow(tmp_path: Path) -> None:
    first, second, third = blocks_of(written(tmp_path / "set"), PLANAR_PUSH).stretches
    assert [len(each.rows) for each in (first, second, third)] == [28, 28, 27]
    assert second.rows[0] - first.rows[0] in (1, 2) and third.rows[0] - second.rows[0] in (1, 2)
    for stretch in (second, third):
        wanted = 0.05 * np.diff(stretch.rows) / FPS / PLANAR_PUSH.scale_m
        np.testing.assert_allclose(stretch.actions[:-1, 1], wanted, atol=1e-4)
    # A picture a block leaves nothing between two of them, and two leave one.
    for taken, grids in ((6, 1), (3, 2), (2, 3)):
        lost = [row for row in range(120) if row % taken]
        slow = blocks_of(written(tmp_path / f"every-{taken}", TABLETOP, lost=lost), TABLETOP)
        assert slow.left_out == "" and len(slow.stretches) == grids


def test_turning_lifting_and_gripping_are_told_of_too(tmp_path: Path) -> None:
    gripper = np.interp(np.arange(120), [0, 40, 60, 80, 100], [0.08, 0.08, 0.05, 0.05, 0.07])
    dataset = written(tmp_path / "set", TABLETOP, gripper=gripper)
    stretch = blocks_of(dataset, TABLETOP).stretches[0]
    assert read_embodiment(dataset.info).state_names == GRASPING_STATE_NAMES
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
    first, second = blocks.stretches[:2]
    assert first.rows.max() <= 50 and second.rows.min() >= 61
    assert (np.abs(second.actions[:-1, 1]) < 0.3).all()  # no leap over the gap


def test_what_no_action_tells_of_is_left_out(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no model can learn .* begin where no such action"):
        blocks_of(written(tmp_path / "high", above_m=0.1), PLANAR_PUSH)
    open_gripper = np.where(np.arange(120) < 60, 0.04, 0.0)
    blocks = blocks_of(written(tmp_path / "open", gripper=open_gripper), PLANAR_PUSH)
    assert blocks.stretches[0].rows[0] >= 58 and "41 begin where no such action" in blocks.left_out
    with pytest.raises(DatasetError, match="too few in a row"):
        blocks_of(written(tmp_path / "short", seconds=0.5), PLANAR_PUSH)


def test_pictures_are_framed_as_a_camera_of_that_size_would_have_sent_them(tmp_path: Path) -> None:
    dataset = written(tmp_path / "set", sways=(0.0, 0.0))
    cache = open_cache(dataset, "front", tmp_path / "cache", (64, 64))
    assert cache.images.shape == (166, 64, 64, 3)  # type: ignore[attr-defined]
    assert cache.lengths.tolist() == [28, 28, 27] * 2 and cache.recorded.tolist() == [0, 0, 0, 1, 1, 1]
    rows = np.concatenate([stretch.rows for stretch in blocks_of(dataset, PLANAR_PUSH).stretches])
    assert [int(picture.mean()) for picture in cache.images[:]] == rows.tolist()  # type: ignore[attr-defined]
    assert cache.states.shape == (166, 7) and (cache.clean_actions == cache.actions).all() and cache.truth is None
    assert read_embodiment(dataset.info).camera == CAMERA
    camera = read_embodiment(dataset.info, picture=(64, 64)).camera
    assert camera == reframed(CAMERA, (64, 64)) and camera.focal == (80.0, 80.0) and camera.centre == (32.0, 32.0)
    assert (read_goal(f"{dataset.root}:1:50", camera) == 50).all()
    wrist = open_cache(dataset, "wrist", tmp_path / "cache", (64, 64))
    assert len(wrist.images) == 166
    with pytest.raises(DatasetError, match="no pictures of a camera named 'side'"):
        open_cache(dataset, "side", tmp_path / "cache")


def test_each_picture_size_has_a_cache_of_its_own(tmp_path: Path) -> None:
    dataset = written(tmp_path / "set")
    small, wide = (open_cache(dataset, "front", tmp_path / "cache", size) for size in ((32, 32), (48, 32)))
    assert small.images.shape == (83, 32, 32, 3) and wide.images.shape == (83, 32, 48, 3)  # type: ignore[attr-defined]
    again = open_cache(dataset, "front", tmp_path / "cache", (32, 32))
    np.testing.assert_array_equal(again.images[:], small.images[:])  # type: ignore[index]
    camera = read_embodiment(dataset.info, picture=(48, 32)).camera
    goal = read_goal(f"{dataset.root}:0:50", camera)
    assert goal.shape == (32, 48, 3) and (goal == 50).all()


def test_reframing_agrees_with_the_framing_of_camera_processes() -> None:
    from perception.camera.framing import reframe

    picture = np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)
    framing = Framing("front", (320, 240), (64, 64))
    camera = CameraSpec("front", 320, 240, (277.0, 277.0), (160.0, 120.0))
    np.testing.assert_array_equal(reframe(picture, camera, (64, 64)), framing(picture[..., ::-1].copy()))
    np.testing.assert_allclose(reframed(camera, (64, 64)).centre, framing.spec.centre)


def test_recordings_of_one_kind_can_be_joined_and_learnt_from(tmp_path: Path) -> None:
    written(tmp_path / "one")
    written(tmp_path / "two")
    info = tmp_path / "two" / "meta" / "info.json"
    said = json.loads(info.read_text())
    del said["worldarm"]["recorded"]["action"]["kind"]  # as earlier versions wrote it
    info.write_text(json.dumps(said))
    merge(tmp_path / "both", [tmp_path / "one", tmp_path / "two"])
    assert read_embodiment(Dataset.open(tmp_path / "both").info).action == PLANAR_PUSH
    cache = open_cache(Dataset.open(tmp_path / "both"), "front", tmp_path / "cache")
    assert cache.lengths.tolist() == [28, 28, 27] * 2
    written(tmp_path / "other", TABLETOP)
    with pytest.raises(DatasetError, match=r"recorded in another way .*worldarm\.recorded\.\S+ in meta/info.json is "):
        merge(tmp_path / "all", [tmp_path / "one", tmp_path / "other"])


def test_displacements_of_the_joints_are_read_off_too(tmp_path: Path) -> None:
    convention = JointDisplacement.of(ARM)
    rate = 0.2 * np.array([1.0, -1.0, 0.5, 0.3, 0.0, -0.4, 0.8])
    joints = np.array(ARM.home) + rate * np.arange(120)[:, None] / FPS
    gripper = np.where(np.arange(120) < 60, 0.08, 0.02)
    dataset = written_in_joints(tmp_path / "set", described(convention), [joints], gripper)
    recorded = read_recorded_embodiment(dataset.info)
    assert recorded is not None and recorded.action == convention
    stretch = read_blocks(dataset, recorded, CAMERA).stretches[0]
    wanted = rate * np.diff(stretch.rows)[:, None] / FPS / convention.scale_rad
    np.testing.assert_allclose(stretch.actions[:-1, :7], wanted, atol=1e-3)
    assert stretch.actions[0, 7] == 1.0 and stretch.actions[-2, 7] == -1.0
    felt = dict(zip(recorded.state_names, stretch.states.T, strict=True))
    np.testing.assert_allclose(felt["joint.2"], joints[stretch.rows, 1] - rate[1] * 0.01, atol=1e-5)
    np.testing.assert_allclose(felt["setpoint.joint.2"], felt["joint.2"])
    outside = joints.copy()
    outside[60:, 3] = ARM.upper[3] + 0.1
    with_gap = written_in_joints(tmp_path / "gap", described(convention), [outside], gripper)
    assert "begin where no such action can have sent the arm" in read_blocks(with_gap, recorded, CAMERA).left_out


def test_a_stranger_s_convention_and_sense_are_read_off_a_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    stranger.install(tmp_path)
    stored = {"kind": "swing", "step_rad": 0.1}
    swing = msgspec.convert(stored, ArmConvention[Any], dec_hook=read_convention)
    joints = np.tile(np.array(ARM.home), (120, 1))
    joints[:, 0] += 0.3 * np.arange(120) / FPS
    dataset = written_in_joints(tmp_path / "set", described(swing), [joints])
    recorded = read_recorded_embodiment(dataset.info)
    assert recorded is not None and recorded.action == swing
    stretch = read_blocks(dataset, recorded, CAMERA).stretches[0]
    np.testing.assert_allclose(stretch.actions[:-1, 0], 0.3 * np.diff(stretch.rows) / FPS / 0.1, atol=1e-3)
    assert recorded.state_names[2] == "lean" and (np.abs(stretch.states[:, 2]) < 1e-6).all()


def test_efforts_are_felt_from_a_recording_that_was_made_for_them(tmp_path: Path) -> None:
    names = ("tool.x", "effort.2")
    recorded = msgspec.structs.replace(recorded_embodiment(ARM, (CAMERA, WRIST), TABLETOP), state_names=names)
    effort = np.linspace(0.0, 7.0, 120)[:, None] * np.arange(7)
    joints = np.tile(np.array(ARM.home), (120, 1))
    dataset = written_in_joints(tmp_path / "set", recorded, [joints], effort=effort)
    stretch = read_blocks(dataset, recorded, CAMERA).stretches[0]
    rows = stretch.rows - 0.01 * FPS  # pictures are taken 10 ms before their rows
    np.testing.assert_allclose(stretch.states[:, 1], 7.0 * rows / 119, atol=1e-4)
    mute = msgspec.structs.replace(ARM, effort=())
    with pytest.raises(ConfigurationError, match=r"effort\.2 does not exist"):
        open_set(tmp_path / "other", FPS, "png", mute, recorded)
