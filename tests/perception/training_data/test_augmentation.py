from __future__ import annotations

import msgspec
import numpy as np
import pytest
import torch
from torch import Tensor

from perception.training_data.augmentation import Augmentation, vary, vary_clips

STILL = Augmentation(share=1.0, colour=0.0, light=0.0, texture=0.0, shift=0.0, turn=0.0, zoom=0.0, clutter=0.0)


def scene(count: int = 16) -> Tensor:
    """A red square on grey, (B, 48, 48, 3)."""
    pictures = torch.full((count, 48, 48, 3), 120, dtype=torch.uint8)
    pictures[:, 20:28, 20:28] = torch.tensor([200, 20, 20], dtype=torch.uint8)
    return pictures


def varied(pictures: Tensor, augmentation: Augmentation, seed: int = 0) -> Tensor:
    return vary(pictures, augmentation, torch.Generator().manual_seed(seed))


def where_red(pictures: Tensor) -> np.ndarray:
    """The middle of what is red in each picture, (B, 2) pixels."""
    red = (pictures[..., 0].int() - pictures[..., 1].int()) > 60
    return np.array([np.argwhere(one.numpy()).mean(0) for one in red])


def test_without_a_share_nothing_changes() -> None:
    assert varied(scene(), Augmentation()) is not None
    torch.testing.assert_close(varied(scene(), Augmentation()), scene())
    torch.testing.assert_close(varied(scene(), STILL), scene())


def test_the_seed_decides_and_each_picture_looks_otherwise() -> None:
    looks = Augmentation(share=1.0)
    first = varied(scene(), looks)
    torch.testing.assert_close(varied(scene(), looks), first)
    assert (varied(scene(), looks, seed=1) != first).any()
    assert all((first[0] != other).any() for other in first[1:])
    assert first.shape == (16, 48, 48, 3) and first.dtype == torch.uint8


def test_the_share_says_how_many_are_changed() -> None:
    made = varied(scene(400), Augmentation(share=0.3))
    changed = (made != scene(400)).flatten(1).any(1).float().mean()
    assert 0.2 < float(changed) < 0.4


@pytest.mark.parametrize("part", ["colour", "light", "texture", "shift", "turn", "zoom", "clutter"])
def test_every_part_changes_something_by_itself(part: str) -> None:
    looks = msgspec.structs.replace(STILL, **{part: getattr(Augmentation(), part)})
    assert (varied(scene(), looks) != scene()).flatten(1).any(1).float().mean() > 0.5


def test_the_camera_moves_by_no_more_than_told() -> None:
    looks = msgspec.structs.replace(STILL, shift=0.1)
    ways = where_red(varied(scene(64), looks)) - where_red(scene(64))
    assert 2.0 < np.abs(ways).max() < 0.1 * 48 + 0.6


def test_what_is_to_be_grasped_stays_in_the_picture() -> None:
    looks = Augmentation(share=1.0, clutter=0.0)
    made = varied(scene(64), looks)
    assert np.isfinite(where_red(made)).all(), "the red square is still red"


def test_what_two_cameras_see_varies_each_by_itself() -> None:
    """The light and the shift of the one are not those of the other, and neither runs into the other's picture."""
    seen = torch.full((40, 64, 32, 3), 120, dtype=torch.uint8)
    seen[:, 32:] = 60
    varied = vary(seen, Augmentation(share=1.0, texture=0.0, clutter=0.0), torch.Generator().manual_seed(0), views=2)
    assert varied.shape == seen.shape and varied.dtype == torch.uint8
    above, below = (half.float().mean((1, 2, 3)) for half in (varied[:, :32], varied[:, 32:]))
    together = torch.corrcoef(torch.stack([above, below]))[0, 1]
    assert above.std() > 5 and below.std() > 2 and abs(float(together)) < 0.5


def test_pictures_that_shall_look_alike_do_and_differ_from_the_next() -> None:
    """One day's camera and light, one after another: what is the same in two pictures stays the same."""
    made = vary(scene(12), Augmentation(share=1.0), torch.Generator().manual_seed(0), group=4)
    days = made.unflatten(0, (3, 4))
    assert torch.equal(days, days[:, :1].expand_as(days))
    assert not torch.equal(days[0], days[1]) and not torch.equal(days[1], days[2])


def test_a_look_cannot_be_shared_by_a_part_of_a_picture() -> None:
    with pytest.raises(ValueError, match="10 pictures cannot be changed in groups of 4"):
        vary(scene(10), Augmentation(share=1.0), torch.Generator(), group=4)


def test_a_clip_seen_by_one_camera_is_moved_as_a_whole_and_so_are_its_plain_pictures() -> None:
    clips = scene(12).unflatten(0, (3, 4, 1))
    looks = Augmentation(share=1.0, turn=0.0, zoom=0.0, clutter=0.0)
    images, plain = vary_clips(clips, looks, torch.Generator().manual_seed(0), 1, one_camera=True)
    assert torch.equal(plain, plain[:, :1].expand_as(plain)), "one camera pose a clip"
    assert not torch.equal(plain[0], plain[1])
    assert not torch.equal(images[:, 0], images[:, 1]), "and its own light a picture"
    np.testing.assert_allclose(where_red(images.flatten(0, 2)), where_red(plain.flatten(0, 1)), atol=0.6)
    free, as_recorded = vary_clips(clips, looks, torch.Generator().manual_seed(0), 1, one_camera=False)
    assert torch.equal(as_recorded, clips[:, :, 0])
    places = where_red(free.flatten(0, 2)).reshape(3, 4, 2)
    assert np.ptp(places, axis=1).max() > 1, "each picture has its own camera pose"
