"""Pictures for people: what an agent's first camera sees, larger and with shadows.

The agent never sees them. They are rendered from scenes that were recorded, so that they cost a run no time.
"""

from __future__ import annotations

from types import TracebackType

import numpy as np

from perception.camera.interface import Image
from robot.wire.camera_spec import CameraSpec, reframed
from robot.wire.messages import SceneState
from sim.world.scene import EVERYTHING, Scene

HEIGHT = 480
"""Pixels; the width follows from the camera's view."""


class LargeView:
    """Renders recorded scenes as the first view of `camera` sees them: `width` x `height` pixels, `scale` times as
    large as the agent's picture. A context that frees its world at the end."""

    def __init__(self, camera: CameraSpec, height: int = HEIGHT) -> None:
        view = camera.views[0]
        self.scale = height / view.height
        self.width = round(self.scale * view.width)
        self._camera = reframed(view, (self.width, height))
        self._mirror = Scene(EVERYTHING)
        self._mirror.shadows = True

    def picture(self, scene: SceneState) -> Image:
        """Return the picture (H, W, 3) uint8 RGB of `scene`."""
        self._mirror.set_arm(np.asarray(scene.joints), scene.gripper_width)
        self._mirror.place(scene.objects)
        return self._mirror.render(self._camera)

    def __enter__(self) -> LargeView:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._mirror.close()
