"""The chain from capture to set-point, matched and counted; and the command without an agent."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from robot.client.latency import STAGES, ChainMatcher, table
from robot.wire.messages import DecisionReport, JointState
from tests.commands import worldarm
from tests.robot.driver.command import DriverProcess

MS = 1_000_000
SEVEN = (0.0,) * 7


def state(tick: int) -> JointState:
    """The state of `tick`, whose set-point went out 4 ms after that of the tick before."""
    return JointState(
        time_ns=tick * 4 * MS,
        tick=tick,
        mode="active",
        requested=SEVEN,
        governed=SEVEN,
        measured=SEVEN,
        governed_velocity=SEVEN,
        measured_velocity=SEVEN,
        measured_effort=(),
        gripper_command=0.0,
        gripper_width=0.0,
        clamps=(),
        holder="agent",
        active_until_ns=0,
        set_point_ns=tick * 4 * MS,
        reason="",
    )


def decision(tick: int, planning_ms: int = 20) -> DecisionReport:
    """A decision whose command the driver took up in `tick`, a millisecond before its set-point went out."""
    accepted_ns = tick * 4 * MS - MS
    decided_ns = accepted_ns - MS // 2
    received_ns = decided_ns - planning_ms * MS
    return DecisionReport(
        time_ns=accepted_ns,
        decision=tick,
        frame_index=0,
        status="sent" if tick else "missed",
        distance=1.0,
        subgoals_ahead=0,
        cost=0.0,
        action=(),
        plan_ms=float(planning_ms),
        capture_to_command_ms=0.0,
        captured_ns=received_ns - 3 * MS,
        received_ns=received_ns,
        decided_ns=decided_ns,
        accepted_ns=accepted_ns if tick else 0,
        tick=tick,
        shape=(0, 0, 3),
        goal=b"",
        imagined=b"",
    )


def test_each_decision_finds_its_set_point_whichever_comes_first() -> None:
    matcher = ChainMatcher()
    matcher.take([state(tick) for tick in range(100, 200)], [decision(150)])
    matcher.take([], [decision(210), decision(0)])
    assert matcher.matched == 1
    matcher.take([state(tick) for tick in range(200, 260)], [decision(40)])  # its states were gone before we looked
    assert matcher.matched == 2
    for chain in matcher.chains:
        assert chain.stages_ms == pytest.approx((3.0, 20.0, 0.5, 1.0, 24.5))
    # Memory stays bounded, and what was missed is not waited for.
    for turn in range(20):
        matcher.take([state(tick) for tick in range(300 + 1000 * turn, 1300 + 1000 * turn)], [])
    assert len(matcher._ticks) <= 4096 and not matcher._waiting


def test_the_table_has_both_quantiles_of_every_stage() -> None:
    matcher = ChainMatcher()
    plans = [20] * 95 + [60] * 5
    matcher.take([state(tick) for tick in range(1, 102)], [decision(1 + i, plan) for i, plan in enumerate(plans)])
    lines = table(matcher.chains)
    assert len(lines) == 1 + len(STAGES)
    planning = next(line for line in lines if line.startswith("received → decided"))
    assert "20.00 ms" in planning and "60.00 ms" in planning


def test_without_an_agent_it_says_so(tmp_path: Path) -> None:
    with DriverProcess(tmp_path) as process:
        words = ("latency", "--command-address", process.command, "--decisions-address", "tcp://127.0.0.1:9")
        nothing = worldarm(*words, "--wait", "0.5")
    assert (nothing.returncode, nothing.stdout) == (1, "")
    assert "does `worldarm run` run" in nothing.stderr


def test_times_of_another_host_are_shifted_all_or_none() -> None:
    moved = msgspec.structs.replace(state(10), active_until_ns=7).shifted(-5)
    assert (moved.time_ns, moved.active_until_ns, moved.set_point_ns) == (40 * MS - 5, 2, 40 * MS - 5)
    assert state(10).shifted(9).active_until_ns == 0  # nothing was accepted, whatever the clock
