"""A servo's state is all of it, and a flight log replays to the last bit."""

import dataclasses
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import robot.flight_log.records
from robot.arm.installation import slowed
from robot.errors import Refused
from robot.flight_log.logged_servo import LoggedServo
from robot.flight_log.records import Opened, Record, Ticked, WaypointsReceived, read_flight_log
from robot.flight_log.replay import replay
from robot.motion.servo import Servo, ServoState, SetPoint
from robot.wire.messages import Waypoint
from tests.robot.panda import panda_spec
from tests.soak import often

SPEC = panda_spec()
HOME = np.array(SPEC.home)
PERIOD_NS = 4_000_000


@dataclasses.dataclass
class Life:
    """What befalls a servo, drawn from a seed: commands good and bad, holds, new engagements, late ticks."""

    seed: int

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        self.now_ns = 1_000_000_000

    def step(self, *servos: Servo | LoggedServo) -> list[SetPoint]:
        """Do the same to each servo, and return their set-points."""
        rng = self.rng
        self.now_ns += PERIOD_NS + int(rng.integers(0, 900_000)) + (30_000_000 if rng.random() < 0.01 else 0)
        draw = rng.random()
        if draw < 0.06:
            count = int(rng.integers(1, 5))
            times = self.now_ns + np.cumsum(rng.integers(5_000_000, 400_000_000, count))
            places = HOME + rng.normal(0, 0.25, (count, 7))
            waypoints = [
                Waypoint(int(time), tuple(place.tolist()), float(rng.uniform(0, 0.08)))
                for time, place in zip(times, places, strict=True)
            ]
            for servo in servos:
                try:
                    servo.accept(waypoints, self.now_ns)
                except Refused:
                    continue
        elif draw < 0.07:
            for servo in servos:
                servo.hold()
        return [servo.tick(self.now_ns) for servo in servos]


@given(seed=st.integers(0, 2**32 - 1), before=st.integers(0, 400))
@settings(max_examples=often(12, 500))
def test_a_servo_restored_from_what_was_written_down_goes_on_to_the_last_bit(seed: int, before: int) -> None:
    servo, life = Servo(SPEC), Life(seed)
    servo.engage(HOME, 0.04, 1.5 * (seed % 2))
    for _ in range(before):
        life.step(servo)
    written = msgspec.msgpack.encode(servo.state())
    other = Servo(SPEC)
    other.restore(msgspec.msgpack.decode(written, type=ServoState))
    assert other.state() == servo.state()
    for _ in range(200):
        one, same = life.step(servo, other)
        assert np.array_equal(one.governed, same.governed)
        assert np.array_equal(one.velocity, same.velocity)
        assert (one.clamps, one.gripper_width, one.at_rest) == (same.clamps, same.gripper_width, same.at_rest)
        assert servo.active_until_ns == other.active_until_ns


def recorded(folder: Path, seed: int, ticks: int) -> list[Record]:
    servo, life = LoggedServo(SPEC, folder), Life(seed)
    servo.engage(HOME, 0.04, 1.0)
    for _ in range(ticks):
        life.step(servo)
    servo.close()
    return list(read_flight_log(folder))


def test_a_recording_replays_the_same_from_wherever_the_ring_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(robot.flight_log.records, "SIZE_MIB", 1)
    recorded(tmp_path, 5, 8000)
    records = recorded(tmp_path, 6, 500)
    found = replay(records)
    assert found.difference is None
    assert found.ticks == sum(isinstance(record, Ticked) for record in records)
    assert 500 < found.ticks < 8500  # so the beginning was overwritten, and the replay began in mid-motion
    assert found.commands == sum(isinstance(record, WaypointsReceived) for record in records) > 50
    assert len({record.run for record in records if isinstance(record, Opened)}) == 2


def test_a_slowed_arm_has_a_slow_gripper_and_its_recording_replays_the_same(tmp_path: Path) -> None:
    servo = LoggedServo(slowed(SPEC, 0.2), tmp_path)
    servo.engage(HOME, 0.08)
    servo.accept([Waypoint(1_000_000_000, SPEC.home, 0.0)], 0)
    for tick in range(600):
        servo.tick(tick * PERIOD_NS)
    servo.close()
    records = list(read_flight_log(tmp_path))
    widths = np.array([record.gripper_width for record in records if isinstance(record, Ticked)])
    fastest = 0.2 * SPEC.gripper_speed * PERIOD_NS * 1e-9
    assert -np.diff(widths).min() == pytest.approx(fastest) and np.abs(np.diff(widths)).max() <= fastest + 1e-12
    assert widths[250] > 0.03 and widths[-1] == pytest.approx(0.0)
    found = replay(records)
    assert (found.difference, found.ticks, found.commands) == (None, 600, 1)


def test_what_the_governor_would_do_otherwise_is_found(tmp_path: Path) -> None:
    records = recorded(tmp_path, 7, 600)
    at = next(i for i, record in enumerate(records) if isinstance(record, Ticked) and any(record.velocity))
    changed = records[at]
    assert isinstance(changed, Ticked)
    first, *rest = changed.governed
    records[at] = msgspec.structs.replace(changed, governed=(np.nextafter(first, 9.0), *rest))
    found = replay(records)
    assert found.difference is not None
    assert found.difference.time_ns == changed.time_ns
    told = next(i for i, record in enumerate(records) if isinstance(record, WaypointsReceived))
    records[told] = msgspec.structs.replace(records[told], refused="late" if not records[told].refused else "")
    found = replay(records)
    assert found.difference is not None
    assert {"took waypoints", "refused waypoints"} >= {found.difference.recorded.partition(" (")[0]}
