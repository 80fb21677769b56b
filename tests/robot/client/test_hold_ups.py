"""A motion goes on after its driver was held up, and not after anything else."""

import signal
import threading
import time
from pathlib import Path

import pytest

from robot.client.hold_ups import TRIES, HoldUps, again_when_held_up
from robot.client.home import go_home
from robot.errors import Refused
from tests.robot.driver.command import DriverProcess, until
from tests.robot.kinematic_arm import Options

AWAY = (0.4, -0.2, 0.1, -2.2, 0.0, 2.1, 0.9)


def test_it_is_done_again_until_the_driver_was_held_up_too_often() -> None:
    tries = []

    def motion() -> None:
        tries.append(len(tries))
        raise Refused("held-up", "the loop stood still")

    with pytest.raises(Refused, match="stood still"):
        again_when_held_up(motion)
    assert len(tries) == TRIES


def _refuse() -> None:
    raise Refused("stopped", "a dog")


def test_another_refusal_is_none_of_its_business() -> None:
    with pytest.raises(Refused, match="a dog"):
        again_when_held_up(_refuse)
    hold_ups = HoldUps()
    with pytest.raises(Refused, match="a cat"):
        hold_ups.bear(Refused("stopped", "a cat"))
    assert hold_ups.count == 0


@pytest.mark.real_time
def test_a_way_home_goes_on_after_a_freeze_of_the_driver(tmp_path: Path) -> None:
    with DriverProcess(tmp_path, Options(start=AWAY)) as process, process.client() as client:
        shares: list[float] = []
        home = threading.Thread(target=go_home, args=(client, 0.2, shares.append))
        home.start()
        until(lambda: shares and shares[-1] > 0.2)
        process.process.send_signal(signal.SIGSTOP)
        time.sleep(0.3)
        process.process.send_signal(signal.SIGCONT)
        home.join(30.0)
        assert not home.is_alive() and shares[-1] > 0.9
        with process.client() as watcher:
            until(lambda: not any(watcher.state(5.0).governed_velocity))
            state = watcher.state(5.0)
            assert (
                state.holder == ""
                and max(abs(a - b) for a, b in zip(state.measured, client.arm.home, strict=True)) < 0.02
            )
