"""Pictures of one camera count; those of another one that sends from the same address are no pictures at all."""

from __future__ import annotations

import msgspec
import pytest

from robot.wire.camera_spec import CameraSpec
from robot.wire.messages import Frame
from robot.wire.same_camera import SameCamera

FRONT = CameraSpec("front", 32, 24, (60.0, 60.0), (16.0, 12.0))
WRIST = msgspec.structs.replace(FRONT, position=(0.0, 0.0, 0.5), orientation=(0.0, 0.0, 0.0, 1.0))


def frame(camera: CameraSpec = FRONT, encoding: str = "rgb8") -> Frame:
    return Frame(1, 0, camera, encoding, b"")


@pytest.mark.parametrize(
    ("changes", "encoding", "named"),
    [
        ({"name": "side"}, "rgb8", "'side' (32x24, rgb8), and this began with 'front' (32x24, rgb8)"),
        ({"width": 64}, "rgb8", "'front' (64x24, rgb8), and this began with 'front' (32x24, rgb8)"),
        ({"focal": (61.0, 60.0)}, "rgb8", "'front' (32x24, rgb8) with another lens or pose, and"),
        ({"position": (0.0, 0.0, 1.0)}, "rgb8", "with another lens or pose"),
        ({"below": (FRONT,), "height": 48}, "rgb8", "'front' (32x48, rgb8), and this began with 'front' (32x24"),
        ({}, "jpeg", "'front' (32x24, jpeg), and this began with 'front' (32x24, rgb8)"),
    ],
)
def test_another_camera_is_named_beside_the_first(changes: dict[str, object], encoding: str, named: str) -> None:
    same = SameCamera("tcp://127.0.0.1:5553")
    assert same(frame()) and same(frame()) and same.other == ""
    other = frame(msgspec.structs.replace(FRONT, **changes), encoding)
    assert not same(other) and named in same.other
    assert same(frame()) and same.other == "", "the first camera is back"


def test_a_camera_that_was_given_is_the_only_one() -> None:
    same = SameCamera("tcp://127.0.0.1:5553", WRIST)
    assert not same(frame()) and "began with 'front' (32x24)" in same.other
    assert same(frame(WRIST, "jpeg")) and not same(frame(WRIST, "rgb8"))
