from __future__ import annotations

import multiprocessing

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from robot.dataset import Feature, encode_episode
from robot.dataset.format.encoding import decode_picture, encode_png, encode_video
from robot.dataset.format.tables import VideoSpan
from robot.dataset.format.video_span import decode_video
from robot.errors import DatasetError
from tests.robot.dataset.samples import CAMERA, FPS, columns, features

FRAMES = hnp.arrays(np.uint8, st.tuples(st.integers(1, 20), st.integers(1, 20), st.just(3)))


@given(FRAMES)
def test_png_keeps_every_pixel_and_red_is_red(frame) -> None:
    data = encode_png(frame)
    np.testing.assert_array_equal(decode_picture(data), frame)
    np.testing.assert_array_equal(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1], frame)


@pytest.mark.parametrize("data", [b"", b"not a picture", encode_png(np.zeros((4, 4, 3), np.uint8))[:30]])
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(DatasetError, match="cannot be decoded"):
        decode_picture(data)


@pytest.mark.parametrize("length", [1, 2, 3, 17])
def test_a_video_has_every_frame_in_its_place(tmp_path, length: int) -> None:
    shades = np.linspace(20, 230, length).astype(np.uint8)
    frames = np.tile(shades[:, None, None, None], (1, 32, 48, 3))
    frames[..., 0] = 10
    path = tmp_path / "clip.mp4"
    path.write_bytes(encode_video(frames, FPS))
    decoded = decode_video(path, VideoSpan(0, 0, 0.0, length / FPS), length, FPS)
    assert decoded.shape == frames.shape
    np.testing.assert_allclose(decoded.mean(axis=(1, 2)), frames.mean(axis=(1, 2)), atol=4)
    with pytest.raises(DatasetError, match=f"{length} of the {length + 1} frames"):
        decode_video(path, VideoSpan(0, 0, 0.0, (length + 1) / FPS), length + 1, FPS)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"action": None}, "lacks the columns action"),
        ({"surplus": np.zeros(5)}, "no columns surplus"),
        ({"action": np.zeros((4, 2))}, "differ in length"),
        ({"action": np.zeros((5, 3))}, "'action' must have the shape"),
        ({"action": np.full((5, 2), np.nan)}, "not finite"),
        ({"action": np.full((5, 2), np.inf)}, "not finite"),
        ({"action": np.full((5, 2), 1e300)}, "not finite"),
        ({"action": np.full((5, 2), "a")}, "must be float32"),
        ({"capture_ns": np.zeros(5)}, "must be int64"),
        ({"success": np.zeros(5, int)}, "must be bool"),
        ({CAMERA: np.zeros((5, 16, 16, 3))}, "must be uint8"),
        ({CAMERA: np.zeros((5, 16, 15, 3), np.uint8)}, r"of shape \(T, 16, 16, 3\)"),
    ],
)
def test_columns_that_do_not_fit(change, words: str) -> None:
    changed = {name: values for name, values in {**columns(0), **change}.items() if values is not None}
    with pytest.raises(DatasetError, match=words):
        encode_episode(features(), FPS, changed)


def test_an_episode_needs_a_frame() -> None:
    with pytest.raises(DatasetError, match="at least one frame"):
        encode_episode(features(), FPS, {name: values[:0] for name, values in columns(0).items()})


def test_single_numbers_come_flat_or_as_a_column() -> None:
    wanted = {"x": Feature("float32")}
    flat = encode_episode(wanted, FPS, {"x": np.arange(3.0)})
    column = encode_episode(wanted, FPS, {"x": np.arange(3.0)[:, None]})
    np.testing.assert_array_equal(flat.vectors["x"], column.vectors["x"])
    assert flat.vectors["x"].shape == (3,)


def test_a_worker_can_hand_over_what_it_encoded() -> None:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        there = pool.apply_async(encode_episode, (features(), FPS, columns(1))).get(60)
    here = encode_episode(features(), FPS, columns(1))
    assert there.images == here.images
    np.testing.assert_array_equal(there.vectors["action"], here.vectors["action"])
