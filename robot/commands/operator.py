"""`worldarm status|stop|reset|home`: show the state of an arm, stop it, reset it, and move it home."""

from __future__ import annotations

import time
from typing import Annotated

import tyro
from tqdm import tqdm

from robot.client.client import HISTORY, Client
from robot.client.followed_driver import FollowedDriver
from robot.client.home import go_home
from robot.client.status import status_of
from robot.errors import ConnectionLost
from robot.wire.addresses import COMMAND
from robot.wire.local_stop import stop_locally
from robot.wire.messages import JointState

_FIRST_STATE_S = 2.0

Address = Annotated[str, tyro.conf.arg(help="where the driver takes commands")]


def status(
    command_address: Address = COMMAND,
    follow: Annotated[bool, tyro.conf.arg(help="repeat every second until Ctrl-C")] = False,
) -> None:
    """Show a driver's state over one second: mode, lease holder, rates, ages, motion, effort and clamps.

    With --follow it says when the driver is gone, and goes on when that is back.
    """
    with FollowedDriver(command_address, HISTORY, told=_say if follow else None) as driver:
        driver.wait(_FIRST_STATE_S)
        while True:
            states = _a_second_of(driver)
            if states:
                print("\n".join(status_of(driver.arm, states).lines), flush=True)
            elif not follow:
                raise ConnectionLost(f"{driver.gone or f'the driver at {command_address} is silent'}; is it running?")
            if not follow:
                return
            if states:
                print(flush=True)


def _a_second_of(driver: FollowedDriver) -> list[JointState]:
    """Return the states of one second from now; none when the driver is gone, or went away."""
    driver.history.clear()
    until = time.monotonic() + 1.0
    while time.monotonic() < until:
        driver.drain()
        time.sleep(0.01)
    return list(driver.history)


def _say(line: str) -> None:
    print(f"status: {line}", flush=True)


def stop(
    command_address: Address = COMMAND,
    reason: Annotated[
        str, tyro.conf.arg(help="reason, for the flight log and for the client that is stopped")
    ] = "stopped by hand",
) -> None:
    """Bring the arm to rest at once, whichever client moves it; it stays stopped until `worldarm reset`."""
    if not stop_locally(command_address, reason):
        with Client(command_address) as client:
            client.stop(reason)
    print(f"stopped: {reason}; `worldarm reset` lets it move again")


def reset(command_address: Address = COMMAND) -> None:
    """Allow a stopped arm to be moved again; nothing moves by itself."""
    with Client(command_address) as client:
        client.reset()
    # Without the mode: the next published state may be older than the reset.
    print("reset: the arm can be moved again; a client that wants to move it must acquire the lease again")


def home(
    command_address: Address = COMMAND,
    speed: Annotated[float, tyro.conf.arg(help="share of each joint's velocity limit, up to 1")] = 0.2,
) -> None:
    """Move the arm to its home in a straight line of its joints, slowly; on Ctrl-C the arm holds.

    A path through an obstacle or out of the workspace is refused before anything moves.
    """
    with Client(command_address) as client, tqdm(total=100, unit="%", desc="home", leave=False, delay=2.0) as bar:
        print(
            f"home: moving {client.arm.name} with up to {100 * speed:.0f} % of its speed; on Ctrl-C it holds",
            flush=True,
        )

        def show(share: float) -> None:
            bar.update(round(100 * share) - bar.n)

        far = go_home(client, speed, show)
    print(f"at home, {far:.2f} rad from where it was")
