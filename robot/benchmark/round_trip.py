"""The time until a command is answered and until a published state shows it, compared in the same run with a common
baseline: a REQ/REP socket with pickle, and a message of the same size."""

from __future__ import annotations

import pickle
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import zmq
from tqdm import tqdm

from robot.benchmark.key_holders import person, user
from robot.benchmark.processes import PATIENCE_S, running_driver
from robot.client.client import Client
from robot.errors import ConnectionLost
from robot.wire import topics
from robot.wire.keyring import Role
from robot.wire.messages import JointState, Waypoint
from robot.wire.subscription import Subscription

_PEER = """
import pickle, sys, zmq
context = zmq.Context()
socket = context.socket(zmq.REP)
print(socket.bind_to_random_port("tcp://127.0.0.1"), flush=True)
state = {"positions": [0.0] * 7, "velocities": [0.0] * 7, "time": 0.0, "accepted": True}
while True:
    command = pickle.loads(socket.recv())
    state["time"] = command["time"]
    socket.send(pickle.dumps(state))
"""


class RoundTrip(msgspec.Struct, frozen=True):
    """Times of `times` commands, ms: until the `answer`, until the set-point was written (`set_point`) and until a
    state with it was received (`published`), with CURVE when `curve`; and of a `pickled` exchange, unencrypted."""

    times: int
    curve: bool
    answer_p50_ms: float
    answer_p99_ms: float
    set_point_p50_ms: float
    set_point_p99_ms: float
    published_p50_ms: float
    published_p99_ms: float
    pickled_p50_ms: float
    pickled_p99_ms: float


def measure_round_trip(driver_options: Sequence[str], count: int, folder: Path, curve: bool = True) -> RoundTrip:
    """Send `count` commands to the driver that `worldarm driver` starts with `driver_options`.

    Raises `ArmError` when it does not start, `ConnectionLost` when it or the other peer no longer answers.
    """
    with user(folder / "driver") as keys:
        options = ("--curve", *driver_options) if curve else tuple(driver_options)
        public = keys.make().public if curve else ""
        with running_driver(options, folder / "black-box") as driver:
            key_folder = person(folder / "person", keys, public, Role.COMMAND) if curve else folder / "nobody"
            with (
                user(key_folder),
                driver.client() as client,
                Subscription(driver.state, topics.STATE, JointState, 4096) as states,
            ):
                worldarm_times = _worldarm_times(client, states, count)
            pickled = _pickled(count)
    quantiles = [np.percentile(each, (50, 99)) for each in (*worldarm_times, pickled)]
    return RoundTrip(count, curve, *(round(float(value), 4) for pair in quantiles for value in pair))


def _worldarm_times(
    client: Client, states: Subscription[JointState], count: int
) -> tuple[list[float], list[float], list[float]]:
    client.acquire("round-trip", 5.0)
    state = client.state(5.0)
    answers, set_points, published = [], [], []
    for turn in tqdm(range(count), desc="round trips", unit="command", mininterval=0.5):
        sent_ns = time.monotonic_ns()
        accepted = client.send_waypoints([Waypoint(sent_ns + 200_000_000, state.governed, state.gripper_command)])
        answers.append(1e-6 * (time.monotonic_ns() - sent_ns))
        tick = accepted.tick
        states.wait_for(lambda tick=tick: _seen(states, tick), PATIENCE_S, "state that shows the command")  # type: ignore[misc]
        published.append(1e-6 * (time.monotonic_ns() - sent_ns))
        shown = next(each for each in states.history if each.tick >= tick)
        set_points.append(1e-6 * (shown.set_point_ns - sent_ns))
        time.sleep(0.001 * (turn % 7))  # evenly spread over a period
    client.release()
    return answers, set_points, published


def _seen(states: Subscription[JointState], tick: int) -> bool:
    return bool(states.history) and states.history[-1].tick >= tick


def _pickled(count: int) -> list[float]:
    """Exchange pickles with another process over REQ/REP, and return how long each took, ms."""
    peer = subprocess.Popen([sys.executable, "-c", _PEER], stdout=subprocess.PIPE, text=True)
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    socket = context.socket(zmq.REQ)
    socket.setsockopt(zmq.LINGER, 0)
    try:
        assert peer.stdout is not None
        socket.connect(f"tcp://127.0.0.1:{peer.stdout.readline().strip()}")
        took = []
        for _ in range(count):
            sent_ns = time.monotonic_ns()
            command = {
                "positions": [0.1] * 7,
                "gripper": 0.04,
                "time": sent_ns * 1e-9,
                "token": "t" * 32,
                "sequence": 1,
            }
            socket.send(pickle.dumps(command))
            if not socket.poll(round(1e3 * PATIENCE_S)):
                raise ConnectionLost("the process that exchanges pickles does not answer")
            socket.recv()
            took.append(1e-6 * (time.monotonic_ns() - sent_ns))
        return took
    finally:
        socket.close()
        context.term()
        peer.kill()
        peer.wait()
