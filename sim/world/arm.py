"""The simulated Panda behind the same interface as a real arm: a write sets the motors and advances the physics."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable

import numpy as np

from robot.arm.interface import ArmOptions, ArmSpec, ObjectPose, Reading, Vector
from robot.errors import ArmError, ConfigurationError
from sim.world.panda import panda_spec
from sim.world.scene import EVERYTHING, Scene


def make_arm(options: ArmOptions) -> SimulatedArm:
    """Return a simulated arm with its table and all objects; the entry point `sim` of `worldarm.arms`.

    Raises `ConfigurationError` when given an address or a calibration: the simulated arm lives inside its driver.
    """
    for option, given in (("address", options.address), ("calibration", options.calibration)):
        if given is not None:
            raise ConfigurationError(
                f"the simulated arm has no {option}, but {given!r} was given; leave --{option} out"
            )
    arm = SimulatedArm(Scene(EVERYTHING))
    weakref.finalize(arm, arm.scene.close)
    return arm


class SimulatedArm:
    """An `Arm` with a `scene`, which its owner frees. `clock` gives the monotonic time in ns; in lock-step it is the
    simulated time."""

    def __init__(self, scene: Scene, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self.spec: ArmSpec = panda_spec()
        self.scene = scene
        self._clock = clock
        self._started = False

    def start(self) -> None:
        """Enable the arm at its present position."""
        self._started = True

    def read(self) -> Reading:
        """Return PyBullet's present joint state."""
        positions, velocities, width = self.scene.joints()
        return Reading(self._clock(), positions, velocities, width)

    def write(self, positions: Vector, gripper_width: float) -> None:
        """Command the motors and advance the world by one period. Raises `ArmError` before `start` or after `close`."""
        if not self._started:
            raise ArmError("the simulated arm is not started")
        self.scene.command(positions, gripper_width)
        self.scene.step()

    def park(self) -> None:
        """Hold the present position."""
        positions, _, width = self.scene.joints()
        self.scene.command(np.asarray(positions), width)

    def close(self) -> None:
        """Release the link. The world stays as it is, and `start` opens the link again, as a driver does after a
        fault."""
        self._started = False

    def objects(self) -> tuple[ObjectPose, ...]:
        """Return the poses of the objects on the table."""
        return self.scene.objects()

    def place(self, objects: tuple[ObjectPose, ...]) -> None:
        """Put objects at the given poses, at rest. Raises `ConfigurationError` for an unknown name."""
        self.scene.place(objects)
