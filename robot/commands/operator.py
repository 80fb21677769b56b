"""`worldarm status|stop|reset|home`: what a person beside the arm wants to know and do, in one line each."""

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
from robot.wire.messages import JointState
from robot.wire.subscription import Subscription

Address = Annotated[str, tyro.conf.arg(help="where the driver takes commands")]


def status(
    command_address: Address = COMMAND,
    follow: Annotated[bool, tyro.conf.arg(help="go on, anew every second, until Ctrl-C")] = False,
) -> None:
    """Show how a driver is doing, over one second: mode, who has the lease, rates, ages, motion, effort and clamps."""
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
    reason: Annotated[str, tyro.conf.arg(help="for the record, and for whoever is stopped")] = "stopped by hand",
) -> None:
    """Bring the arm to rest at once, whoever moves it; it stays so until `worldarm reset`."""
    with Client(command_address) as client:
        client.stop(reason)
    print(f"stopped: {reason}; `worldarm reset` lets it move again")


def reset(command_address: Address = COMMAND) -> None:
    """Let a stopped arm be moved again; nothing moves by itself."""
    with Client(command_address) as client:
        client.reset()
    # Not the mode: the state that is told next may be of a tick before.
    print("reset: the arm can be moved again; whoever wants to move it acquires the lease anew")


def home(
    command_address: Address = COMMAND,
    speed: Annotated[float, tyro.conf.arg(help="share of each joint's velocity limit, up to 1")] = 0.2,
) -> None:
    """Move the arm to its home in a straight line of its joints, slowly; Ctrl-C and the arm holds.

    A way that leads through something, or out of the workspace, is refused before anything moves.
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
