"""One writer at a time, whatever order the requests come in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot.driver.lease import LeaseManager
from robot.errors import Refused
from robot.wire.limits import MAX_NAME_LENGTH
from robot.wire.messages import REASONS

S = 1_000_000_000


def refused(call, *arguments) -> str:  # type: ignore[no-untyped-def]
    with pytest.raises(Refused) as caught:
        call(*arguments)
    assert caught.value.reason in REASONS
    assert caught.value.detail
    return caught.value.reason


def test_a_lease_is_held_until_it_lapses_and_the_lapse_is_told_once() -> None:
    desk = LeaseManager()
    first = desk.acquire("agent", 1.0, 0)
    assert (first.expires_ns, desk.holder) == (S, "agent")
    assert refused(desk.acquire, "teleop", 1.0, S - 1) == "held"
    assert desk.lapse(S - 1) == ""
    assert refused(desk.renew, first.token, S) == "not-holder"
    assert desk.lapse(S) == "agent"
    assert desk.lapse(S) == ""
    second = desk.acquire("teleop", 1.0, S)
    assert second.token != first.token
    assert refused(desk.check, first.token, S) == "not-holder"


def test_renewal_counts_from_now() -> None:
    desk = LeaseManager()
    token = desk.acquire("agent", 0.5, 0).token
    assert desk.renew(token, S // 4).expires_ns == S // 4 + S // 2
    assert desk.lapse(S // 2) == ""


@pytest.mark.parametrize("ttl_s", [0.0, -1.0, 0.049, 10.1, 1e300])
def test_a_time_to_live_out_of_bounds_is_refused(ttl_s: float) -> None:
    assert refused(LeaseManager().acquire, "agent", ttl_s, 0) == "bad-ttl"


@pytest.mark.parametrize("holder", ["", "x" * (MAX_NAME_LENGTH + 1)])
def test_a_holder_needs_a_name(holder: str) -> None:
    assert refused(LeaseManager().acquire, holder, 1.0, 0) == "malformed"


def test_only_the_holder_that_lost_it_to_a_held_up_driver_hears_that() -> None:
    desk = LeaseManager()
    token = desk.acquire("agent", 1.0, 0).token
    desk.revoke("the loop stood still", held_up=True)
    assert refused(desk.renew, token, 1) == refused(desk.release, token, 1) == "held-up"
    assert refused(desk.renew, "x" * 32, 1) == "not-holder"
    desk.acquire("teleop", 1.0, 2)
    assert refused(desk.renew, token, 3) == "not-holder"
    desk.revoke("stopped")
    assert refused(desk.renew, token, 4) == "not-holder"


def test_a_released_lease_is_free_and_its_token_dead() -> None:
    desk = LeaseManager()
    token = desk.acquire("agent", 1.0, 0).token
    assert refused(desk.release, token + "x", 1) == "not-holder"
    assert refused(desk.release, "é", 1) == "not-holder"
    desk.release(token, 1)
    assert desk.holder == ""
    assert refused(desk.renew, token, 2) == "not-holder"
    desk.acquire("teleop", 1.0, 2)


@given(st.lists(st.integers(-(2**63), 2**64 - 1), max_size=30))
def test_a_sequence_number_passes_once_and_only_growing(sequences: list[int]) -> None:
    desk = LeaseManager()
    token = desk.acquire("agent", 1.0, 0).token
    highest = -1
    for sequence in sequences:
        if sequence > highest:
            desk.check_command(token, sequence, 10, 10)
            highest = sequence
        else:
            assert refused(desk.check_command, token, sequence, 10, 10) == "stale-sequence"


def test_a_late_command_is_refused_and_cannot_be_repeated() -> None:
    desk = LeaseManager()
    token = desk.acquire("agent", 1.0, 0).token
    assert refused(desk.check_command, token, 1, 10, 11) == "late"
    assert refused(desk.check_command, token, 1, 10**9, 11) == "stale-sequence"
    desk.check_command(token, 2, 11, 11)


def test_sequences_start_anew_with_each_lease() -> None:
    desk = LeaseManager()
    desk.check_command(desk.acquire("agent", 1.0, 0).token, 100, 10, 1)
    desk.revoke()
    desk.check_command(desk.acquire("agent", 1.0, 2).token, 0, 10, 2)
