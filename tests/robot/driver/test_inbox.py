"""Whatever its shape, one message takes a bounded share of one tick, and only its sender pays for it."""

import time
from collections.abc import Iterator

import pytest
import zmq

from robot.driver.inbox import Inbox, Request
from robot.wire.limits import MAX_REQUEST_BYTES


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    box = Inbox("tcp://127.0.0.1:*")
    yield box
    box.close()


@pytest.fixture
def peer(inbox: Inbox) -> Iterator[zmq.Socket[bytes]]:
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.setsockopt(zmq.LINGER, 0)
        socket.connect(inbox.endpoint)
        yield socket


def next_request(inbox: Inbox) -> Request:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        request = inbox.receive()
        if request is not None:
            return request
        time.sleep(0.001)
    raise AssertionError("nothing came")


def test_nothing_there_is_said_at_once(inbox: Inbox) -> None:
    assert inbox.receive() is None


def test_the_answer_goes_back_the_way_the_request_came(inbox: Inbox, peer: zmq.Socket[bytes]) -> None:
    peer.send_multipart([b"number", b"", b"payload"])
    request = next_request(inbox)
    assert (request.route[1:], request.payload) == ((b"number", b""), b"payload")
    inbox.answer(request, b"answer")
    assert peer.poll(10_000)
    assert peer.recv_multipart() == [b"number", b"", b"answer"]


@pytest.mark.parametrize("frames", [[b"x" * (MAX_REQUEST_BYTES + 1)], [b"x"] * 7])
def test_what_is_too_large_comes_without_its_payload_but_can_be_answered(
    inbox: Inbox, peer: zmq.Socket[bytes], frames: list[bytes]
) -> None:
    peer.send_multipart(frames)
    request = next_request(inbox)
    assert request.payload is None
    inbox.answer(request, b"no")
    assert peer.poll(10_000)
    assert peer.recv_multipart() == [b"no"]


def test_a_message_of_very_many_frames_comes_without_them_and_the_next_one_is_whole(
    inbox: Inbox, peer: zmq.Socket[bytes]
) -> None:
    peer.send_multipart([b"x"] * 20_000)
    peer.send(b"good")
    assert next_request(inbox).payload is None
    assert next_request(inbox).payload == b"good"


def test_an_answer_to_one_who_left_is_dropped(inbox: Inbox, peer: zmq.Socket[bytes]) -> None:
    peer.send(b"payload")
    request = next_request(inbox)
    peer.close()
    for _ in range(1000):
        inbox.answer(request, b"x" * 1000)
