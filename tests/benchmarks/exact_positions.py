"""Exact poses in place of pictures: what perfect eyes would see, in the shape of a picture, for every part that reads
pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from perception.model.encoders import EncoderRequest
from robot.arm.interface import ObjectPose
from robot.arm.rotations import rotation_matrix
from robot.errors import ConfigurationError
from robot.wire.camera_spec import CameraSpec
from sim.world.scene import GRASPABLE, Scene, present

ENCODER = "exact-positions"
NAMES = tuple(thing.name for thing in GRASPABLE)
TOKEN = len(NAMES) + 1 + 3 + 6
"""Numbers of a thing's token: which thing it is, whether it is there, its position, and two columns of its rotation."""
_CENTRE_M, _SPREAD_M = np.array([0.5, 0.0, 0.05]), 0.15
_LARGEST = 8.0
_STEPS = 2**24 - 1
"""A number is stored in the three bytes of one pixel."""


def tokens_of(objects: Sequence[ObjectPose]) -> NDArray[np.float64]:
    """Return the tokens (K, TOKEN) of the K things in `NAMES`; a thing that is absent is zero but for its name."""
    poses = {each.name: each for each in objects if present(each)}
    tokens = np.zeros((len(NAMES), TOKEN))
    for number, name in enumerate(NAMES):
        tokens[number, number] = 1.0
        if name in poses:
            position = (np.asarray(poses[name].position) - _CENTRE_M) / _SPREAD_M
            rotation = rotation_matrix(poses[name].orientation)[:, :2]
            tokens[number, len(NAMES) :] = 1.0, *position, *rotation.T.flatten()
    return tokens


def picture_of(objects: Sequence[ObjectPose], height: int, width: int) -> NDArray[np.uint8]:
    """Return a picture (height, width, 3) uint8 whose first pixels hold the tokens of `objects`, to 1e-6."""
    numbers = tokens_of(objects).flatten()
    steps = np.round((np.clip(numbers / _LARGEST, -1.0, 1.0) + 1.0) / 2.0 * _STEPS).astype(np.int64)
    picture = np.zeros((height * width, 3), np.uint8)
    picture[: len(steps)] = np.stack([steps >> 16, steps >> 8 & 255, steps & 255], axis=-1)
    return picture.reshape(height, width, 3)


class ExactScene(Scene):
    """A scene whose pictures hold the exact poses of its objects."""

    def render(self, camera: CameraSpec) -> NDArray[np.uint8]:
        """Return the picture of the objects for `camera`, (H, W, 3) uint8, as `picture_of` does."""
        return picture_of(self.objects(), camera.height, camera.width)


class ExactEncoder(nn.Module):
    """Reads the tokens from pictures of `picture_of`; nothing in it is learnt."""

    frames = 1
    keypoints = 0
    entities = len(NAMES)
    latent = len(NAMES) * TOKEN

    def __init__(self, width: int, height: int) -> None:
        super().__init__()
        self.picture = width, height

    def look(self, clips: Tensor) -> tuple[Tensor, None]:
        """Return the latents (B, K × TOKEN) of `clips` (B, 1, V × H, W, 3) uint8, as `Encoder.look` does."""
        pixels = clips[:, -1].flatten(1, 2)[:, : self.latent].double()
        steps = pixels @ pixels.new_tensor([65536.0, 256.0, 1.0])
        return ((2.0 * steps / _STEPS - 1.0) * _LARGEST).float(), None


def make_encoder(request: EncoderRequest) -> ExactEncoder:
    """Return the encoder. Raises `ConfigurationError` for a number of entities other than that of the things."""
    if request.entities != len(NAMES):
        raise ConfigurationError(f"there are {len(NAMES)} things, so --sizes.entities must be {len(NAMES)}")
    return ExactEncoder(*(request.picture or (64, 64)))
