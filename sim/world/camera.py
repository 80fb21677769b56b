"""The simulated camera: a mirror of the driver's world in its own process, so that rendering never stalls the loop.

It receives the scene that the driver of the simulated arm publishes, sets the arm and objects to their poses at that
time, and renders them. It never steps the physics. A real arm is rendered at its measured joints, beside the objects at
their initial poses, because a real arm's driver publishes no objects.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from perception.camera.interface import CameraOptions, Picture
from robot.errors import CameraError, ConfigurationError, ConnectionLost
from robot.wire.camera_spec import CameraSpec
from robot.wire.messages import SceneState
from sim.world.cameras import camera_named
from sim.world.panda import panda_spec
from sim.world.scene import EVERYTHING, Scene
from sim.world.scene_mirror import MirrorSource

START_PATIENCE_S = 15.0
"""How long the camera waits for a driver that is started at the same time."""


def make_camera(options: CameraOptions) -> SimulatedCamera:
    """Return the simulated camera named `options.name`; the entry point `sim` of `worldarm.cameras`.

    Raises `ConfigurationError` when there is no camera of that name.
    """
    return SimulatedCamera(camera_named(options.name, options.width, options.height), options.state_address)


class SimulatedCamera:
    """A `Camera` that renders the newest scene published at `state_address`.

    The driver publishes a scene every fifth tick (50 Hz). A faster reader gets each scene as it comes; a slower reader
    gets the newest one, which is then at most 20 ms old. `start` waits at most `start_patience_s` for the driver.
    """

    def __init__(self, spec: CameraSpec, state_address: str, start_patience_s: float = START_PATIENCE_S) -> None:
        self.spec = spec
        self._state_address = state_address
        self._start_patience_s = start_patience_s
        self._dof = panda_spec().dof
        self._drawn_ns = 0
        self._mirrored: MirrorSource | None = None
        self._mirror: Scene | None = None

    def start(self) -> None:
        """Build the mirror and wait for the driver's first scene.

        Raises `CameraError` when none comes, or when it has another arm or other objects, and `ConfigurationError` for
        an invalid address or an unknown server key.
        """
        self._mirrored = MirrorSource(self._state_address)
        self._mirror = Scene(EVERYTHING)
        with self._lost(self._start_patience_s):
            scene = self._mirrored.first(self._start_patience_s)
        self._show(self._mirror, scene)

    def read(self, timeout_s: float) -> Picture:
        """Render the newest scene that has not been rendered before, waiting at most `timeout_s` for one.

        The picture's time is that of the scene. Raises `CameraError` when no scene comes, when it cannot be mirrored,
        or before `start`; `WireError` when the publisher uses another protocol.
        """
        if self._mirrored is None or self._mirror is None:
            raise CameraError(f"the simulated camera {self.spec.name} is not started")
        with self._lost(timeout_s):
            scene = self._mirrored.newer(timeout_s, self._drawn_ns)
        self._show(self._mirror, scene)
        self._drawn_ns = scene.time_ns
        return Picture(scene.time_ns, self._mirror.render(self.spec))

    def close(self) -> None:
        """Close the subscriptions and free the mirror; harmless when it never started."""
        if self._mirrored is not None:
            self._mirrored.close()
            self._mirrored = None
        if self._mirror is not None:
            self._mirror.close()
            self._mirror = None

    @contextmanager
    def _lost(self, timeout_s: float) -> Iterator[None]:
        """Wrap the wait for a scene: `ConnectionLost` becomes `CameraError`."""
        try:
            yield
        except ConnectionLost as error:
            if self._drawn_ns == 0:
                said = f"no scene to draw from {self._state_address} within {timeout_s:g} s"
            else:
                said = f"the driver at {self._state_address} has published no scene for {timeout_s:g} s"
            raise CameraError(
                f"{said}; the camera sim draws what `worldarm driver --arm sim` publishes: is that running, and is "
                "--state-address the one it printed?"
            ) from error

    def _show(self, mirror: Scene, scene: SceneState) -> None:
        """Set arm, gripper and objects of the mirror to their poses in `scene`."""
        if len(scene.joints) != self._dof:
            raise CameraError(
                f"the driver at {self._state_address} runs an arm of {len(scene.joints)} joints; the camera sim "
                f"draws the simulated Panda's {self._dof}"
            )
        mirror.set_arm(np.asarray(scene.joints), scene.gripper_width)
        try:
            mirror.place(scene.objects)
        except ConfigurationError as error:
            raise CameraError(
                f"the scene at {self._state_address} holds what the camera sim cannot draw: {error}"
            ) from error
