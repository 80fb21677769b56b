"""How far a picture is from what the model draws of it: far for a picture unlike any that the model learnt from.

The latent alone does not say whether a picture is known, because an encoder maps any picture to some latent, and that
of a black one is as usual as others. What the decoder draws of it, however, is a scene of the training data.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from perception.checkpoint.card import PictureErrors, PictureQuantiles
from perception.model.decoder import Decoder
from perception.model.world_model import WorldModel
from perception.training_data.augmentation import Augmentation, vary
from perception.training_data.clips import generator, torch_generator
from perception.training_data.frame_cache import FrameCache

MOST_PICTURES = 6000
"""The largest number of pictures to calibrate with; more hardly change the quantiles."""
PURPOSE = 79
_BATCH = 256
_FLAT = 1e-6
_AUGMENTATION = "world_model.augmentation."


@torch.inference_mode()
def picture_errors(model: WorldModel, decoder: Decoder, pictures: Tensor) -> Tensor:
    """Return two errors (N, 2) of each of `pictures` (N, H, W, 3) uint8 RGB against what the `decoder` draws of its
    latent: the root mean square difference, of 1, and 1 − their correlation.

    The difference notices brightness and colour. The correlation, over all pixels and channels after the mean of each
    view and channel is subtracted, notices shapes in any light; that of a picture of one colour is 0.
    """
    errors = []
    for batch in pictures.split(_BATCH):
        seen = batch.float() / 255.0
        drawn = decoder(model.encode(batch))
        difference = ((seen - drawn) ** 2).flatten(1).mean(1).sqrt()
        one, other = (_centred(each, model.config.views) for each in (seen, drawn))
        scale = ((one**2).sum(1) * (other**2).sum(1) + _FLAT).sqrt()
        errors.append(torch.stack([difference, 1.0 - (one * other).sum(1) / scale], 1))
    return torch.cat(errors)


def measure_errors(
    model: WorldModel,
    decoder: Decoder,
    cache: FrameCache,
    episodes: NDArray[np.int64],
    augmentation: Augmentation,
    seed: int = 0,
) -> PictureErrors:
    """Return the quantiles of the errors of the pictures in the held-out `episodes` of `cache`, as they are and varied
    as in training by `augmentation`."""
    rng = generator(seed, 0, PURPOSE)
    frames = cache.frames_of(episodes)
    if len(frames) > MOST_PICTURES:
        frames = np.sort(rng.choice(frames, MOST_PICTURES, replace=False))
    draws = torch_generator(rng)
    plain, varied = [], []
    for some in np.array_split(frames, -(-len(frames) // _BATCH)):
        pictures = torch.from_numpy(cache.images[some])
        plain.append(picture_errors(model, decoder, pictures))
        if augmentation.share > 0.0:
            changed = vary(pictures, augmentation, draws, model.config.views)
            varied.append(picture_errors(model, decoder, changed))
    errors = torch.cat(plain)
    changed_errors = torch.cat(varied) if varied else errors
    difference, dissimilarity = (_quantiles(errors[:, each], changed_errors[:, each]) for each in (0, 1))
    return PictureErrors(difference, dissimilarity, len(frames))


def augmentation_of(settings: Mapping[str, str | int | float]) -> Augmentation:
    """Return how a training with these `settings` varied its pictures."""
    own = {name: value for name, value in settings.items() if name.startswith(_AUGMENTATION)}
    return Augmentation(**{name.removeprefix(_AUGMENTATION): float(value) for name, value in own.items()})


def _centred(pictures: Tensor, views: int) -> Tensor:
    """Return `pictures` (N, H, W, 3) less the mean of each view and channel, as (N, H × W × 3)."""
    each = pictures.unflatten(1, (views, -1))
    return (each - each.mean((2, 3), keepdim=True)).flatten(1)


def _quantiles(errors: Tensor, varied: Tensor) -> PictureQuantiles:
    return PictureQuantiles(float(errors.median()), float(errors.quantile(0.999)), float(varied.quantile(0.99)))
