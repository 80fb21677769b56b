"""Lease lapses: a client is killed or stopped in mid-motion; how soon and how smoothly the arm comes to rest."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
from tqdm import tqdm

from robot.arm.interface import ArmSpec
from robot.benchmark.processes import PATIENCE_S, RunningDriver, patiently, running_driver
from robot.errors import ConnectionLost
from robot.wire import topics
from robot.wire.messages import JointState, Waypoint
from robot.wire.subscription import Subscription

TTL_S = 0.2
PROMISED_S = 0.1
MOVING = 0.2
"""Share of the velocity limit above which the last joint counts as in mid-motion."""
_SLACK = 1.01


class Lapses(msgspec.Struct, frozen=True):
    """Results of `times` lapses: how many ramped within `PROMISED_S` of the lapse; the longest delay (s); how many kept
    all limits until rest; of the `stopped` clients, how many commands were refused after they continued; and for how
    many the next client took over without a jump."""

    times: int
    in_time: int
    longest_s: float
    within_limits: int
    stopped: int
    refused_after: int
    without_jump: int


def measure_lapses(words: Sequence[str], times: int, folder: Path) -> Lapses:
    """Let a client move the arm that `worldarm driver WORDS` runs, and kill or stop it in mid-motion, `times` times.

    Raises `ArmError` when the driver does not start, and `ConnectionLost` when it or the client no longer answers.
    """
    in_time = within = refused = without_jump = 0
    longest_s = 0.0
    with (
        running_driver(words, folder) as driver,
        driver.client() as client,
        Subscription(driver.state, topics.STATE, JointState, 8192) as states,
    ):
        for turn in tqdm(range(times), desc="lapses", unit="lapse", mininterval=0.5):
            states.drain()
            states.history.clear()
            how = signal.SIGKILL if turn % 2 == 0 else signal.SIGSTOP
            answered_ns, mover = _interrupted(driver, client.arm, states, how)
            try:
                patiently(client)
                refused += how == signal.SIGSTOP and _refused(mover)
            finally:
                mover.kill()
                mover.communicate(timeout=PATIENCE_S)
            states.wait_for(lambda: _at_rest(states), PATIENCE_S, "state of an arm at rest")
            took_s, kept = _judge(client.arm, list(states.history), answered_ns + round(TTL_S * 1e9))
            in_time += took_s <= PROMISED_S
            longest_s = max(longest_s, took_s)
            within += kept
            without_jump += _hands_over(driver, states)
    return Lapses(times, in_time, longest_s, within, times // 2, refused, without_jump)


def _interrupted(
    driver: RunningDriver, spec: ArmSpec, states: Subscription[JointState], how: signal.Signals
) -> tuple[int, subprocess.Popen[str]]:
    """Start a mover, send it the signal `how` in mid-motion; return when its last command was answered, and the
    process."""
    mover = subprocess.Popen(
        [sys.executable, "-m", "robot.benchmark.mover", driver.command, str(TTL_S)], stdout=subprocess.PIPE, text=True
    )
    assert mover.stdout is not None
    try:
        states.wait_for(
            lambda: mover.poll() is not None or (bool(states.history) and _in_motion(spec, states.history[-1])),
            PATIENCE_S,
            "state of an arm in motion",
        )
        if mover.poll() is not None:
            raise ConnectionLost(
                f"the client that was to be interrupted ended by itself: {mover.stdout.read().strip()}"
            )
        mover.send_signal(how)
        if how == signal.SIGKILL:
            said = mover.stdout.read()
        else:
            os.set_blocking(mover.stdout.fileno(), False)
            said = mover.stdout.read() or ""
        sent = [line.split() for line in said.splitlines() if line.startswith("sent ") and len(line.split()) == 3]
        if not sent:
            raise ConnectionLost("the client that was to be interrupted had sent nothing yet")
        return int(sent[-1][2]), mover
    except BaseException:
        mover.kill()
        mover.communicate(timeout=PATIENCE_S)
        raise


def _in_motion(spec: ArmSpec, state: JointState) -> bool:
    return abs(state.governed_velocity[-1]) > MOVING * spec.velocity[-1]


def _at_rest(states: Subscription[JointState]) -> bool:
    # Waited for here too: this subscription may get the last state of the ramp later than another one.
    return bool(states.history) and not states.history[-1].holder and not any(states.history[-1].governed_velocity)


def _refused(mover: subprocess.Popen[str]) -> bool:
    """Let a stopped mover continue, and return whether its next command is refused."""
    assert mover.stdout is not None
    mover.send_signal(signal.SIGCONT)
    os.set_blocking(mover.stdout.fileno(), True)
    out, _ = mover.communicate(timeout=PATIENCE_S)
    return "refused not-holder" in out


def _judge(spec: ArmSpec, states: list[JointState], lapse_ns: int) -> tuple[float, bool]:
    """Return how long after the lapse the set-point began to ramp (s), and whether all limits were kept until rest."""
    holding = next(
        (state for state in states if state.mode == "holding" and state.time_ns > lapse_ns - 50_000_000), None
    )
    if holding is None:
        return float("inf"), False
    after = [state for state in states if state.tick >= holding.tick - 1]
    kept = True
    for before, now in pairwise(after):
        if now.tick - before.tick != 1:
            continue
        speed = np.abs(now.governed_velocity)
        gain = np.abs(np.subtract(now.governed_velocity, before.governed_velocity)) * spec.rate_hz
        kept = kept and bool((speed <= np.array(spec.velocity) * _SLACK).all())
        kept = kept and bool((gain <= np.array(spec.acceleration) * _SLACK).all())
    kept = kept and _jerk_kept(spec, after) and not any(after[-1].governed_velocity)
    return max(0.0, (holding.time_ns - lapse_ns) * 1e-9), kept


def _jerk_kept(spec: ArmSpec, states: list[JointState]) -> bool:
    """Return whether third differences of the set-points of four consecutive ticks stay within the jerk limits."""
    for first in range(len(states) - 3):
        four = states[first : first + 4]
        if four[3].tick - four[0].tick == 3:
            jerk = np.abs(np.diff([state.governed for state in four], n=3, axis=0)) * spec.rate_hz**3
            if (jerk > np.array(spec.jerk) * _SLACK + 1e-3).any():
                return False
    return True


def _hands_over(driver: RunningDriver, states: Subscription[JointState]) -> bool:
    """Return whether the next client's first set-points begin where the arm is."""
    with driver.client() as client:
        before = client.state(5.0)
        client.acquire("next", 1.0)
        ahead = client.state(5.0).time_ns + 300_000_000
        client.send_waypoints([Waypoint(ahead, before.governed, before.gripper_command)], ahead)
        states.drain()
        states.history.clear()
        states.wait_for(lambda: len(states.history) > 5, PATIENCE_S, "states after a hand-over")
        moved = max(float(np.abs(np.subtract(state.governed, before.measured)).max()) for state in list(states.history))
        lag = float(np.abs(np.subtract(before.governed, before.measured)).max())
        client.release()
        patiently(client)
    return moved <= lag + 1e-3
