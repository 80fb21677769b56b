"""The client follows the newest state, and notices a driver that is slow, hung, killed or was never there."""

import os
import signal
import time
from pathlib import Path

import pytest

from robot.client.client import Client
from robot.client.scene_client import SceneClient
from robot.errors import ConnectionLost
from tests.robot.driver.checks import MS, SPEC, S, assert_kept_on, now
from tests.robot.driver.command import DriverProcess, until


def test_states_come_at_the_rate_of_the_arm_and_old_ones_do_not_pile_up(running: DriverProcess) -> None:
    with running.client() as client:
        first = now(client)
        time.sleep(2.5)
        last = now(client)
        assert time.monotonic_ns() - last.time_ns < 200 * MS
        assert_kept_on(first, last)
        assert last.tick - first.tick <= 1.01 * (last.time_ns - first.time_ns) * 1e-9 * SPEC.rate_hz + 5
        with pytest.raises(ConnectionLost, match="within"):
            client.state_near(first.time_ns - 60 * S)


def test_a_killed_driver_is_noticed_in_every_call(tmp_path: Path) -> None:
    with DriverProcess(tmp_path) as process:
        client = process.client(timeout_s=0.5)
        client.acquire("agent", 1.0)
        now(client)
        process.kill()
        time.sleep(0.2)
        for call in (client.state, client.renew, client.spec, lambda: client.stop("stop"), client.state):
            begin = time.monotonic()
            with pytest.raises(ConnectionLost):
                call()
            assert time.monotonic() - begin < 2.0
        begin = time.monotonic()
        client.close()
        assert time.monotonic() - begin < 2.0


def test_a_driver_that_hangs_is_noticed_and_its_late_answers_are_not_mistaken(tmp_path: Path) -> None:
    with DriverProcess(tmp_path) as process, process.client(timeout_s=0.5) as client:
        os.kill(process.process.pid, signal.SIGSTOP)
        try:
            with pytest.raises(ConnectionLost):
                client.acquire("agent", 1.0)
            with pytest.raises(ConnectionLost):
                client.state(0.3)
        finally:
            os.kill(process.process.pid, signal.SIGCONT)
        client.reset()
        # Requests are taken in the order they were sent, so the lease that was asked for in vain has now begun.
        taken_ns = time.monotonic_ns()

        def lapsed() -> bool:
            state = client.state(5)
            return state.time_ns > taken_ns and state.holder == ""

        until(lapsed)
        assert client.acquire("agent", 1.0).holder == "agent"


def test_states_that_come_too_late_are_told_from_none(running: DriverProcess) -> None:
    with running.client() as client, SceneClient(running.state) as scenes:
        tomorrow_ns = time.monotonic_ns() + 86_400 * S
        now(client)
        with pytest.raises(ConnectionLost, match=r"no state as late as .* within 0\.3 s; \d+ others came"):
            client.state_near(tomorrow_ns, timeout_s=0.3)
        scenes.latest(10.0)
        with pytest.raises(ConnectionLost, match=r"no scene as new as .* within 0\.4 s; \d+ others came"):
            scenes.latest(0.4, after_ns=tomorrow_ns)


def test_a_driver_that_sends_nothing_is_told_with_the_time_waited(tmp_path: Path) -> None:
    with DriverProcess(tmp_path) as process, process.client(timeout_s=0.5) as client:
        now(client)
        process.kill()
        time.sleep(0.2)
        with pytest.raises(ConnectionLost, match=r"no state less than 0\.1 s old within 0\.3 s; is it running"):
            client.state(0.3)


def test_no_driver_is_told_plainly_and_in_time() -> None:
    begin = time.monotonic()
    with pytest.raises(ConnectionLost, match=r"no driver answered at tcp://127\.0\.0\.1:9"):
        Client("tcp://127.0.0.1:9", timeout_s=0.3)
    assert time.monotonic() - begin < 2.0
