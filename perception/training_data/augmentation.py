"""Augmentation: random changes of colours, light, texture, camera pose and clutter in the pictures of a training.

Each picture of a clip gets its own random changes. The previous picture does not predict them, so the encoder learns to
ignore them.
"""

from __future__ import annotations

import math

import msgspec
import torch
from torch import Tensor
from torch.nn import functional

# Yellow, magenta, cyan, orange, violet, near black and near white: the colours of no object that is grasped.
_CLUTTER = torch.tensor(
    [
        [220.0, 200.0, 40.0],
        [190.0, 60.0, 170.0],
        [60.0, 190.0, 200.0],
        [225.0, 130.0, 30.0],
        [110.0, 60.0, 190.0],
        [40.0, 40.0, 40.0],
        [230.0, 230.0, 225.0],
    ]
)
_PATCHES = 8
_MOST_CLUTTER = 3


class Augmentation(msgspec.Struct, frozen=True):
    """How far pictures are changed; every change is drawn up to its number.

    `share`: the probability that a picture is changed at all. `colour`: relative gain of each channel. `light`:
    relative change of brightness, of contrast, and of brightness from edge to edge. `texture`: grey levels of 255. The
    camera's `shift` is a share of the picture's width, its `turn` in degrees, its `zoom` relative. `clutter`: the
    probability of each of three small shapes.
    """

    share: float = 0.0
    colour: float = 0.15
    light: float = 0.3
    texture: float = 12.0
    shift: float = 0.05
    turn: float = 3.0
    zoom: float = 0.05
    clutter: float = 0.25

    def camera_only(self) -> Augmentation:
        """Return the changes of the camera's pose alone."""
        return msgspec.structs.replace(self, colour=0.0, light=0.0, texture=0.0, clutter=0.0)

    def appearance_only(self) -> Augmentation:
        """Return all changes but those of the camera's pose."""
        return msgspec.structs.replace(self, shift=0.0, turn=0.0, zoom=0.0)


def vary(pictures: Tensor, augmentation: Augmentation, rng: torch.Generator, views: int = 1, group: int = 1) -> Tensor:
    """Return `pictures` (B, H, W, 3) uint8 RGB with a random choice of them changed.

    Each `group` of consecutive pictures gets the same changes. Where the pictures of `views` cameras are stacked in
    one, each view gets its own. Raises `ValueError` unless B is a multiple of `group`.
    """
    if len(pictures) % group:
        raise ValueError(f"{len(pictures)} pictures cannot be changed in groups of {group}")
    if augmentation.share <= 0.0:
        return pictures
    if views > 1:
        each = [vary(part, augmentation, rng, group=group) for part in pictures.chunk(views, dim=1)]
        return torch.cat(each, dim=1)
    chosen = torch.rand(len(pictures) // group, generator=rng) < augmentation.share
    if not bool(chosen.any()):
        return pictures
    chosen = chosen.repeat_interleave(group)
    # Everything below goes through one channel after the other, and broadcasts each change over the pictures of its
    # group: (B, G, 3, H, W).
    pixels = pictures[chosen].permute(0, 3, 1, 2).float().unflatten(0, (-1, group)).contiguous()
    if augmentation.clutter > 0.0:
        pixels = _clutter(pixels, augmentation, rng)
    if max(augmentation.shift, augmentation.turn, augmentation.zoom) > 0.0:
        pixels = _camera(pixels, augmentation, rng)
    if max(augmentation.colour, augmentation.light, augmentation.texture) > 0.0:
        pixels = _light(pixels, augmentation, rng)
    varied = pictures.clone()
    varied[chosen] = pixels.clamp(0.0, 255.0).round().to(torch.uint8).flatten(0, 1).permute(0, 2, 3, 1)
    return varied


def vary_clips(
    images: Tensor, augmentation: Augmentation, rng: torch.Generator, views: int, one_camera: bool
) -> tuple[Tensor, Tensor]:
    """Return `images` (B, T, F, H, W, 3) uint8 RGB varied, and their last pictures (B, T, H, W, 3) as they would look
    without that.

    The F pictures at each of T times have the same changes. With `one_camera` all pictures of a clip have the same
    camera pose, and the second result shows them from there.
    """
    shape = images.shape[:3]
    plain, pictures = images[:, :, -1], images.flatten(0, 2)
    if one_camera:
        pictures = vary(pictures, augmentation.camera_only(), rng, views, group=shape[1] * shape[2])
        plain, augmentation = pictures.unflatten(0, shape)[:, :, -1], augmentation.appearance_only()
    return vary(pictures, augmentation, rng, views, group=shape[2]).unflatten(0, shape), plain


def _spread(count: int, amount: float, rng: torch.Generator, *shape: int) -> Tensor:
    """Return numbers between −amount and amount, (count, *shape)."""
    return (2.0 * torch.rand((count, *shape), generator=rng) - 1.0) * amount


def _camera(pixels: Tensor, augmentation: Augmentation, rng: torch.Generator) -> Tensor:
    """Move, turn and zoom pictures (B, G, 3, H, W), each group independently; uncovered areas repeat the edge."""
    count, group = pixels.shape[:2]
    angle = _spread(count, math.radians(augmentation.turn), rng)
    scale = 1.0 + _spread(count, augmentation.zoom, rng)
    moved = _spread(count, 2.0 * augmentation.shift, rng, 2)
    cosine, sine = torch.cos(angle) * scale, torch.sin(angle) * scale
    matrix = torch.stack(
        [torch.stack([cosine, -sine, moved[:, 0]], -1), torch.stack([sine, cosine, moved[:, 1]], -1)], 1
    )
    # The pictures of a group are moved as the channels of one.
    channels = pixels.flatten(1, 2)
    grid = functional.affine_grid(matrix, list(channels.shape), align_corners=False)
    moved_pixels = functional.grid_sample(channels, grid, padding_mode="border", align_corners=False)
    return moved_pixels.unflatten(1, (group, -1))


def _light(pixels: Tensor, augmentation: Augmentation, rng: torch.Generator) -> Tensor:
    """Change colours, brightness, contrast and texture of pictures (B, G, 3, H, W), each group independently."""
    count, _, _, height, width = pixels.shape
    gain = 1.0 + _spread(count, augmentation.colour, rng, 1, 3, 1, 1)
    bright = 1.0 + _spread(count, augmentation.light, rng, 1, 1, 1, 1)
    slope = _spread(count, augmentation.light, rng, 1, 2, 1, 1)
    down, across = torch.linspace(-0.5, 0.5, height)[:, None], torch.linspace(-0.5, 0.5, width)[None, :]
    shade = 1.0 + slope[:, :, :1] * down + slope[:, :, 1:] * across
    contrast = 1.0 + _spread(count, augmentation.light, rng, 1, 1, 1, 1)
    middle = pixels.mean((1, 2, 3, 4), keepdim=True)
    rough = torch.randn((count, 1, height // _PATCHES, width // _PATCHES), generator=rng)
    texture = functional.interpolate(rough, size=(height, width), mode="bilinear", align_corners=False)
    amount = augmentation.texture * torch.rand((count, 1, 1, 1), generator=rng)
    rough_surface = (amount * texture).unsqueeze(1)
    return ((pixels - middle) * contrast + middle) * gain * bright * shade + rough_surface


def _clutter(pixels: Tensor, augmentation: Augmentation, rng: torch.Generator) -> Tensor:
    """Put up to three small ellipses and boxes into pictures (B, G, 3, H, W), each group independently."""
    count, _, _, height, width = pixels.shape
    rows, columns = torch.arange(height)[None, :, None], torch.arange(width)[None, None, :]
    for _ in range(_MOST_CLUTTER):
        there = torch.rand((count, 1, 1), generator=rng) < augmentation.clutter
        centre = torch.rand((count, 2, 1, 1), generator=rng) * torch.tensor([height, width])[None, :, None, None]
        size = (0.02 + 0.05 * torch.rand((count, 2, 1, 1), generator=rng)) * width
        v, u = (rows - centre[:, 0]) / size[:, 0], (columns - centre[:, 1]) / size[:, 1]
        round_one = torch.rand((count, 1, 1), generator=rng) < 0.5
        inside = torch.where(round_one, u**2 + v**2 < 1.0, torch.maximum(u.abs(), v.abs()) < 0.9)
        colour = _CLUTTER[torch.randint(len(_CLUTTER), (count,), generator=rng)]
        pixels = torch.where((inside & there)[:, None, None], colour[:, None, :, None, None], pixels)
    return pixels
