"""Mirror images of episodes, as further episodes for training: what an arm did on its left it can do on its right.

Reflection in the vertical plane y = 0 of the base frame turns a recording into another that could have been made, as
long as the camera stands in that plane and looks along it.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from perception.training_data.frame_cache import FrameCache, Pictures
from robot.arm.rotations import rotation_matrix
from robot.embodiment.description import EmbodimentDescription
from robot.embodiment.state_entries import mirror_signs
from robot.errors import ConfigurationError
from robot.wire.camera_spec import CameraSpec

ASIDE_M = 0.005
"""How far the camera, and the point on its axis a metre away, may be from the plane."""
OFF_CENTRE = 0.01
"""How far the optical axis may be from the middle of the picture, as a share of the width."""


class WithMirrored:
    """Pictures (N, H, W, 3), followed by the mirror images of those with the indices `chosen` (M,), computed when
    read."""

    def __init__(self, pictures: Pictures, chosen: NDArray[np.int64]) -> None:
        self._pictures = pictures
        self._count = len(pictures)
        self._numbers = np.concatenate([np.arange(self._count), chosen])

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, index: NDArray[np.int64] | slice) -> NDArray[np.uint8]:
        """Return a copy of the pictures at `index`."""
        asked = np.arange(len(self))[index]
        found = np.array(self._pictures[self._numbers[asked]])
        flipped = asked >= self._count
        found[flipped] = found[flipped][..., ::-1, :]
        return found


def with_mirrored(
    cache: FrameCache, episodes: NDArray[np.int64], embodiment: EmbodimentDescription
) -> tuple[FrameCache, NDArray[np.int64]]:
    """Return the cache with the mirror images of `episodes` after its own episodes, and the numbers of the new ones.

    Raises `ConfigurationError` when the camera does not stand in the plane, or when the mirror image of the actions or
    of an entry of the state is not known.
    """
    _require_in_plane(embodiment.camera)
    chosen = cache.frames_of(episodes)
    states = np.array(mirror_signs(embodiment.state_names), dtype=np.float32)
    actions = np.array(embodiment.action.mirror_signs(), dtype=np.float32)
    lengths = cache.lengths[episodes]
    starts = cache.frames + np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64)
    truth = cache.truth
    if truth is not None:
        truth = np.concatenate([truth, truth[chosen] * np.array([1.0, -1.0, 1.0], dtype=np.float32)])
    both = dataclasses.replace(
        cache,
        images=WithMirrored(cache.images, chosen),
        states=np.concatenate([cache.states, cache.states[chosen] * states]),
        actions=np.concatenate([cache.actions, cache.actions[chosen] * actions]),
        clean_actions=np.concatenate([cache.clean_actions, cache.clean_actions[chosen] * actions]),
        truth=truth,
        starts=np.concatenate([cache.starts, starts]),
        lengths=np.concatenate([cache.lengths, lengths]),
        recorded=np.concatenate([cache.recorded, cache.recorded[episodes]]),
    )
    return both, np.arange(len(cache.starts), len(both.starts))


def _require_in_plane(camera: CameraSpec) -> None:
    """Raise `ConfigurationError` when the camera, or a camera of the rig, does not stand in the plane."""
    for view in camera.views:
        if view.position is None or view.orientation is None:
            raise ConfigurationError(
                f"the pose of the camera {view.name!r} is not known, so its pictures cannot be mirrored: calibrate it, "
                "or train without mirror images"
            )
        right, _, forward = rotation_matrix(view.orientation).T
        aside = max(abs(view.position[1]), abs(forward[1]), abs(right[0]), abs(right[2]))
        if aside > ASIDE_M or abs(view.centre[0] - view.width / 2) > OFF_CENTRE * view.width:
            raise ConfigurationError(
                f"the camera {view.name!r} does not stand in the arm's plane y = 0 and look along it, so its pictures "
                "cannot be mirrored; train without mirror images"
            )
