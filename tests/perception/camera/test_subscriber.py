from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
import zmq
from hypothesis import given
from hypothesis import strategies as st

from perception.camera.subscriber import FrameSubscriber
from robot.errors import CameraError, WireError
from robot.wire import sockets
from robot.wire.camera_spec import CameraSpec
from robot.wire.keyring import Role
from robot.wire.limits import MAX_MESSAGE_BYTES
from robot.wire.messages import Done, Frame, encode
from robot.wire.topics import FRAME as TOPIC
from tests.commands import running
from tests.perception.camera import pattern_camera

SPEC = CameraSpec("front", 32, 24, (60.0, 60.0), (16.0, 12.0))


class Publisher:
    """The sending end, in the test's hand: it knows when a subscriber has joined."""

    def __init__(self) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = sockets.make(self._context, zmq.XPUB, 100)
        self.endpoint = sockets.bind(self._socket, "tcp://127.0.0.1:*", Role.WATCH, MAX_MESSAGE_BYTES)

    def follow(self) -> FrameSubscriber:
        """Return a subscriber that is connected for sure."""
        subscriber = FrameSubscriber(self.endpoint)
        assert self._socket.poll(10_000), "no subscription came"
        assert self._socket.recv() == b"\x01" + TOPIC
        return subscriber

    def send(self, payload: bytes) -> None:
        self._socket.send_multipart([TOPIC, payload])

    def picture(
        self,
        index: int,
        time_ns: int | None = None,
        encoding: str = "rgb8",
        data: bytes | None = None,
        camera: CameraSpec = SPEC,
    ) -> None:
        taken_ns = time.monotonic_ns() if time_ns is None else time_ns
        image = pattern_camera.pattern(index, camera).tobytes()
        frame = Frame(taken_ns, index, camera, encoding, image if data is None else data)
        self.send(encode(frame, index, time.monotonic_ns()))

    def close(self) -> None:
        self._socket.close()
        self._context.term()


@pytest.fixture(scope="module")
def publisher() -> Iterator[Publisher]:
    publisher = Publisher()
    yield publisher
    publisher.close()


@pytest.fixture
def frames(publisher: Publisher) -> Iterator[FrameSubscriber]:
    with publisher.follow() as subscriber:
        yield subscriber
    publisher._socket.poll(10_000)  # the subscriber's leave
    publisher._socket.recv()


def test_latest_is_the_newest_and_never_the_same_twice(publisher: Publisher, frames: FrameSubscriber) -> None:
    for index in range(10):
        publisher.picture(index)
    time.sleep(0.2)
    newest = frames.latest(5.0)
    assert newest.index == 9 and newest.camera == SPEC
    np.testing.assert_array_equal(newest.image, pattern_camera.pattern(9, SPEC))
    with pytest.raises(CameraError, match="stopped sending"):
        frames.latest(0.1)
    publisher.picture(10)
    assert frames.latest(5.0).index == 10


def test_newer_than_waits_for_the_moment_asked_for(publisher: Publisher, frames: FrameSubscriber) -> None:
    publisher.picture(0, time_ns=1_000)
    publisher.picture(1, time_ns=2_000)
    time.sleep(0.2)
    assert frames.newer_than(1_999, 5.0).index == 1
    assert frames.newer_than(1_999, 0.0).index == 1  # one that is new enough may be had again
    began = time.monotonic()
    with pytest.raises(CameraError):
        frames.newer_than(2_000, 0.3)
    assert 0.25 < time.monotonic() - began < 2.0
    publisher.picture(2, time_ns=2_001)
    assert frames.newer_than(2_000, 5.0).index == 2


def test_old_pictures_that_keep_coming_do_not_extend_the_wait(publisher: Publisher, frames: FrameSubscriber) -> None:
    began = time.monotonic()
    for index in range(30):
        publisher.picture(index, time_ns=index)
    with pytest.raises(CameraError):
        frames.newer_than(10**18, 0.3)
    assert time.monotonic() - began < 2.0


def test_jpeg_pictures_are_decoded(publisher: Publisher, frames: FrameSubscriber) -> None:
    image = pattern_camera.pattern(90, SPEC)
    data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 100])[1].tobytes()
    publisher.picture(90, encoding="jpeg", data=data)
    received = frames.latest(5.0).image
    assert received.shape == (24, 32, 3) and received.dtype == np.uint8
    assert np.abs(received.astype(int) - image).mean() < 3.0


def test_a_jpeg_of_another_size_is_refused(publisher: Publisher, frames: FrameSubscriber) -> None:
    data = cv2.imencode(".jpg", np.zeros((10, 11, 3), np.uint8))[1].tobytes()
    publisher.picture(0, encoding="jpeg", data=data)
    with pytest.raises(CameraError, match="JPEG of 11x10; it said 32x24"):
        frames.latest(5.0)


@given(encoding=st.sampled_from(["rgb8", "jpeg", "bgr8", ""]), data=st.binary(max_size=4000))
def test_bytes_that_are_no_picture_are_refused_by_name(publisher: Publisher, encoding: str, data: bytes) -> None:
    if encoding == "rgb8" and len(data) == 24 * 32 * 3:
        data = data[1:]
    with publisher.follow() as frames:
        publisher.picture(0, encoding=encoding, data=data)
        with pytest.raises(CameraError, match="camera front"):
            frames.latest(5.0)
    publisher._socket.poll(10_000)
    publisher._socket.recv()


@pytest.mark.parametrize("payload", [b"", b"hello", encode(Done(), 0, 0)])
def test_a_sender_of_something_else_is_told_apart(
    publisher: Publisher, frames: FrameSubscriber, payload: bytes
) -> None:
    publisher.send(payload)
    with pytest.raises(WireError):
        frames.latest(5.0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"name": "side"}, "'side' .* began with 'front'"), ({"width": 48}, "48x24"), ({"focal": (9.0, 9.0)}, "lens")],
)
def test_pictures_of_another_camera_are_no_pictures(
    publisher: Publisher, frames: FrameSubscriber, changes: dict[str, object], said: str
) -> None:
    publisher.picture(0)
    assert frames.latest(5.0).camera == SPEC
    other = msgspec.structs.replace(SPEC, **changes)
    for index in (1, 2, 3):
        publisher.picture(index, camera=other)
    with pytest.raises(CameraError, match=f"no picture within 0.3 s.*{said}"):
        frames.latest(0.3)
    assert frames.newer_than(0, 1.0).index == 0, "the last picture of the first camera is kept"
    publisher.picture(4)
    assert frames.latest(5.0).index == 4


def test_only_the_camera_that_is_asked_for_is_seen(publisher: Publisher) -> None:
    other = msgspec.structs.replace(SPEC, name="side")
    with FrameSubscriber(publisher.endpoint, other) as frames:
        assert publisher._socket.poll(10_000) and publisher._socket.recv()
        publisher.picture(0)
        with pytest.raises(CameraError, match=r"'front' .* began with 'side'"):
            frames.latest(0.3)
        publisher.picture(1, camera=other)
        assert frames.latest(5.0).camera == other
    publisher._socket.poll(10_000)
    publisher._socket.recv()


def test_no_camera_at_all_is_an_error_in_time() -> None:
    with FrameSubscriber("tcp://127.0.0.1:1") as frames:
        began = time.monotonic()
        with pytest.raises(CameraError, match="is `worldarm camera` running"):
            frames.latest(0.3)
        assert 0.25 < time.monotonic() - began < 2.0


@pytest.mark.parametrize("how", [signal.SIGSTOP, signal.SIGKILL])
def test_a_camera_that_stops_sending_is_an_error_in_time(tmp_path: Path, how: signal.Signals) -> None:
    arguments = ["camera", "--source", "pattern", "--rate-hz", "50", "--frames-address", "tcp://127.0.0.1:*"]
    with (
        running(*arguments, paths=(pattern_camera.install(tmp_path),)) as process,
        FrameSubscriber(process.endpoint) as frames,
    ):
        frames.latest(10.0)
        process.process.send_signal(how)
        time.sleep(0.2)
        last = frames.newer_than(0, 1.0)
        began = time.monotonic()
        with pytest.raises(CameraError, match=r"camera front at tcp://.* stopped sending"):
            frames.newer_than(last.time_ns, 0.5)
        assert 0.4 < time.monotonic() - began < 2.0
