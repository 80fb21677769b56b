"""Whatever its shape, one message takes a bounded share of one tick, and only its sender pays for it."""

import time
from collections.abc import Iterator

import pytest
import zmq

from robot.driver.inbox import Inbox, Request
from robot.wire.messages import MAX_REQUEST_BYTES


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with zmq.Context() as context:
        box = Inbox(context, "tcp://127.0.0.1:*")
        yield box
        box.close()


@pytest.fixture
def peer(inbox: Inbox) -> Iterator[zmq.Socket[bytes]]:
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.setsockopt(zmq.LINGER, 0)
        socket.connect(inbox.endpoint)
        yield socket


def next_request(inbox: Inbox) -> tuple[Request, int]:
    """The next request, and how many calls it took after the first frame had come."""
    deadline = time.monotonic() + 10
    calls = 0
    while time.monotonic() < deadline:
        request = inbox.receive()
        calls += bool(inbox._frames) or request is not None
        if request is not None:
            return request, calls
        time.sleep(0.001)
    raise AssertionError("nothing came")


def test_nothing_there_is_said_at_once(inbox: Inbox) -> None:
    assert inbox.receive() is None


def test_the_answer_goes_back_the_way_the_request_came(inbox: Inbox, peer: zmq.Socket[bytes]) -> None:
    peer.send_multipart([b"number", b"", b"payload"])
    request, calls = next_request(inbox)
    assert (request.route[1:], request.payload, calls) == ((b"number", b""), b"payload", 1)
    inbox.answer(request, b"answer")
    assert peer.poll(10_000)
    assert peer.recv_multipart() == [b"number", b"", b"answer"]


@pytest.mark.parametrize("frames", [[b"x" * (MAX_REQUEST_BYTES + 1)], [b"x"] * 7])
def test_what_is_too_large_comes_without_its_payload_but_can_be_answered(
    inbox: Inbox, peer: zmq.Socket[bytes], frames: list[bytes]
) -> None:
    peer.send_multipart(frames)
    request, _ = next_request(inbox)
    assert request.payload is None
    inbox.answer(request, b"no")
    assert peer.poll(10_000)
    assert peer.recv_multipart() == [b"no"]


def test_endless_frames_are_read_over_many_calls_and_the_next_message_is_whole(
    inbox: Inbox, peer: zmq.Socket[bytes]
) -> None:
    peer.send_multipart([b"x"] * 20_000)
    peer.send(b"good")
    request, calls = next_request(inbox)
    assert request.payload is None
    assert calls > 100
    assert next_request(inbox)[0].payload == b"good"


def test_an_answer_to_one_who_left_is_dropped(inbox: Inbox, peer: zmq.Socket[bytes]) -> None:
    peer.send(b"payload")
    request, _ = next_request(inbox)
    peer.close()
    for _ in range(1000):
        inbox.answer(request, b"x" * 1000)
