"""Access control: unknown, revoked and unencrypted clients, a second lease holder, and a replayed command."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import zmq

from robot.benchmark.key_holders import person, user
from robot.benchmark.processes import RunningDriver, running_driver
from robot.client.client import Client
from robot.errors import ConnectionLost, Refused
from robot.wire import sockets
from robot.wire.keyring import Keyring, Role
from robot.wire.messages import Waypoint, Waypoints, encode

_SILENCE_S = 0.7


class Access(msgspec.Struct, frozen=True):
    """For each kind of client, how many of `times` tries were refused, or left unanswered where that is the refusal."""

    times: int
    unknown_key: int
    revoked_key: int
    plain: int
    second_writer: int
    replayed: int


def measure_access(words: Sequence[str], times: int, folder: Path) -> Access:
    """Try each kind of client `times` times on the driver that `worldarm driver --curve WORDS` starts, with keys under
    `folder`.

    Raises `ArmError` when it does not start.
    """
    with user(folder / "driver") as driver_keys:
        public = driver_keys.make().public
        with running_driver(("--curve", *words), folder / "black-box") as driver:
            known = person(folder / "known", driver_keys, public, Role.COMMAND)
            stranger = person(folder / "stranger", driver_keys, public, None)
            return Access(
                times=times,
                unknown_key=_count(times, lambda: _no_answer(driver, stranger)),
                revoked_key=_count(times, lambda: _revoked(driver, folder, driver_keys, public)),
                plain=_count(times, lambda: _no_answer(driver, folder / "nobody")),
                second_writer=_count(times, lambda: _second_writer(driver, known)),
                replayed=_count(times, lambda: _replayed(driver, known)),
            )


def _count(times: int, refused: Callable[[], bool]) -> int:
    return sum(refused() for _ in range(times))


def _no_answer(driver: RunningDriver, who: Path) -> bool:
    with user(who):
        try:
            Client(driver.command, _SILENCE_S).close()
        except ConnectionLost:
            return True
    return False


def _revoked(driver: RunningDriver, folder: Path, keys: Keyring, public: str) -> bool:
    """Return whether commands are refused from a client that is revoked while it is connected."""
    who = person(folder / f"revoked-{time.monotonic_ns()}", keys, public, Role.COMMAND)
    with user(who), driver.client() as client:
        client.spec()
        keys.revoke(who.name)
        try:
            client.acquire("revoked", 1.0)
        except Refused as refusal:
            return refusal.reason == "not-allowed"
    return False


def _second_writer(driver: RunningDriver, who: Path) -> bool:
    with user(who), driver.client() as one, driver.client() as two:
        one.acquire("one", 2.0)
        try:
            two.acquire("two", 2.0)
        except Refused as refusal:
            return refusal.reason == "held"
    return False


def _replayed(driver: RunningDriver, who: Path) -> bool:
    """Return whether an accepted command is refused when the same bytes come again."""
    with user(who), driver.client() as client:
        lease = client.acquire("one", 2.0)
        state = client.state(5.0)
        now_ns = time.monotonic_ns()
        waypoint = Waypoint(now_ns + 500_000_000, state.governed, state.gripper_command)
        message = encode(Waypoints(lease.token, 1, now_ns + 5_000_000_000, (waypoint,)), 1, now_ns)
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        socket = sockets.make(context, zmq.REQ, 4)
        try:
            sockets.connect(socket, driver.command)
            answers = []
            for _ in range(2):
                socket.send(message)
                if not socket.poll(5000):
                    return False
                answers.append(socket.recv())
        finally:
            socket.close()
            context.term()
    return b"Accepted" in answers[0] and b"stale-sequence" in answers[1]
