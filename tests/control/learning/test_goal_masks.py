from __future__ import annotations

import numpy as np
import torch

from control.learning.goal_masks import GoalMasks
from control.learning.hindsight import EncodedFrames, GoalMix, HindsightSampler
from perception.model.entities.layout import TokenLayout
from perception.model.entities.places import SAME_PLACE
from tests.tiny import frames

ENTITIES, TOKEN = 5, 32


def masks(share: float) -> GoalMasks:
    """Masks of things whose places are known to about 0.1."""
    rng = torch.Generator().manual_seed(0)
    return GoalMasks(
        share, TokenLayout(ENTITIES, 0), 0.1 * torch.randn(200, ENTITIES * TOKEN, generator=rng), np.arange(199)
    )


def test_of_the_masked_goals_some_leave_one_token_out_and_the_others_all_but_one_to_three() -> None:
    drawn = masks(0.65).draw(4000, np.random.default_rng(0))
    kept = drawn.sum(1).int()
    shares = torch.bincount(kept, minlength=ENTITIES + 1) / len(kept)
    torch.testing.assert_close(shares, torch.tensor([0.0, 0.117, 0.117, 0.117, 0.30, 0.35]), atol=0.03, rtol=0)
    torch.testing.assert_close(drawn.mean(0), drawn.mean().expand(ENTITIES), atol=0.03, rtol=0)
    assert masks(1.0).draw(500, np.random.default_rng(0)).amin(1).max() == 0


def test_goals_agree_when_the_tokens_that_matter_lie_where_they_should() -> None:
    made = masks(1.0)
    here = torch.zeros(3, ENTITIES * TOKEN)
    goal = here.clone().unflatten(1, (ENTITIES, TOKEN))
    goal[:, 0] = 1.0  # the first thing is elsewhere, the others are where they should be, but for noise
    goal[:, 1] += 0.05
    wanted = torch.ones(3, ENTITIES)
    wanted[0, 0] = 0.0  # the first thing does not matter
    wanted[1, 1] = 0.0
    assert made.agree(here, goal.flatten(1), wanted).tolist() == [True, False, False]
    assert made.agree(here, here, wanted).tolist() == [True, True, False], "a whole goal is reached at its frame only"


def test_tokens_with_places_agree_when_their_places_do() -> None:
    made = GoalMasks(1.0, TokenLayout(ENTITIES, 2), torch.zeros(2, ENTITIES * TOKEN), np.arange(1))
    here = torch.zeros(2, ENTITIES, TOKEN)
    goal = here.clone()
    goal[..., : TOKEN - 6] = 3.0  # what is seen of a thing changes with the hand beside it
    goal[1, 2, -6] = 0.3
    wanted = torch.ones(2, ENTITIES)
    wanted[:, 0] = 0.0
    assert made.agree(here.flatten(1), goal.flatten(1), wanted).tolist() == [True, False]


def test_a_state_is_at_a_masked_goal_as_soon_as_what_matters_agrees() -> None:
    """All tokens rest but one, which moves in every block."""
    cache = frames([30] * 4)
    rng = torch.Generator().manual_seed(0)
    tokens = 0.01 * torch.randn(cache.frames, ENTITIES, TOKEN, generator=rng)
    tokens[:, 2] += torch.arange(cache.frames)[:, None]
    latents = tokens.flatten(1)
    views = [EncodedFrames(latents, latents, torch.zeros(cache.frames, 1))]
    sampler = HindsightSampler(cache, np.arange(4), views, torch.zeros(cache.frames, 2), 1.0, TokenLayout(ENTITIES, 0))
    batch = sampler.draw(500, np.random.default_rng(0), GoalMix(here=0.0, following=0.0, later=1.0), 0.0)
    moving = batch["wanted"][:, 2] > 0
    far = (batch["goal"] - batch["latent"]).unflatten(1, (ENTITIES, TOKEN))[:, 2].mean(1) > 1.5
    assert (batch["here"][~moving] == 1).all() and (batch["here"][moving] == 0).all()
    assert (batch["arrives"][moving & far] == 0).all() and (batch["arrives"][moving & ~far] == 1).all()


def test_without_masks_a_batch_is_as_it_always_was() -> None:
    cache = frames([30] * 4)
    views = [EncodedFrames(torch.zeros(cache.frames, 10), torch.zeros(cache.frames, 10), torch.zeros(cache.frames, 1))]
    batch = HindsightSampler(cache, np.arange(4), views, torch.zeros(cache.frames, 2)).draw(
        8, np.random.default_rng(0), GoalMix(), 0.0
    )
    assert "wanted" not in batch


def test_a_share_of_the_goals_of_few_things_is_a_little_out_of_place() -> None:
    """Things anywhere on a line; of random frames few are near."""
    cache = frames([60] * 4)
    rng = torch.Generator().manual_seed(0)
    tokens = torch.zeros(cache.frames, 3, 5)
    tokens[..., 2] = 4.0 * torch.rand(cache.frames, 3, generator=rng) - 2.0
    views = [EncodedFrames(tokens.flatten(1), tokens.flatten(1), torch.zeros(cache.frames, 1))]
    layout = TokenLayout(3, 1)
    sampler = HindsightSampler(cache, np.arange(4), views, torch.zeros(cache.frames, 2), 1.0, layout)

    def apart(near: float) -> torch.Tensor:
        batch = sampler.draw(2000, np.random.default_rng(0), GoalMix(0.0, 0.0, 0.0, 0.0, near=near), 0.0)
        assert (batch["here"] + batch["arrives"]).mean() < 0.2
        one = batch["wanted"].sum(1) == 1
        return (layout.differences(batch["latent"], batch["goal"]) * batch["wanted"]).amax(1).sqrt()[one]

    few, many = apart(0.0), apart(1.0)
    assert (few < 0.5).float().mean() < 0.3 and (many < 0.5).float().mean() > 0.9
    assert (many <= SAME_PLACE).float().mean() < 0.05, "they are out of place"
