"""How the simulated world augmentation: the light, and where the camera really stands."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np

from robot.arm.rotations import multiply
from robot.wire.camera_spec import CameraSpec, rig

SHIFT_M = 0.02
TURN_RAD = float(np.deg2rad(3.0))


@dataclass(frozen=True)
class Light:
    """One lamp: the `direction` it shines from, its RGB `colour` in [0, 1], and the shares of light that come from all
    round (`ambient`), from the lamp (`diffuse`), and as a gloss (`specular`)."""

    direction: tuple[float, float, float] = (0.6, 0.4, 1.5)
    colour: tuple[float, float, float] = (1.0, 1.0, 1.0)
    ambient: float = 0.6
    diffuse: float = 0.35
    specular: float = 0.05


@dataclass(frozen=True)
class Appearance:
    """What the world is drawn with."""

    camera: CameraSpec
    light: Light = Light()


def shifted(camera: CameraSpec, rng: np.random.Generator) -> CameraSpec:
    """Return `camera`, posed, up to `SHIFT_M` away along each axis and turned by up to `TURN_RAD` about any; of a rig,
    each camera by itself."""
    if camera.below:
        return rig(camera.name, tuple(shifted(view, rng) for view in camera.views))
    assert camera.position is not None and camera.orientation is not None, "a simulated camera has a pose"
    x, y, z = (float(value) for value in np.asarray(camera.position) + rng.uniform(-SHIFT_M, SHIFT_M, 3))
    axis, angle = rng.standard_normal(3), rng.uniform(-TURN_RAD, TURN_RAD)
    axis = axis / np.linalg.norm(axis) * np.sin(angle / 2)
    turn = (float(axis[0]), float(axis[1]), float(axis[2]), float(np.cos(angle / 2)))
    return msgspec.structs.replace(camera, position=(x, y, z), orientation=multiply(turn, camera.orientation))


def other_light(rng: np.random.Generator) -> Light:
    """Return a lamp from anywhere above, tinted, and dimmer or brighter than usual."""
    x, y = rng.uniform(-1.5, 1.5, 2)
    red, green, blue = rng.uniform(0.75, 1.0, 3)
    return Light(
        direction=(float(x), float(y), 1.5),
        colour=(float(red), float(green), float(blue)),
        ambient=float(rng.uniform(0.4, 0.8)),
        diffuse=float(rng.uniform(0.2, 0.6)),
        specular=float(rng.uniform(0.0, 0.3)),
    )
