"""What the driver answers to peers that are wrong, rude or out of their mind; the loop goes on."""

import os
import subprocess
import sys
import time

import msgspec
import pytest
import zmq
from hypothesis import given, settings
from hypothesis import strategies as st

from robot.errors import Refused
from robot.wire.limits import MAX_REQUEST_BYTES, MAX_WAYPOINTS
from robot.wire.messages import (
    REASONS,
    AcquireLease,
    Body,
    Done,
    Lease,
    ObjectPose,
    PlaceObjects,
    Refusal,
    RenewLease,
    Reset,
    SpecRequest,
    Stop,
    Waypoint,
    Waypoints,
    encode,
)
from tests.robot.driver.checks import Raw, S, assert_kept_on, away, move, now, steady
from tests.robot.driver.command import DriverProcess, until


def test_two_writers_are_kept_apart(running: DriverProcess) -> None:
    with running.client() as one, running.client() as two:
        one.acquire("agent", 10.0)
        for call, reason in [
            (lambda: two.acquire("teleop", 1.0), "held"),
            (lambda: two.renew(), "not-holder"),
            (lambda: two.release(), "not-holder"),
            (lambda: move(two, away(0, 0.1, 0.5)), "not-holder"),
            (lambda: two.place_objects([]), "not-holder"),
            (lambda: two.acquire("teleop", 11.0), "bad-ttl"),
            (lambda: two.acquire("", 1.0), "malformed"),
        ]:
            with pytest.raises(Refused) as caught:
                call()
            assert caught.value.reason == reason
        one.renew()
        one.release()
        assert two.acquire("teleop", 10.0).holder == "teleop"
        until(lambda: now(two).holder == "teleop")


@pytest.mark.real_time
def test_who_asks_need_not_wait_for_a_tick(running: DriverProcess) -> None:
    with Raw(running.command) as peer, running.client() as watcher:
        before = now(watcher).tick
        for _ in range(200):
            peer.answer(encode(SpecRequest(), 0, 0))
        until(lambda: now(watcher).tick > before)
        # Each answer would come in a tick of its own if it had to wait for one.
        assert now(watcher).tick - before < 190


def test_repeated_stale_late_and_impossible_commands_are_refused_and_nothing_moves(running: DriverProcess) -> None:
    with Raw(running.command) as peer, running.client() as watcher:
        lease = peer.answer(encode(AcquireLease("raw", 10.0), 0, 0))
        assert isinstance(lease, Lease)
        before = steady(watcher)
        base = before.governed

        def send(sequence: int, *waypoints: Waypoint, deadline_ns: int = 2**63, token: str = lease.token) -> str:
            said = peer.answer(encode(Waypoints(token, sequence, deadline_ns, waypoints), 0, 0))
            assert isinstance(said, Refusal), said
            assert said.detail
            return said.reason

        good = away(0, 0.1, 0.5, base=base)
        assert send(1, good, token="x" * 32) == "not-holder"
        assert send(5, good, deadline_ns=time.monotonic_ns() - 1) == "late"
        assert send(5, good) == "stale-sequence"
        assert send(4, good) == "stale-sequence"
        assert send(6) == "bad-length"
        many = [away(0, 0.0, 0.5 + 0.1 * index, base=base) for index in range(MAX_WAYPOINTS + 1)]
        assert send(7, *many) == "bad-length"
        assert send(8, msgspec.structs.replace(good, positions=base[:6])) == "bad-length"
        assert send(9, away(0, 0.1, -1.0, base=base)) == "late"
        assert send(10, away(0, 0.1, 0.5, base=base), away(0, 0.2, 0.4, base=base)) == "time-order"
        assert send(11, away(0, 9.0, 9.0, base=base)) == "out-of-limits"
        assert send(12, away(6, 1.0, 0.1, base=base)) == "too-fast"
        assert send(13, away(1, 1.5, 5.0, base=base)) == "out-of-workspace"
        assert send(14, away(0, 0.0, 0.5, gripper_width=1.0, base=base)) == "out-of-limits"
        after = now(watcher)
        assert after.governed == before.governed
        assert after.active_until_ns == before.active_until_ns
        assert isinstance(peer.answer(encode(Stop("done"), 0, 0)), Done)


@pytest.mark.real_time
def test_broken_messages_are_answered_and_cost_the_loop_nothing(running: DriverProcess) -> None:
    waypoints = Waypoints("t", 1, 2**63, (Waypoint(1, (float("nan"),) * 7, float("inf")),))
    broken = [
        b"",
        b"\x00",
        b"\xc1" * 100,
        b"\x91" * 5000,
        os.urandom(1000),
        b'{"json": true}',
        encode(waypoints, 0, 0),
        encode(Lease("a", "b", 1), 0, 0),
        encode(SpecRequest(), 0, 0)[:-3],
        encode(SpecRequest(), 0, 0) + b"x",
        encode(AcquireLease("x", float("nan")), 0, 0),
        encode(AcquireLease("x", float("-inf")), 0, 0),
        encode(SpecRequest(), 0, 0).replace(b"\xa7version\x01", b"\xa7version\x02"),
        b"x" * (MAX_REQUEST_BYTES + 1),
        encode(Waypoints("t" * MAX_REQUEST_BYTES, 1, 1, ()), 0, 0),
    ]
    with running.client() as client, Raw(running.command) as peer, Raw(running.command, zmq.REQ) as plain:
        first = now(client)
        for payload in broken:
            said = peer.answer(payload)
            assert isinstance(said, Refusal), payload[:40]
            assert said.reason == "malformed"
        many = peer.answer(*[b"frame"] * 5000, encode(SpecRequest(), 0, 0))
        assert isinstance(many, Refusal)
        assert isinstance(plain.answer(b"\xff"), Refusal)
        assert isinstance(plain.answer(encode(Reset(), 0, 0)), Done)
        last = now(client)
        assert_kept_on(first, last)
        assert last.mode == first.mode


def test_a_message_beyond_all_bounds_loses_its_connection_and_no_one_elses(running: DriverProcess) -> None:
    with running.client() as client, Raw(running.command) as peer:
        assert peer.answer(b"x" * (64 * 1024 * 1024), patience_ms=500) is None
        client.reset()
        assert now(client).mode in ("idle", "holding")


FLOOD = """
import sys, time, zmq
socket = zmq.Context().socket(zmq.DEALER)
socket.connect(sys.argv[1])
junk = [b"\\xc1" * 20000, b"\\x91" * 3000]
end = time.monotonic() + 2
while time.monotonic() < end:
    for payload in junk:
        try:
            socket.send(payload, zmq.NOBLOCK)
        except zmq.Again:
            time.sleep(0.0002)
print("done")
"""


@pytest.mark.real_time
def test_a_flood_of_junk_leaves_the_loop_and_the_holder_alone(running: DriverProcess) -> None:
    with running.client() as client:
        client.acquire("agent", 2.0)
        base = steady(client).governed
        first = now(client)
        flood = subprocess.Popen([sys.executable, "-c", FLOOD, running.command], stdout=subprocess.PIPE)
        try:
            asked = 0
            while flood.poll() is None:
                move(client, away(0, 0.0, 0.5, base=base))
                asked += 1
        finally:
            flood.kill()
            flood.communicate()
        last = now(client)
        assert asked > 20
        assert last.holder == "agent"
        assert_kept_on(first, last)


INTEGERS = st.one_of(st.integers(-(2**63), 2**64 - 1), st.sampled_from([0, 2**63 - 1, 2**63, 2**64 - 1, -(2**63)]))
NUMBERS = st.one_of(st.floats(), st.floats(-3.0, 3.0), st.sampled_from([1e308, -1e308, 5e-324, 0.0]))
TEXTS = st.text(max_size=50)
TRIPLE = st.tuples(NUMBERS, NUMBERS, NUMBERS)
WAYPOINTS = st.lists(
    st.builds(
        Waypoint,
        time_ns=st.one_of(INTEGERS, st.integers(0, 2 * S).map(lambda ahead: time.monotonic_ns() + ahead)),
        positions=st.lists(NUMBERS, min_size=7, max_size=7).map(tuple),
        gripper_width=NUMBERS,
    ),
    max_size=8,
).map(tuple)
OBJECTS = st.lists(
    st.builds(
        ObjectPose,
        name=st.one_of(TEXTS, st.just("cube")),
        position=TRIPLE,
        orientation=st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS),
    ),
    max_size=3,
).map(tuple)


def requests(token: str) -> st.SearchStrategy[Body]:
    """Every request there is, with the right types and the wildest values, some under the right `token`."""
    tokens = st.one_of(st.just(token), TEXTS)
    return st.one_of(
        st.builds(Waypoints, token=tokens, sequence=INTEGERS, deadline_ns=INTEGERS, waypoints=WAYPOINTS),
        st.builds(AcquireLease, holder=TEXTS, ttl_s=NUMBERS),
        st.builds(RenewLease, token=tokens),
        st.builds(PlaceObjects, token=tokens, objects=OBJECTS),
        st.builds(SpecRequest),
    )


@pytest.mark.real_time
@pytest.mark.soak
def test_whatever_is_asked_has_an_answer(running: DriverProcess) -> None:
    with Raw(running.command) as peer, running.client() as client:
        said = peer.answer(encode(AcquireLease("fuzz", 10.0), 0, 0))
        assert isinstance(said, Lease)
        first = now(client)

        @settings(database=None)
        @given(requests(said.token))
        def check(body: Body) -> None:
            answer = peer.answer(encode(body, 0, 0))
            assert answer is not None, body
            if isinstance(answer, Refusal):
                assert answer.reason in REASONS
                assert answer.detail

        check()
        last = now(client)
        assert last.mode in ("active", "holding")
        assert_kept_on(first, last)
        client.stop("done")
