"""Attacks on a running driver, one at a time, each bounded, while an arm moves: what the arm does meanwhile, how soon
it can be stopped, and what memory the attack takes.

What the arm did is read from the flight log afterwards, which records every tick whatever the network did.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from itertools import pairwise
from pathlib import Path
from typing import Literal, get_args

import msgspec
import numpy as np
from tqdm import tqdm

from robot.arm.interface import ArmSpec
from robot.benchmark.processes import RunningDriver, resident_bytes, running_driver
from robot.benchmark.raw_peer import RawPeer
from robot.client.client import Client
from robot.errors import ArmError, ConnectionLost
from robot.flight_log.records import Changed, Record, Ticked, read_flight_log
from robot.wire.local_stop import stop_locally
from robot.wire.messages import Stop, Waypoint, encode

SPEED = 0.25
"""rad/s of the last joint, or a fifth of its limit where that is less."""
ATTACK_S = 2.0
_SET_OFF_S = 0.3
_STEP_S = 0.1
_FROZEN_S = 0.5
_PATIENCE_S = 60.0
_MIB = 2**20
_REASON = "stopped by the benchmark"


class Attack(msgspec.Struct, frozen=True):
    """What one attack did: whether the driver was `alive` afterwards; the worst `gap_ms` between two set-points, and
    the highest `speed` as a share of the plan's own; how long after `worldarm stop` it was stopped (`stop_ms`) and at
    rest (`rest_ms`); the most memory of the driver and of any one process of its sockets, in MiB."""

    name: str
    alive: bool
    gap_ms: float
    speed: float
    stop_ms: float
    rest_ms: float
    driver_mib: float
    socket_mib: float


class Attacks(msgspec.Struct, frozen=True):
    """The attacks, and the same motion without one, which comes first."""

    rows: tuple[Attack, ...]


AttackName = Literal[
    "none",
    "nested-values",
    "malformed-requests",
    "long-subscriptions",
    "many-subscriptions",
    "endless-message",
    "idle-connections",
    "frozen",
    "killed-sockets",
]
ATTACK_NAMES: tuple[AttackName, ...] = get_args(AttackName)
"""In the order of the table; "none" is the same motion without an attack."""
Weapon = Callable[["RunningDriver", np.random.Generator, float], None]
"""Attacks the driver until the monotonic time."""


def measure_attacks(words: Sequence[str], names: Sequence[AttackName], folder: Path, seed: int = 0) -> Attacks:
    """Attack the driver that `worldarm driver WORDS` starts, anew for each attack, in the ways that `names` lists.

    Raises `ArmError` when it does not start, and `ConnectionLost` when it no longer answers.
    """
    rows = []
    for name in tqdm(names, desc="attacks", unit="attack"):
        place = folder / name
        place.mkdir()
        rows.append(_attacked(name, words, place, np.random.default_rng([seed, ATTACK_NAMES.index(name)])))
    return Attacks(tuple(rows))


def _attacked(name: AttackName, words: Sequence[str], folder: Path, rng: np.random.Generator) -> Attack:
    title, weapon = WEAPONS[name]
    with ExitStack() as parts:
        driver = parts.enter_context(running_driver(words, folder / "log"))
        memory = parts.enter_context(_Memory(driver.process.pid))
        with driver.client() as client:
            spec = client.arm
            speed = _set_off(client)
            weapon(driver, rng, time.monotonic() + ATTACK_S)
            asked_ns = time.monotonic_ns()
            if not stop_locally(driver.command, _REASON, _PATIENCE_S):
                raise ConnectionLost(f"the driver did not stop within {_PATIENCE_S:g} s of the attack {title!r}")
            client._token = ""  # a stop ends the lease
        alive = _answers(driver)
        time.sleep(0.5)  # the arm comes to rest, and the log to disk
        driver.end()
    gap_ms, most, stop_ms, rest_ms = _judged(list(read_flight_log(folder / "log")), spec, asked_ns)
    return Attack(
        title, alive, gap_ms, most / speed, stop_ms, rest_ms, memory.driver_bytes / _MIB, memory.socket_bytes / _MIB
    )


def _set_off(client: Client) -> float:
    """Move the last joint steadily for longer than an attack takes; return its speed, rad/s."""
    spec, state = client.arm, client.state(5.0)
    speed = min(SPEED, 0.2 * spec.velocity[-1])
    middle = 0.5 * (spec.lower[-1] + spec.upper[-1])
    direction = 1.0 if state.governed[-1] < middle else -1.0
    begin_ns = time.monotonic_ns() + round(_SET_OFF_S * 1e9)
    waypoints = []
    for step in range(round(1.5 * ATTACK_S / _STEP_S)):
        place = list(state.governed)
        place[-1] += direction * speed * _STEP_S * step
        waypoints.append(Waypoint(begin_ns + round(step * _STEP_S * 1e9), tuple(place), state.gripper_command))
    client.acquire("benchmark", 10.0)
    client.send_waypoints(waypoints, time.monotonic_ns() + 1_000_000_000)
    time.sleep(2 * _SET_OFF_S)
    return speed


def _answers(driver: RunningDriver) -> bool:
    """Return whether the driver answers and publishes again once who attacked is gone."""
    deadline = time.monotonic() + _PATIENCE_S
    while driver.process.poll() is None and time.monotonic() < deadline:
        with suppress(ConnectionLost), driver.client() as client:
            return client.state(5.0).tick > 0
    return False


def _judged(records: list[Record], spec: ArmSpec, asked_ns: int) -> tuple[float, float, float, float]:
    """Return the worst gap between two set-points (ms), the highest speed of the last joint (rad/s), and how long after
    `asked_ns` the arm was stopped and at rest (ms)."""
    ticks = [record for record in records if isinstance(record, Ticked)]
    stopped = next((each for each in records if isinstance(each, Changed) and each.mode == "stopped"), None)
    rest = next((each for each in ticks if each.time_ns > asked_ns and not any(each.velocity)), None)
    if len(ticks) < 2 or stopped is None or rest is None:
        raise ArmError("the flight log does not show how the arm was stopped")
    until = [tick for tick in ticks if tick.time_ns <= rest.time_ns]
    # A log that was cut short begins again with a new segment; across that, the log does not show the ticks.
    gaps = [after.time_ns - before.time_ns for before, after in pairwise(until)]
    most = max(abs(tick.velocity[-1]) for tick in until)
    return max(gaps) * 1e-6, most, (stopped.time_ns - asked_ns) * 1e-6, (rest.time_ns - asked_ns) * 1e-6


class _Memory:
    """The most resident memory of the process `pid` and of any of its children, in bytes."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.driver_bytes = self.socket_bytes = 0

    def __enter__(self) -> _Memory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(0.02):
            with suppress(OSError):  # a process that ended in between
                self.driver_bytes = max(self.driver_bytes, resident_bytes(self._pid))
                for pid in children_of(self._pid):
                    self.socket_bytes = max(self.socket_bytes, resident_bytes(pid))


def children_of(pid: int) -> list[int]:
    """Return the processes that the process `pid` started. Raises `OSError` when it has ended."""
    threads = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for thread in threads for child in thread.read_text().split()]


# ---------------------------------------------------------------- the attacks


def _peers(address: str, kind: bytes, until: float) -> Iterator[RawPeer]:
    """Yield a connected peer, the same one for as long as it is not hung up on, until the monotonic time."""
    while time.monotonic() < until:
        with suppress(ConnectionError), RawPeer(address, kind) as peer:  # the socket may just be bound again
            while peer.alive and time.monotonic() < until:
                yield peer
                peer.drain()


def _nothing(driver: RunningDriver, rng: np.random.Generator, until: float) -> None:
    time.sleep(max(0.0, until - time.monotonic()))


def _nested_values(driver: RunningDriver, rng: np.random.Generator, until: float) -> None:
    for peer in _peers(driver.command, b"DEALER", until):
        depth = int(rng.integers(100, 16_000))
        peer.frame(b"\x91" * depth if rng.random() < 0.5 else b"\x81\xa1a" * (depth // 3))


def _malformed(driver: RunningDriver, rng: np.random.Generator, until: float) -> None:
    payload = encode(Stop("x"), 1, 1)[:-2]
    for peer in _peers(driver.command, b"DEALER", until):
        peer.frame(payload)


def _long_subscriptions(driver: RunningDriver, rng: np.random.Generator, until: float) -> None:
    for peer in _peers(driver.state, b"SUB", until):
        peer.frame(b"\x01" + rng.bytes(10 * _MIB))


def _many_subscriptions(driver: RunningDriver, rng: np.random.Generator, until: float) -> None:
    for peer in _peers(driver.state, b"SUB", until):
        peer.frame(b"\x01" + rng.bytes(32))


def _endless_message(driver: RunningDriver, rng: np.random.Generator, until: float) -> None:
    piece = rng.bytes(60_000)
    for peer in _peers(driver.command, b"DEALER", until):
        peer.frame(piece, more=True)


def _idle_connections(driver: RunningDriver, rng: np.random.Generator, until: float) -> None:
    with ExitStack() as kept:
        while time.monotonic() < until:
            with suppress(OSError):  # no more than this process may have
                kept.enter_context(RawPeer(driver.command))


def _frozen(driver: RunningDriver, rng: np.random.Generator, until: float) -> None:
    driver.process.send_signal(signal.SIGSTOP)
    time.sleep(_FROZEN_S)
    driver.process.send_signal(signal.SIGCONT)
    time.sleep(max(0.0, until - time.monotonic()))


def _killed_sockets(driver: RunningDriver, rng: np.random.Generator, until: float) -> None:
    while time.monotonic() < until:
        for pid in children_of(driver.process.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.5)


WEAPONS: dict[AttackName, tuple[str, Weapon]] = {
    "none": ("none", _nothing),
    "nested-values": ("nested values", _nested_values),
    "malformed-requests": ("malformed requests", _malformed),
    "long-subscriptions": ("subscriptions of 10 MiB", _long_subscriptions),
    "many-subscriptions": ("very many subscriptions", _many_subscriptions),
    "endless-message": ("a message without end", _endless_message),
    "idle-connections": ("idle connections", _idle_connections),
    "frozen": ("the driver frozen for 0.5 s", _frozen),
    "killed-sockets": ("its socket processes killed", _killed_sockets),
}
"""Each attack's title in the table, and what it does."""
