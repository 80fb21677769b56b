"""The objects of a simulated arm, as its driver handles them: read, placed on request, and published."""

from __future__ import annotations

import math

from robot.arm.checked_calls import arm_faults
from robot.arm.interface import HasScene, ObjectPose, Reading
from robot.errors import ConfigurationError, Refused
from robot.wire.messages import SceneState

SCENE_TICKS = 5
OBJECT_RANGE = 10.0
"""m from the base, on each axis; a request to put an object further out is a mistake."""


class SceneManager:
    """Handles the scene of one arm; a new epoch begins each time objects are placed."""

    def __init__(self, scene: HasScene) -> None:
        self._scene = scene
        self._objects: tuple[ObjectPose, ...] = ()
        self._epoch = 0
        self._told_epoch = -1

    def look(self) -> None:
        """Read and keep the present poses of the objects. Raises `ArmError`."""
        with arm_faults():
            self._objects = self._scene.objects()

    def place(self, objects: tuple[ObjectPose, ...]) -> None:
        """Put `objects` at the given poses. Raises `Refused`, with nothing changed, and `ArmError`."""
        for item in objects:
            if max(map(abs, item.position)) > OBJECT_RANGE:
                raise Refused("out-of-workspace", f"{item.name} would be more than {OBJECT_RANGE:g} m away")
            if abs(math.hypot(*item.orientation) - 1.0) > 1e-3:
                raise Refused("malformed", f"the orientation of {item.name} is not a unit quaternion (x, y, z, w)")
        try:
            with arm_faults(but=ConfigurationError):
                self._scene.place(objects)
        except ConfigurationError as error:
            raise Refused("unknown-object", str(error)) from error
        self._epoch += 1

    def news(self, reading: Reading, tick: int) -> SceneState | None:
        """Return the scene as last read, with the joints of `reading`; None when this tick publishes no scene."""
        if tick % SCENE_TICKS != 0 and self._epoch == self._told_epoch:
            return None
        self._told_epoch = self._epoch
        return SceneState(
            time_ns=reading.time_ns,
            epoch=self._epoch,
            joints=reading.positions,
            gripper_width=reading.gripper_width,
            objects=self._objects,
        )
