"""Whatever pages do, in whatever order: one drives at most, and only what it holds now counts."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot.errors import ConfigurationError
from robot.teleop.input import STILL, Press, Velocity
from robot.teleop.page.device import Web
from robot.teleop.page.open_pages import HELD_NS, Pages
from robot.teleop.speed_limits import Dial, Limits
from robot.wire.messages import JointState
from tests.robot.panda import panda_spec

MS = 1_000_000
SPEC = panda_spec()
PLACE = ((0.4, 0.0, 0.3), (0.0, 0.0, 0.0, 1.0))

page_numbers = st.integers(0, 3)
deeds = st.lists(
    st.tuples(
        st.sampled_from(
            ["opened", "closed", "heard", "drive", "leave", "grab", "drag", "drop", "hold", "stop", "home"]
        ),
        page_numbers,
        st.integers(0, 400),
    ),
    max_size=60,
)


def do(pages: Pages, deed: str, page: int, now_ns: int) -> None:
    if deed in ("opened", "heard", "drive"):
        getattr(pages, deed)(page, now_ns)
    elif deed in ("grab", "drag"):
        getattr(pages, deed)(page, PLACE)
    elif deed == "hold":
        pages.hold(page, 2, 1, now_ns)
    elif deed in ("stop", "home"):
        pages.press(page, Press(deed))
    else:
        getattr(pages, deed)(page)


@given(deeds)
def test_only_a_page_that_is_there_drives_and_nobody_else_moves_anything(done: list[tuple[str, int, int]]) -> None:
    pages, there, now_ns = Pages(), {}, 0
    for deed, page, after_ms in done:
        now_ns += after_ms * MS
        before = pages.driver
        if deed == "opened":
            there[page] = now_ns
        elif deed == "closed":
            there.pop(page, None)
        elif deed == "heard" and page in there:
            there[page] = now_ns
        do(pages, deed, page, now_ns)
        held = pages.held(now_ns)
        assert pages.driver is None or pages.driver in there
        if pages.driver != before and before is not None and deed == "drive":
            assert now_ns - there[before] > pages.silent_s * 1e9
        if held.away:
            assert held.is_nothing
        if pages.driver is not None and now_ns - there[pages.driver] > pages.silent_s * 1e9:
            assert held.away
        if deed in ("hold", "grab") and page != pages.driver:
            assert held.handle is None or deed == "hold"
        if deed == "stop":
            assert Press.STOP in held.presses
        if deed == "home" and page != pages.driver:
            assert Press.HOME not in held.presses


def test_what_is_held_counts_for_a_short_time_and_a_handle_until_it_is_dropped() -> None:
    pages = Pages()
    assert pages.held(0).away == "no page is open"
    assert pages.opened(7, 0) and not pages.opened(8, 0)
    pages.hold(7, 0, -1, 0)
    pages.hold(8, 1, 1, 0)
    assert pages.held(HELD_NS - 1).ways == (-1, 0, 0, 0, 0)
    assert pages.held(HELD_NS).ways == (0, 0, 0, 0, 0)
    pages.drag(7, PLACE)
    assert pages.held(0).handle is None, "nobody has grabbed it"
    pages.grab(7, PLACE)
    first = pages.held(0)
    assert first.handle == PLACE and not first.is_nothing
    pages.drop(7)
    pages.grab(7, PLACE)
    assert pages.held(0).grab == first.grab + 1
    pages.leave(7)
    assert pages.held(0).away.startswith("nobody drives")
    assert not pages.dragged(7)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 1e6])
def test_a_place_that_cannot_be_is_not_taken(bad: float) -> None:
    pages = Pages()
    pages.opened(0, 0)
    pages.grab(0, PLACE)
    pages.drag(0, ((bad, 0.0, 0.3), (0.0, 0.0, 0.0, 1.0)))
    pages.drag(0, ((0.4, 0.0, 0.3), (0.0, 0.0, 0.0, 0.0)))
    assert pages.held(0).handle == PLACE


@pytest.mark.parametrize("silent_s", [0.0, float(np.nan), 60.0])
def test_a_silence_that_is_none_is_refused(silent_s: float) -> None:
    with pytest.raises(ConfigurationError, match="--silent-s"):
        Pages(silent_s)


def test_while_it_rests_nobody_is_there_and_afterwards_the_same_page_drives() -> None:
    pages = Pages()
    pages.opened(1, 0)
    pages.opened(2, 0)
    pages.grab(1, PLACE)
    with pytest.raises(ConfigurationError, match="page 1 drives"), pages.rest(2, "busy"):
        pass
    with pages.rest(1, "the scene is being reset"):
        pages.grab(1, PLACE)
        pages.hold(1, 2, 1, 0)
        pages.press(1, Press.HOME)
        pages.press(2, Press.STOP)
        held = pages.held(0)
        assert held.away == "the scene is being reset" and held.is_nothing and held.presses == (Press.STOP,)
        assert pages.driver == 1 and pages.drive(2, 0)
        with pytest.raises(ConfigurationError, match="wait a moment"), pages.rest(1, "busy"):
            pass
        pages.drag(1, PLACE)
    held = pages.held(0)
    assert not held.away and held.is_nothing, "what was held before counts no more"
    pages.grab(1, PLACE)
    assert pages.held(0).handle == PLACE


def follower() -> JointState:
    still = (0.0,) * SPEC.dof
    return JointState(
        time_ns=0,
        tick=0,
        mode="active",
        requested=SPEC.home,
        governed=SPEC.home,
        measured=SPEC.home,
        governed_velocity=still,
        measured_velocity=still,
        measured_effort=(),
        gripper_command=0.08,
        gripper_width=0.08,
        clamps=(),
        holder="teleop web",
        active_until_ns=0,
        set_point_ns=0,
        reason="",
    )


def test_what_is_held_right_after_an_interruption_moves_the_arm_and_what_was_held_does_not() -> None:
    pages = Pages()
    device, now_ns = Web(pages, SPEC, Dial(Limits(), 1.0)), time.monotonic_ns()
    pages.opened(1, now_ns)
    device.let_go()
    pages.hold(1, 2, 1, now_ns)
    moved = device.poll(now_ns, follower())
    assert isinstance(moved.input_, Velocity) and moved.input_.linear[2] > 0 and not moved.note
    device.let_go()
    pages.hold(1, 2, 1, now_ns + HELD_NS // 2)
    stays = device.poll(now_ns + HELD_NS // 2, follower())
    assert stays.input_ == STILL and stays.note == "let go, then continue"
    assert not device.poll(now_ns + 2 * HELD_NS, follower()).note
    pages.hold(1, 2, 1, now_ns + 2 * HELD_NS)
    assert device.poll(now_ns + 2 * HELD_NS, follower()).input_ != STILL


def test_a_page_from_which_nothing_came_for_a_while_may_still_hold_something() -> None:
    pages = Pages()
    assert pages.is_idle(0)
    pages.opened(1, 0)
    assert pages.is_idle(0) and not pages.is_idle(HELD_NS)
    pages.heard(1, HELD_NS)
    assert pages.is_idle(HELD_NS)
    pages.grab(1, PLACE)
    assert not pages.is_idle(HELD_NS)
    pages.drop(1)
    assert pages.is_idle(HELD_NS)
