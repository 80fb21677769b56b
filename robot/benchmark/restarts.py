"""Restarts: the driver is killed in mid-motion and started again; where it continues, and what its flight log holds."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
from tqdm import tqdm

from robot.benchmark.processes import RunningDriver, running_driver
from robot.flight_log.records import Ticked, read_flight_log
from robot.wire.messages import Waypoint

READABLE_S = 0.05
LIFE_S = 0.3


class Restarts(msgspec.Struct, frozen=True):
    """Results of `times` restarts: how often the first set-point was the measured position, how often the flight log
    was readable to within `READABLE_S` of the end, and the longest missing part (s)."""

    times: int
    where_measured: int
    readable: int
    longest_missing_s: float


def measure_restarts(words: Sequence[str], times: int, folder: Path) -> Restarts:
    """Kill the driver that `worldarm driver WORDS` starts in mid-motion and start it again, `times` times.

    Raises `ArmError` when it does not start, `ConnectionLost` when it no longer answers.
    """
    where_measured = readable = 0
    longest_s = 0.0
    for _ in tqdm(range(times), desc="restarts", unit="restart", mininterval=0.5):
        with running_driver(words, folder) as driver:
            where_measured += _begins_where_measured(driver)
            killed_ns = _kill_in_motion(driver)
        last_ns = max(record.time_ns for record in read_flight_log(folder, last=1) if isinstance(record, Ticked))
        missing_s = max(0.0, (killed_ns - last_ns) * 1e-9)
        readable += missing_s <= READABLE_S
        longest_s = max(longest_s, missing_s)
    return Restarts(times, where_measured, readable, longest_s)


def _begins_where_measured(driver: RunningDriver) -> bool:
    with driver.client() as client:
        state = client.state(5.0)
        return bool(np.abs(np.subtract(state.governed, state.measured)).max() < 0.01) and not any(
            state.governed_velocity
        )


def _kill_in_motion(driver: RunningDriver) -> int:
    """Move the last joint, kill the driver in mid-motion, and return when that was (monotonic ns)."""
    with driver.client() as client:
        client.acquire("restarts", 5.0)
        state = client.state(5.0)
        place = list(state.governed)
        middle = 0.5 * (client.arm.lower[-1] + client.arm.upper[-1])
        place[-1] += 0.5 if place[-1] < middle else -0.5
        until_ns = time.monotonic_ns() + 1_000_000_000
        client.send_waypoints([Waypoint(until_ns, tuple(place), state.gripper_command)], until_ns)
        time.sleep(LIFE_S)
        killed_ns = time.monotonic_ns()
        driver.process.kill()
        driver.process.wait(5.0)
        return killed_ns
