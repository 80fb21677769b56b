"""The servo: what it admits, what it refuses and why, and that nothing offered to it breaks a limit."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot.arm.kinematics import Kinematics, Pose
from robot.errors import ArmError, Refused
from robot.motion.servo import Servo, SetPoint
from robot.motion.tool_path import straight_waypoints
from robot.wire.messages import REASONS, Waypoint
from tests.robot.motion.stream import assert_within_limits
from tests.robot.panda import panda_spec

SPEC = panda_spec()
HOME = np.array(SPEC.home)
KINEMATICS = Kinematics(SPEC)
PERIOD_NS = 4_000_000
DOWN = np.diag([1.0, -1.0, -1.0])
MS = 1_000_000
BELOW_TABLE = tuple(KINEMATICS.inverse(Pose(np.array([0.5, 0.0, -0.02]), DOWN), HOME))


def engaged(joints: np.ndarray = HOME) -> Servo:
    servo = Servo(SPEC)
    servo.engage(joints, 0.04)
    return servo


def near(offset: float, time_ms: float, gripper: float = 0.04) -> Waypoint:
    return Waypoint(round(time_ms * MS), tuple(HOME + offset), gripper)


def run(servo: Servo, from_tick: int, ticks: int) -> list[SetPoint]:
    return [servo.tick((from_tick + tick) * PERIOD_NS) for tick in range(ticks)]


def test_engaged_it_rests_where_the_arm_was_measured() -> None:
    servo = engaged()
    assert servo.active_until_ns == 0
    for set_point in run(servo, 0, 10):
        np.testing.assert_array_equal(set_point.governed, HOME)
        assert set_point.at_rest and set_point.clamps == () and set_point.gripper_width == 0.04


def test_waypoints_are_reached_on_time() -> None:
    servo = engaged()
    assert servo.accept([near(0.1, 250), near(0.2, 500, gripper=0.06)], 0) == ()
    assert servo.active_until_ns == 500 * MS
    stream = run(servo, 0, 150)
    assert not stream[20].at_rest
    np.testing.assert_allclose(stream[62].governed, HOME + 0.1, atol=2e-3)
    np.testing.assert_allclose(stream[-1].governed, HOME + 0.2, atol=1e-9)
    assert stream[-1].at_rest and stream[-1].gripper_width == pytest.approx(0.06)
    assert all(set_point.clamps == () for set_point in stream)


def test_a_straight_line_of_the_tool_stays_straight() -> None:
    start = KINEMATICS.inverse(Pose(np.array([0.45, 0.0, 0.1]), DOWN), HOME)
    pose = KINEMATICS.forward(start)
    end = Pose(pose.position + [0.0, 0.2, 0.0], DOWN)
    servo = engaged(start)
    servo.accept(straight_waypoints(KINEMATICS, pose, end, start, 60 * MS, 1.0, 40, 0.04), 0)
    tool = np.array([KINEMATICS.position(set_point.governed) for set_point in run(servo, 0, 300)])
    assert np.abs(tool[:, [0, 2]] - pose.position[[0, 2]]).max() < 5e-4
    np.testing.assert_allclose(tool[-1], end.position, atol=1e-4)


@pytest.mark.parametrize(
    ("waypoints", "reason"),
    [
        ([], "bad-length"),
        ([Waypoint(100 * MS, SPEC.home[:6], 0.04)], "bad-length"),
        ([near(math.nan, 100)], "not-finite"),
        ([near(math.inf, 100)], "not-finite"),
        ([near(0.0, 100, gripper=math.nan)], "not-finite"),
        ([near(0.0, 100), near(0.0, 100)], "time-order"),
        ([near(0.0, 100), near(0.0, 50)], "time-order"),
        ([near(0.0, -30), near(0.0, 100)], "late"),
        ([near(0.0, 100, gripper=0.2)], "out-of-limits"),
        ([Waypoint(5000 * MS, (*SPEC.home[:6], 3.0), 0.04)], "out-of-limits"),
        ([Waypoint(5000 * MS, (1.5, *SPEC.home[1:]), 0.04)], "out-of-workspace"),
        ([Waypoint(5000 * MS, BELOW_TABLE, 0.04)], "out-of-workspace"),
        ([near(0.1, 30)], "too-fast"),
        ([near(0.1, 400), near(0.2, 420)], "too-fast"),
    ],
)
def test_what_is_wrong_is_refused_with_its_reason_and_changes_nothing(waypoints: list[Waypoint], reason: str) -> None:
    servo, twin = engaged(), engaged()
    for each in (servo, twin):
        each.accept([near(0.05, 200)], 0)
    with pytest.raises(Refused) as refused:
        servo.accept(waypoints, 0)
    assert refused.value.reason == reason and reason in REASONS
    assert servo.active_until_ns == twin.active_until_ns
    for ours, theirs in zip(run(servo, 0, 80), run(twin, 0, 80), strict=True):
        np.testing.assert_array_equal(ours.governed, theirs.governed)


def test_waypoints_barely_late_are_moved_ahead_and_said_to_be() -> None:
    servo = engaged()
    assert servo.accept([near(0.0, 98), near(0.001, 102), near(0.02, 200)], 100 * MS) == ("late",)
    assert servo.active_until_ns == 252 * MS
    stream = run(servo, 25, 60)
    np.testing.assert_allclose(stream[-1].governed, HOME + 0.02, atol=1e-9)


def steadily(speed: float, begin_ms: float, count: int = 60) -> list[Waypoint]:
    """A plan that moves the last joint at `speed` rad/s, with a waypoint each 50 ms."""
    step = np.eye(7)[6] * speed * 0.05
    return [
        Waypoint(round((begin_ms + 50 * number) * MS), tuple(HOME + number * step), 0.04) for number in range(count)
    ]


@given(late_ms=st.floats(0.0, 9.9), speed=st.floats(0.05, 0.6))
def test_a_late_start_is_no_reason_to_hurry(late_ms: float, speed: float) -> None:
    servo = engaged()
    run(servo, 0, 250)
    assert servo.accept(steadily(speed, 1000 - late_ms), 1000 * MS) == ("late",)
    stream = run(servo, 250, 900)
    assert max(abs(each.velocity[6]) for each in stream) <= 1.001 * speed
    np.testing.assert_allclose(stream[-1].governed[6], HOME[6] + 59 * 0.05 * speed, atol=1e-9)


@given(gaps_ms=st.lists(st.integers(1, 90), min_size=1, max_size=8), speed=st.floats(0.05, 0.6))
def test_ticks_that_come_late_are_no_reason_to_hurry(gaps_ms: list[int], speed: float) -> None:
    servo = engaged()
    run(servo, 0, 250)
    servo.accept(steadily(speed, 1100), 1000 * MS)
    stream, now_ns = [], 1000 * MS
    for gap_ms in (0, *gaps_ms):
        now_ns += gap_ms * MS
        for _ in range(20):
            stream.append(servo.tick(now_ns))
            now_ns += PERIOD_NS
        assert servo.behind_ns <= sum(gaps_ms) * MS
    behind_ns = servo.behind_ns
    for _ in range(2000):
        stream.append(servo.tick(now_ns))
        now_ns += PERIOD_NS
    assert servo.behind_ns < max(behind_ns, MS)
    assert max(abs(each.velocity[6]) for each in stream) <= 1.02 * speed
    np.testing.assert_allclose(stream[-1].governed[6], HOME[6] + 59 * 0.05 * speed, atol=1e-9)
    assert_within_limits(SPEC, KINEMATICS, HOME, np.array([each.governed for each in stream]))


def unevenly(random: np.random.Generator, begin_ns: int, start: np.ndarray, count: int) -> list[Waypoint]:
    """A plan that goes on from `start` about HOME, each 250 ms at a speed of its own."""
    offset, waypoints = start - HOME, []
    for number in range(count):
        target = random.uniform(-0.04, 0.04, 7) * random.choice([0.3, 1.0])
        offset = offset + np.clip(target - offset, -0.05, 0.05)
        waypoints.append(Waypoint(begin_ns + (number + 1) * 250 * MS, tuple(HOME + offset), 0.04))
    return waypoints


@pytest.mark.parametrize("lost", [0.01, 0.02, 0.04])
def test_ticks_that_are_lost_all_the_time_do_not_add_up(lost: float) -> None:
    random = np.random.default_rng(1)
    servo, now_ns, fastest, furthest = engaged(), 0, 0.0, 0
    plan = unevenly(random, 200 * MS, HOME, 16)
    servo.accept(plan, now_ns)
    stream = []
    while now_ns < 40_000 * MS:
        if plan[-1].time_ns - now_ns < 1000 * MS:
            more = unevenly(random, plan[-1].time_ns, np.array(plan[-1].positions), 8)
            servo.accept(more, now_ns)
            plan += more
        stream.append(servo.tick(now_ns))
        now_ns += PERIOD_NS * (2 if random.random() < lost else 1)
        furthest = max(furthest, servo.behind_ns)
        fastest = max(fastest, float((np.abs(stream[-1].velocity) / SPEC.velocity).max()))
    places = np.array([HOME, *(each.positions for each in plan)])
    assert furthest < 120 * MS
    assert fastest <= 1.02 * (np.abs(np.diff(places, axis=0)) / 0.25 / SPEC.velocity).max()
    assert_within_limits(SPEC, KINEMATICS, HOME, np.array([each.governed for each in stream]))


def test_what_was_late_is_over_once_the_plan_pauses() -> None:
    servo = engaged()
    pause = [near(0.0, 500), near(0.05, 1000), near(0.05, 2000), near(0.0, 2500)]
    servo.accept(pause, 0)
    run(servo, 0, 200)
    for tick in range(220, 240):
        servo.tick(tick * PERIOD_NS)
    assert servo.behind_ns > 70 * MS
    for tick in range(240, 450):
        servo.tick(tick * PERIOD_NS)
    assert servo.behind_ns == 0


def test_at_rest_the_clock_may_jump() -> None:
    servo = engaged()
    run(servo, 0, 10)
    servo.tick(10_000 * MS)
    assert servo.behind_ns == 0
    servo.accept([near(0.1, 10_500)], 10_004 * MS)
    np.testing.assert_allclose(run(servo, 2501, 200)[-1].governed, HOME + 0.1, atol=1e-9)


def test_hold_comes_to_rest_soon_and_new_waypoints_go_on_from_there() -> None:
    servo = engaged()
    servo.accept([near(0.25, 500)], 0)
    stream = run(servo, 0, 120)
    servo.hold()
    assert servo.active_until_ns == 0
    stream += run(servo, 120, 25)
    assert stream[-1].at_rest and not stream[-1].velocity.any()
    resting = stream[-1].governed
    servo.accept([Waypoint(900 * MS, tuple(resting + 0.02), 0.04)], 145 * PERIOD_NS)
    stream += run(servo, 145, 120)
    np.testing.assert_allclose(stream[-1].governed, resting + 0.02, atol=1e-9)
    assert_within_limits(SPEC, KINEMATICS, HOME, np.array([set_point.governed for set_point in stream]))


def test_waypoints_sent_while_it_still_brakes_are_taken_smoothly() -> None:
    servo = engaged()
    servo.accept([near(0.25, 500)], 0)
    stream = run(servo, 0, 120)
    servo.hold()
    stream += run(servo, 120, 3)
    assert not stream[-1].at_rest
    servo.accept([near(0.2, 1200)], 123 * PERIOD_NS)
    stream += run(servo, 123, 250)
    np.testing.assert_allclose(stream[-1].governed, HOME + 0.2, atol=1e-9)
    assert_within_limits(SPEC, KINEMATICS, HOME, np.array([set_point.governed for set_point in stream]))


def test_between_sound_waypoints_the_tool_still_keeps_above_the_table() -> None:
    """Two points just above the table, joined straight in the joints, would dip below it on the way."""
    start = KINEMATICS.inverse(Pose(np.array([0.4, -0.35, 0.002]), DOWN), HOME)
    end = KINEMATICS.inverse(Pose(np.array([0.4, 0.35, 0.002]), DOWN), start)
    middle = KINEMATICS.position((start + end) / 2)
    servo = engaged(start)
    servo.accept([Waypoint(2000 * MS, tuple(end), 0.04)], 0)
    stream = run(servo, 0, 600)
    clamps = {reason for set_point in stream for reason in set_point.clamps}
    assert clamps <= {"table", "workspace"}
    assert bool(clamps) == bool(middle[2] < 0.0 or middle[0] > SPEC.workspace.upper[0])
    assert_within_limits(SPEC, KINEMATICS, start, np.array([set_point.governed for set_point in stream]))


def test_before_it_is_engaged_it_says_so_and_hold_is_harmless() -> None:
    servo = Servo(SPEC)
    servo.hold()
    assert servo.active_until_ns == 0
    with pytest.raises(ArmError, match="engage"):
        servo.tick(0)
    with pytest.raises(ArmError, match="engage"):
        servo.accept([near(0.0, 100)], 0)
    with pytest.raises(ArmError, match="gripper"):
        servo.engage(HOME, math.nan)


numbers = st.one_of(st.floats(-0.2, 0.2), st.floats(-5.0, 5.0), st.sampled_from([math.nan, math.inf, 0.0, 1e300]))


@st.composite
def offers(draw: st.DrawFn) -> tuple[str, int, float, int, tuple[float, ...]]:
    """One thing done to the servo: what, after how many ticks, on what scale, at which spacing, with what twist."""
    return (
        draw(st.sampled_from(["walk", "walk", "walk", "walk", "nonsense", "hold", "engage"])),
        draw(st.integers(0, 60)),
        draw(st.sampled_from([0.001, 0.01, 0.03, 0.1, 0.5])),
        draw(st.integers(-5, 200)),
        tuple(draw(st.lists(numbers, min_size=7, max_size=7))),
    )


@given(st.lists(offers(), min_size=1, max_size=6), st.integers(0, 2**32 - 1))
def test_whatever_is_offered_the_stream_stays_within_every_limit(offered: list, seed: int) -> None:
    generator = np.random.default_rng(seed)
    servo, tick = engaged(), 0
    begun, governed, resting = HOME, [], True
    for what, ticks, scale, spacing_ms, twist in offered:
        now_ns = tick * PERIOD_NS
        here = governed[-1] if governed else begun
        try:
            if what == "walk":
                walk = here + np.cumsum(generator.normal(0.0, scale, (5, SPEC.dof)), axis=0)
                servo.accept(
                    [Waypoint(now_ns + k * spacing_ms * MS, tuple(p), 0.04) for k, p in enumerate(walk, 1)], now_ns
                )
            elif what == "nonsense":
                servo.accept([Waypoint(now_ns + spacing_ms * MS, tuple(here + twist), twist[0])], now_ns)
            elif what == "hold":
                servo.hold()
            elif resting:
                servo.engage(here, 0.04)
        except Refused as refused:
            assert refused.reason in REASONS
        for set_point in run(servo, tick, ticks):
            assert (set_point.clamps == ()) == bool((set_point.requested == set_point.governed).all())
            governed.append(set_point.governed)
            resting = set_point.at_rest
        tick += ticks
    if governed:
        assert_within_limits(SPEC, KINEMATICS, begun, np.array(governed))


def test_an_arm_that_was_just_enabled_is_slow_at_first_and_gets_there_all_the_same() -> None:
    goal = tuple(HOME + np.array([0.4, 0.0, 0.0, 0.0, 0.0, 0.0, 1.2]))
    speeds = {}
    for ramp_s in (0.0, 2.0):
        servo = Servo(SPEC)
        servo.engage(HOME, 0.04, ramp_s)
        servo.accept([Waypoint(600 * MS, goal, 0.04)], 0)
        points = run(servo, 0, 900)
        positions = np.array([point.governed for point in points])
        assert_within_limits(SPEC, KINEMATICS, HOME, positions)
        assert np.abs(positions[-1] - goal).max() < 1e-6
        speeds[ramp_s] = np.abs([point.velocity for point in points]).max(axis=1) / np.array(SPEC.velocity).min()
    share = 0.1 + 0.9 * np.minimum(1.0, np.arange(1, 901) * PERIOD_NS * 1e-9 / 2.0)
    assert (speeds[2.0] <= share * np.array(SPEC.velocity).max() / np.array(SPEC.velocity).min() + 1e-3).all()
    assert speeds[0.0][:150].max() > 2.0 * speeds[2.0][:150].max()
