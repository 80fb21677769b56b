"""What the tests of the simulation share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sim.world.cameras import front_camera
from sim.world.lockstep import LockStep
from tests.control.conftest import trained_run

__all__ = ["trained_run", "world"]


@pytest.fixture(scope="module")
def world() -> Iterator[LockStep]:
    """A world in lock-step that is seen in 32×32 pixels."""
    world = LockStep(front_camera(32, 32))
    yield world
    world.close()
