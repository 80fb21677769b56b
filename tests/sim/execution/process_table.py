"""The simulated arm's driver and camera as a user starts them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from robot.client.client import Client
from tests.commands import Running, running

ANY_PORT = "tcp://127.0.0.1:*"
PATIENCE_S = 120.0


@dataclass(frozen=True)
class SimulatedDriver:
    """A running driver: its process, and where it takes commands and publishes."""

    process: Running
    command: str
    state: str

    def client(self) -> Client:
        """A new client; patient, because the machine may be busy."""
        return Client(self.command, 5.0)


@contextmanager
def simulated_driver(state_address: str = ANY_PORT, command_address: str = ANY_PORT) -> Iterator[SimulatedDriver]:
    """Start `worldarm driver --arm sim`."""
    arguments = ["driver", "--arm", "sim", "--state-address", state_address, "--command-address", command_address]
    with running(*arguments) as process:
        found = re.search(r"command (tcp://\S+), state (tcp://[^\s;]+)", process.first_line)
        assert found, f"no addresses in {process.first_line!r}"
        yield SimulatedDriver(process, found[1], found[2])


def camera_arguments(state_address: str, rate_hz: float = 50.0, view: str = "front") -> list[str]:
    """The words of `worldarm camera --source sim` with small pictures."""
    words = ["camera", "--source", "sim", "--name", view, "--rate-hz", str(rate_hz), "--width", "64", "--height", "48"]
    return [*words, "--state-address", state_address, "--frames-address", ANY_PORT]
