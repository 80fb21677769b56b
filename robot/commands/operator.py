"""`worldarm status|stop|reset|home`: show the state of an arm, stop it, reset it, and move it home."""

from __future__ import annotations

import time
from typing import Annotated

import tyro
from tqdm import tqdm

from robot.client.client import HISTORY, Client
from robot.client.home import go_home
from robot.client.status import status_of
from robot.wire import topics
from robot.wire.addresses import COMMAND
from robot.wire.local_stop import stop_locally
from robot.wire.messages import JointState
from robot.wire.subscription import Subscription

Address = Annotated[str, tyro.conf.arg(help="where the driver takes commands")]


def status(
    command_address: Address = COMMAND,
    follow: Annotated[bool, tyro.conf.arg(help="repeat every second until Ctrl-C")] = False,
) -> None:
    """Show a driver's state over one second: mode, lease holder, rates, ages, motion, effort and clamps."""
    with (
        Client(command_address) as client,
        Subscription(client.state_address, topics.STATE, JointState, HISTORY) as states,
    ):
        while True:
            states.history.clear()
            until = time.monotonic() + 1.0
            while (left_s := until - time.monotonic()) > 0:
                states.wait(max(left_s, 0.05) + 1.0)
                time.sleep(0.01)
            print("\n".join(status_of(client.arm, list(states.history)).lines), flush=True)
            if not follow:
                return
            print(flush=True)


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
