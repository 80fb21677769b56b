"""The simulated scene behind a driver, found by the name of the driver's arm, so that a recording can reset it.

A package that simulates an arm registers its scene under the arm's name:

    [project.entry-points."worldarm.scenes"]
    my-arm = "my_package.scene:Rearrangement"
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from robot import registry
from robot.client.client import Client
from robot.embodiment.convention import ActionConvention
from robot.errors import Refused

_PATIENCE_S = 2.0


class MakeRearrangement(Protocol):
    """What an entry point of `worldarm.scenes` names."""

    def __call__(self, command_address: str, action: ActionConvention, seed: int | None) -> Callable[[], str]:
        """Return what moves the objects behind the driver at `command_address` to places where episodes of `action`
        begin, drawn by `seed` (None: another each time), and returns in words what it did.

        Raises `ConfigurationError` when the scene knows no such episodes.
        """


def simulated_scene_reset(command_address: str, action: ActionConvention, seed: int | None) -> Callable[[], str] | None:
    """Return what resets the simulated scene of the driver at `command_address`; None when the driver has none.

    Raises what `Client` raises.
    """
    with Client(command_address, _PATIENCE_S) as client:
        return _SceneReset(client.arm.name, command_address, action, seed) if client.has_scene else None


class _SceneReset:
    """Loads the scene when it is first reset: loading takes seconds, and a real arm never needs it."""

    def __init__(self, arm: str, command_address: str, action: ActionConvention, seed: int | None) -> None:
        self._arm = arm
        self._wanted = (command_address, action, seed)
        self._rearrange: Callable[[], str] | None = None

    def __call__(self) -> str:
        with Client(self._wanted[0], _PATIENCE_S) as client:
            holder = client.state().holder
        if holder:
            raise Refused("held", f"{holder} has the arm; end what moves it, then reset the scene")
        if self._rearrange is None:
            make: MakeRearrangement = registry.load(registry.SCENES, self._arm)
            self._rearrange = make(*self._wanted)
        return self._rearrange()
