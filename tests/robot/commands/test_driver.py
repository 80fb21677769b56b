"""The driver's command: what it says, how it ends, and what it refuses to begin with."""

import ctypes
import os
import platform
import signal
import sys
import time
from pathlib import Path

import pytest

from robot.wire.messages import JointState
from robot.wire.subscription import Subscription
from tests.robot.driver.checks import assert_no_jump, away, move, now
from tests.robot.driver.command import DriverProcess, until


@pytest.mark.parametrize(("number", "ends"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_in_mid_motion_brings_the_arm_to_rest_before_it_is_parked(
    tmp_path: Path, number: int, ends: int
) -> None:
    with DriverProcess(tmp_path) as process:
        with process.client() as client, Subscription(process.state, b"state", JointState, 1000) as states:
            client.acquire("agent", 10.0)
            move(client, away(6, 1.0, 1.2))
            until(lambda: now(client).governed_velocity[6] > 0.5)
            process.process.send_signal(number)
            status, out, err = process.end(number)
            states.drain()
            seen = list(states.history)
        assert (status, err) == (ends, "")
        assert ("% on time" in out) == (number != signal.SIGHUP)  # a closed terminal takes no more words
        assert_no_jump(seen)
        assert (seen[-1].mode, seen[-1].reason) == ("stopped", "the driver is shutting down")
        assert max(map(abs, seen[-1].governed_velocity)) == 0.0
        parked, closed = process.diary.read_text().splitlines()[-2:]
        assert parked.startswith("park at ")
        assert float(parked.split()[2]) < 0.02
        assert closed == "close"


def test_a_driver_under_nohup_outlives_its_terminal(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # inherited, as nohup has it
    try:
        process = DriverProcess(tmp_path)
    finally:
        signal.signal(signal.SIGHUP, before)
    with process, process.client() as client:
        process.process.send_signal(signal.SIGHUP)
        time.sleep(0.2)
        assert now(client).mode == "idle"
        assert process.end()[0] == 130


def test_a_bounded_run_ends_by_itself(tmp_path: Path) -> None:
    with DriverProcess(tmp_path, duration_s=0.5) as process:
        status, out, err = process.wait()
    assert (status, err) == (0, "")
    assert out.startswith("driver: at rest and parked; loop: ")
    assert process.first_line.startswith("driver: arm scene, command tcp://127.0.0.1:")


@pytest.mark.parametrize("which", ["state", "command"])
def test_a_taken_port_ends_the_second_driver_before_it_touches_the_arm(
    running: DriverProcess, tmp_path: Path, which: str
) -> None:
    with DriverProcess(tmp_path, **{which: getattr(running, which)}) as second:
        status, out, err = second.wait()
    assert (status, out) == (1, "")
    assert err.count("\n") == 1
    assert "held by another process" in err
    assert not second.diary.exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"state": "tcp://0.0.0.0:*"}, "loopback"),
        ({"command": "tcp://*:5552"}, "loopback"),
        ({"arm": "unicorn"}, "unicorn"),
        ({"duration_s": -1.0}, "duration"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(tmp_path: Path, options: dict[str, object], words: str) -> None:
    with DriverProcess(tmp_path, **options) as process:  # type: ignore[arg-type]
        status, out, err = process.wait()
    assert (status, out) == (1, "")
    assert err.count("\n") == 1
    assert words in err
    assert not process.diary.exists()


@pytest.mark.skipif(not hasattr(os, "sched_getscheduler"), reason="this system has no real-time scheduling to ask for")
def test_real_time_scheduling_is_given_or_its_absence_told(tmp_path: Path) -> None:
    with DriverProcess(tmp_path, realtime=True) as process:
        if process.first_line:
            assert os.sched_getscheduler(process.process.pid) & ~os.SCHED_RESET_ON_FORK == os.SCHED_FIFO
            assert process.end()[0] == 130
        else:
            status, _, err = process.wait()
            assert (status, err.count("\n")) == (1, 1)
            assert "rtprio" in err


@pytest.mark.skipif(
    sys.platform != "linux" or tuple(map(int, platform.release().split(".")[:2])) < (6, 12),
    reason="this kernel knows no slices of one's own",
)
def test_the_loop_asks_for_short_slices_of_the_processor(tmp_path: Path) -> None:
    with DriverProcess(tmp_path) as process:
        assert process.first_line
        told = (ctypes.c_uint64 * 6)()  # struct sched_attr, whose fourth word is the slice
        getattr_number = {"x86_64": 315, "aarch64": 275}[platform.machine()]
        assert ctypes.CDLL(None).syscall(getattr_number, process.process.pid, told, ctypes.sizeof(told), 0) == 0
        assert told[3] == 100_000
