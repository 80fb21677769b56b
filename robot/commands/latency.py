"""`worldarm latency`: the delays from a picture's capture to the set-point, live, of a running agent."""

from __future__ import annotations

import time
from typing import Annotated

import tyro

from robot.client.client import Client
from robot.client.latency import ChainMatcher, table
from robot.errors import ConfigurationError, ConnectionLost
from robot.wire import topics
from robot.wire.addresses import COMMAND, DECISIONS
from robot.wire.clock_offset import SameClock
from robot.wire.messages import DecisionReport, JointState
from robot.wire.subscription import Subscription

_KEEP = 2048
_DRAIN_S = 0.05


def latency(
    command_address: Annotated[str, tyro.conf.arg(help="where the driver takes commands")] = COMMAND,
    decisions_address: Annotated[str, tyro.conf.arg(help="where the agent publishes its decisions")] = DECISIONS,
    every: Annotated[float, tyro.conf.arg(help="seconds between two tables")] = 2.0,
    decisions: Annotated[
        int | None, tyro.conf.arg(help="end after this many decisions; None: run until Ctrl-C")
    ] = None,
    wait: Annotated[float, tyro.conf.arg(help="seconds to wait for an agent's next decision")] = 60.0,
) -> None:
    """Show how long each stage takes from a picture's capture to the set-point that follows from it, p50 and p99.

    Needs a running driver, camera and agent (`worldarm run`). When they run on several hosts, times are converted to
    one clock; the offset to the driver's clock is shown with its uncertainty.
    """
    if not every > 0 or not wait > 0:
        raise ConfigurationError("--every and --wait must be above 0")
    with (
        Client(command_address) as client,
        Subscription(client.state_address, topics.STATE, JointState, _KEEP, client.clock) as states,
        Subscription(decisions_address, topics.DECISION, DecisionReport, 64) as published,
    ):
        matcher = ChainMatcher()
        known = 0
        last = shown = time.monotonic()
        while decisions is None or known < decisions:
            states.drain()
            published.drain()
            matcher.take(list(states.history), list(published.history))
            states.history.clear()
            published.history.clear()
            now = time.monotonic()
            if matcher.matched > known:
                known, last = matcher.matched, now
            if now - last > wait:
                raise ConnectionLost(
                    f"no decision was sent within {wait:g} s; does `worldarm run` run and publish to "
                    f"{decisions_address}?"
                )
            if now - shown > every and known:
                shown = now
                _show(client, matcher)
            time.sleep(_DRAIN_S)
        _show(client, matcher)


def _show(client: Client, matcher: ChainMatcher) -> None:
    print(f"{len(matcher.chains)} decisions; {_clock(client)}")
    print("\n".join(table(matcher.chains)), flush=True)
    print(flush=True)


def _clock(client: Client) -> str:
    if client.clock.uncertainty_ns is None or isinstance(client.clock, SameClock):
        return "the driver shares this host's clock"
    return (
        f"the driver's clock is {client.clock.ns * 1e-6:+.3f} ms ahead, known to "
        f"{client.clock.uncertainty_ns * 1e-6:.3f} ms"
    )
