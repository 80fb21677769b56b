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
    """The type of the entries of `worldarm.scenes`."""

    def __call__(self, command_address: str, action: ActionConvention, seed: int | None) -> Callable[[], str]:
        """Return a function that moves the objects of the driver at `command_address` to start poses of episodes with
        the action convention `action`, and returns a message. The poses are drawn with `seed` (None: different in each
        run).

        Raises `ConfigurationError` when the scene has no such episodes.
        """


def simulated_scene_reset(command_address: str, action: ActionConvention, seed: int | None) -> Callable[[], str] | None:
    """Return a function that resets the simulated scene of the driver at `command_address`; None when the driver has
    none.

    Raises `ConfigurationError`, `ConnectionLost`, `Refused` and `WireError`, as `Client` does.
    """
    with Client(command_address, _PATIENCE_S) as client:
        return _SceneReset(client.arm.name, command_address, action, seed) if client.has_scene else None


class _SceneReset:
    """Loads the scene at the first reset: loading takes seconds, and a real arm never needs it."""

    def __init__(self, arm: str, command_address: str, action: ActionConvention, seed: int | None) -> None:
        self._arm = arm
        self._wanted = (command_address, action, seed)
        self._rearrange: Callable[[], str] | None = None

    def __call__(self) -> str:
        with Client(self._wanted[0], _PATIENCE_S) as client:
            holder = client.state().holder
        if holder:
            raise Refused("held", f"{holder} holds the lease; end that program, then reset the scene")
        if self._rearrange is None:
            make: MakeRearrangement = registry.load(registry.SCENES, self._arm)
            self._rearrange = make(*self._wanted)
        return self._rearrange()
