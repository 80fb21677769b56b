"""Calls made to end in time: what they return and raise comes through, and nothing that they held is kept."""

from __future__ import annotations

import threading
import time
import weakref

import pytest

from robot.errors import ArmError
from robot.hardware.timeouts import within


class Link:
    """Something that must be gone when nobody wants it any more."""


def fail() -> None:
    raise ArmError("no")


def test_what_a_call_returns_or_raises_comes_through() -> None:
    assert within(1.0, lambda: 7) == 7
    with pytest.raises(ArmError, match="no"):
        within(1.0, fail)


def test_one_that_blocks_is_left_to_itself() -> None:
    released = threading.Event()
    begin = time.monotonic()
    with pytest.raises(TimeoutError, match=r"0\.2 s"):
        within(0.2, released.wait)
    assert 0.2 <= time.monotonic() - begin < 1.0
    released.set()


def test_neither_a_late_result_nor_the_frames_of_an_error_are_kept() -> None:
    released, gone = threading.Event(), threading.Event()

    def late() -> Link:
        released.wait()
        link = Link()
        weakref.finalize(link, gone.set)
        return link

    with pytest.raises(TimeoutError):
        within(0.05, late)
    released.set()
    assert gone.wait(5.0)

    def with_link() -> None:
        link = Link()
        left.append(weakref.ref(link))
        within(1.0, fail)

    left: list[weakref.ref[Link]] = []
    try:
        with_link()
    except ArmError as error:
        assert str(error) == "no"
    assert left[0]() is None
