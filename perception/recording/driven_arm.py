"""The action convention in which the arm behind a driver is recorded."""

from __future__ import annotations

from typing import Any

from robot.client.client import Client
from robot.embodiment.actions import ConventionName, convention_named
from robot.embodiment.convention import ArmConvention

_PATIENCE_S = 2.0


def convention_for(command_address: str, name: ConventionName) -> ArmConvention[Any]:
    """Return the action convention `name` for the arm behind the driver at `command_address`.

    Raises `ConfigurationError`, `ConnectionLost`, `Refused` and `WireError`, as `Client` does.
    """
    with Client(command_address, _PATIENCE_S) as client:
        return convention_named(name, client.arm)
