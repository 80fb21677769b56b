"""Which pictures a take pairs with which states, whatever is lost, late or restarted."""

from __future__ import annotations

from collections import deque

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perception.recording.episode_rows import ACTION, CLAMP_NAMES, STATE, EpisodeRows
from robot.arm.kinematics import Kinematics
from robot.dataset.format.columns import (
    CLAMPS,
    EFFORT,
    GOVERNED,
    REQUESTED,
    STATE_NS,
    TOOL_GOVERNED,
    age_column,
    capture_column,
)
from robot.dataset.format.recorder_columns import (
    ARM_FAULT,
    CAMERA_CHANGED,
    CAMERA_SILENT,
    FRAME_LATE,
    FRAME_MISSING,
    STATE_LATE,
    STATE_SILENT,
    TOO_LONG,
)
from robot.wire.camera_spec import CameraSpec
from robot.wire.messages import Frame, JointState
from tests.robot.panda import panda_spec

FPS = 30
PERIOD = round(1e9 / FPS)
BEGIN = 10**12
SPEC = panda_spec()
KINEMATICS = Kinematics(SPEC)
FRONT, SIDE = (CameraSpec(name, 4, 2, (3.0, 3.0), (2.0, 1.0)) for name in ("front", "side"))


def state(time_ns: int, tick: int = 0, clamps: tuple[str, ...] = ()) -> JointState:
    """A state whose first joint tells when it was measured, in s since the beginning."""
    seconds = (time_ns - BEGIN) * 1e-9
    joints = (0.001 * seconds, *SPEC.home[1:])
    still = (0.0,) * SPEC.dof
    return JointState(
        time_ns, tick, "active", (0.5, *SPEC.home[1:]), joints, joints, still, still, (), 0.04, 0.03, clamps, "me", 0,
        time_ns, "",
    )  # fmt: skip


def frame(camera: CameraSpec, time_ns: int, index: int = 0) -> Frame:
    return Frame(time_ns, index, camera, "rgb8", bytes(24))


def take(rows: int = 1000, planned: bool = False, cameras: tuple[CameraSpec, ...] = (FRONT,)) -> EpisodeRows:
    return EpisodeRows(BEGIN, FPS, cameras, KINEMATICS, rows, planned)


def states(until_s: float = 1.0, hz: float = 250.0) -> list[JointState]:
    return [state(BEGIN + round(number * 1e9 / hz), number) for number in range(-25, round(until_s * hz))]


def pictures(camera: CameraSpec, count: int = 30, phase: float = -0.5) -> list[Frame]:
    return [frame(camera, BEGIN + round((number + phase) * PERIOD), number) for number in range(count)]


def test_each_row_is_the_newest_of_everything_at_its_moment() -> None:
    recorded = take(cameras=(FRONT, SIDE))
    cameras = [pictures(FRONT), pictures(SIDE, phase=-0.2)]
    for _ in range(20):
        assert recorded.next_row(states(), cameras) is not None
    columns = recorded.columns()
    moments = BEGIN + np.round(np.arange(20) * 1e9 / FPS).astype(np.int64)
    assert recorded.marks == {} and recorded.rows == 20
    assert ((moments - columns[STATE_NS] >= 0) & (moments - columns[STATE_NS] < 4_000_001)).all()
    for camera, phase in ((FRONT, 0.5), (SIDE, 0.2)):
        np.testing.assert_allclose(columns[age_column(camera.name)], phase * PERIOD, atol=20)
        assert (np.diff(columns[capture_column(camera.name)]) > 0).all()
    assert columns[STATE].shape == columns[ACTION].shape == (20, SPEC.dof + 1)
    np.testing.assert_allclose(columns[STATE][:, -1], 0.03)
    np.testing.assert_allclose(columns[ACTION][:, -1], 0.04)
    np.testing.assert_allclose(columns[GOVERNED][:, 0], (columns[STATE_NS] - BEGIN) * 1e-12, atol=1e-9)
    assert (columns[REQUESTED][:, 0] == 0.5).all()
    home = KINEMATICS.forward(np.array(SPEC.home)).position
    np.testing.assert_allclose(columns[TOOL_GOVERNED][0, :3], home, atol=1e-4)


@given(
    lost=st.sets(st.integers(1, 25), max_size=8),
    delays=st.lists(st.integers(0, 3), min_size=30, max_size=30),
)
def test_what_is_lost_or_late_is_marked_and_shifts_nothing(lost: set[int], delays: list[int]) -> None:
    """A picture that takes `delays` rows longer than it may comes when later rows are put together."""
    recorded = take()
    sent = [(picture, number + delays[number]) for number, picture in enumerate(pictures(FRONT)) if number not in lost]
    sent[0] = (sent[0][0], 0)
    come: deque[Frame] = deque(maxlen=48)
    late = missing = False
    before = None
    for row in range(26):
        for picture, when in sent:
            if when == row:
                come.append(picture)
        moment = recorded.next_ns
        usable = [each for each in come if each.time_ns <= moment]
        if not usable:
            return
        made = recorded.next_row(states(), [come])
        assert made is not None
        # The order of arrival decides among those that were true: nothing older than the last to come.
        assert made.frames[0] is usable[-1]
        assert made.frames[0].time_ns <= moment
        if before is not None:
            missing |= made.frames[0].time_ns == before.time_ns
            late |= any(before.time_ns < each.time_ns <= moment - PERIOD + 1 for each in come)
        before = made.frames[0]
    assert (FRAME_MISSING in recorded.marks) == missing
    assert (FRAME_LATE in recorded.marks) == late
    ages = recorded.columns()[age_column("front")]
    assert (ages >= 0).all()


def test_clamps_between_rows_count_for_the_row_after_them() -> None:
    recorded = take()
    clamped = [
        state(each.time_ns, each.tick, ("workspace",) if each.tick == 12 else ("strange",) if each.tick == 20 else ())
        for each in states()
    ]
    for _ in range(5):
        recorded.next_row(clamped, [pictures(FRONT)])
    clamps = recorded.columns()[CLAMPS]
    assert clamps.dtype == bool and clamps.shape == (5, len(CLAMP_NAMES))
    assert np.argwhere(clamps).tolist() == [[2, CLAMP_NAMES.index("workspace")], [3, CLAMP_NAMES.index("other")]]


def test_what_ends_an_episode_by_itself_is_its_mark() -> None:
    silent = take()
    quiet = [each for each in states() if each.time_ns < BEGIN + 2e8]
    while silent.next_row(quiet, [pictures(FRONT)]) is not None:
        assert silent.rows < 100
    assert silent.ended and set(silent.marks) == {STATE_SILENT, STATE_LATE} and 19 <= silent.rows <= 22

    broken = take()
    fault = [
        msgspec.structs.replace(each, mode="fault", reason="a joint is too hot") if each.time_ns > BEGIN + 2e8 else each
        for each in states()
    ]
    while broken.next_row(fault, [pictures(FRONT)]) is not None:
        assert broken.rows < 100
    assert (broken.over, tuple(broken.marks), broken.rows) == (f"{ARM_FAULT}: a joint is too hot", (ARM_FAULT,), 7)

    blind = take()
    while blind.next_row(states(3.0), [pictures(FRONT, 10)]) is not None:
        assert blind.rows < 100
    assert blind.over == CAMERA_SILENT and FRAME_MISSING in blind.marks and 37 <= blind.rows <= 41

    changed = take()
    other = [*pictures(FRONT, 5), *pictures(SIDE, 10)[5:]]
    while changed.next_row(states(), [other]) is not None:
        assert changed.rows < 100
    assert changed.over == CAMERA_CHANGED and changed.rows == 5


@pytest.mark.parametrize(("planned", "marks"), [(True, []), (False, [TOO_LONG])])
def test_only_an_end_that_was_not_planned_is_a_mark(planned: bool, marks: list[str]) -> None:
    recorded = take(rows=7, planned=planned)
    while not recorded.ended:
        recorded.next_row(states(), [pictures(FRONT)])
    assert recorded.rows == 7 and list(recorded.marks) == marks and recorded.over


def test_efforts_are_in_the_rows_where_they_are_asked_for() -> None:
    sensed = [msgspec.structs.replace(each, measured_effort=tuple(range(SPEC.dof))) for each in states()]
    for effort in (True, False):
        recorded = EpisodeRows(BEGIN, FPS, (FRONT,), KINEMATICS, 5, effort=effort)
        assert recorded.next_row(sensed, [pictures(FRONT)]) is not None
        assert (EFFORT in recorded.columns()) == effort
        if effort:
            np.testing.assert_array_equal(recorded.columns()[EFFORT], [range(SPEC.dof)])
