"""The appearance of the simulated world: the light, and the actual pose of the camera."""

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
    """One lamp: the `direction` from which it shines, its RGB `colour` in [0, 1], and the shares of `ambient`,
    `diffuse` and `specular` light."""

    direction: tuple[float, float, float] = (0.6, 0.4, 1.5)
    colour: tuple[float, float, float] = (1.0, 1.0, 1.0)
    ambient: float = 0.6
    diffuse: float = 0.35
    specular: float = 0.05


@dataclass(frozen=True)
class Appearance:
    """The camera and the light with which the world is rendered."""

    camera: CameraSpec
    light: Light = Light()


def shifted(
    camera: CameraSpec, rng: np.random.Generator, shift_m: float = SHIFT_M, turn_rad: float = TURN_RAD
) -> CameraSpec:
    """Return `camera`, which must have a pose, moved by up to `shift_m` along each axis and rotated by up to `turn_rad`
    about any axis; in a rig, each camera is moved independently."""
    if camera.below:
        return rig(camera.name, tuple(shifted(view, rng, shift_m, turn_rad) for view in camera.views))
    assert camera.position is not None and camera.orientation is not None, "a simulated camera has a pose"
    x, y, z = (float(value) for value in np.asarray(camera.position) + rng.uniform(-shift_m, shift_m, 3))
    axis, angle = rng.standard_normal(3), rng.uniform(-turn_rad, turn_rad)
    axis = axis / np.linalg.norm(axis) * np.sin(angle / 2)
    turn = (float(axis[0]), float(axis[1]), float(axis[2]), float(np.cos(angle / 2)))
    return msgspec.structs.replace(camera, position=(x, y, z), orientation=multiply(turn, camera.orientation))


def other_light(rng: np.random.Generator) -> Light:
    """Return a random lamp from above, tinted, and dimmer or brighter than the default."""
    x, y = rng.uniform(-1.5, 1.5, 2)
    red, green, blue = rng.uniform(0.75, 1.0, 3)
    return Light(
        direction=(float(x), float(y), 1.5),
        colour=(float(red), float(green), float(blue)),
        ambient=float(rng.uniform(0.4, 0.8)),
        diffuse=float(rng.uniform(0.2, 0.6)),
        specular=float(rng.uniform(0.0, 0.3)),
    )
