"""The simulated camera: a mirror of the driver's world in its own process, so that rendering never stalls the loop.

It receives the scene that the driver of the simulated arm publishes, sets the arm and objects to their poses at that
time, and renders them. It never steps the physics. A real arm is rendered at its measured joints, beside the objects at
their initial poses, because a real arm's driver publishes no objects.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from perception.camera.interface import CameraOptions, Picture
from robot.arm.interface import ArmSpec
from robot.client.client import Client
from robot.client.followed_driver import require_same_arm
from robot.errors import CameraAway, CameraError, ConfigurationError, ConnectionLost
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
    spec = camera_named(options.name, options.width, options.height)
    return SimulatedCamera(spec, options.state_address, options.command_address)


class SimulatedCamera:
    """A `Camera` that renders the newest scene published at `state_address` or, where `command_address` is given, at
    the address that the driver there names.

    The driver publishes a scene every fifth tick (50 Hz). A faster reader gets each scene as it comes; a slower reader
    gets the newest one, which is then at most 20 ms old. `start` waits at most `start_patience_s` for the driver. A
    driver that ends later is waited for; with a `command_address` it may come back with other addresses, but not with
    another arm.
    """

    def __init__(
        self,
        spec: CameraSpec,
        state_address: str,
        command_address: str | None = None,
        start_patience_s: float = START_PATIENCE_S,
    ) -> None:
        self.spec = spec
        self._state_address = state_address
        self._command_address = command_address
        self._start_patience_s = start_patience_s
        self._arm: ArmSpec | None = None
        self._dof = panda_spec().dof
        self._drawn_ns = 0
        self._began = False
        self._mirrored: MirrorSource | None = None
        self._mirror: Scene | None = None

    def start(self) -> None:
        """Build the mirror and wait for the driver's first scene.

        Raises `CameraError` when none comes, or when it has another arm or other objects, and `ConfigurationError` for
        an invalid address or an unknown server key.
        """
        self._mirror = Scene(EVERYTHING)
        deadline = time.monotonic() + self._start_patience_s
        with self._lost(self._start_patience_s):
            self._mirrored = self._follow(deadline)
            scene = self._mirrored.newer(max(0.0, deadline - time.monotonic()), 0)
        self._show(self._mirror, scene)
        self._began = True

    def read(self, timeout_s: float) -> Picture:
        """Render the newest scene that has not been rendered before, waiting at most `timeout_s` for one.

        The picture's time is that of the scene. Raises `CameraAway` when no scene comes; `OtherArm` when the driver
        came back with another arm; `CameraError` when the scene cannot be mirrored, or before `start`; `WireError` when
        the publisher uses another protocol.
        """
        if self._mirror is None:
            raise CameraError(f"the simulated camera {self.spec.name} is not started")
        deadline = time.monotonic() + timeout_s
        with self._lost(timeout_s):
            if self._mirrored is None:
                self._mirrored = self._follow(deadline)
            scene = self._mirrored.newer(max(0.0, deadline - time.monotonic()), self._drawn_ns)
        self._show(self._mirror, scene)
        self._drawn_ns, self._began = scene.time_ns, True
        return Picture(scene.time_ns, self._mirror.render(self.spec))

    def close(self) -> None:
        """Close the subscriptions and free the mirror; harmless when it never started."""
        self._forget()
        if self._mirror is not None:
            self._mirror.close()
            self._mirror = None

    def _follow(self, deadline: float) -> MirrorSource:
        """Subscribe to the driver. Where its command address is known, ask there until `deadline` (monotonic s), since
        a driver that was started again may publish elsewhere. Raises `ConnectionLost` and `OtherArm`."""
        if self._command_address is None:
            return MirrorSource(self._state_address)
        with Client(self._command_address, max(0.05, deadline - time.monotonic())) as client:
            arm, self._state_address = client.arm, client.state_address
        if self._arm is not None:
            require_same_arm(self._command_address, self._arm, arm)
        self._arm = arm
        return MirrorSource(self._state_address, notices_restarts=True)

    def _forget(self) -> None:
        if self._mirrored is not None:
            self._mirrored.close()
            self._mirrored = None

    @contextmanager
    def _lost(self, timeout_s: float) -> Iterator[None]:
        """Wrap the wait for a scene: `ConnectionLost` becomes `CameraError` before the first picture, `CameraAway`
        afterwards."""
        try:
            yield
        except ConnectionLost as error:
            where = self._state_address if self._command_address is None else self._command_address
            if self._command_address is not None:
                self._forget()
            if self._began:
                raise CameraAway(f"the driver at {where} has ended, or publishes no scene any more") from error
            raise CameraError(
                f"no scene to draw from {where} within {timeout_s:g} s; the camera sim draws what `worldarm driver "
                "--arm sim` publishes: is that running, and is this the address that it printed?"
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
