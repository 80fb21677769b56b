from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import torch

from control.model.trained_model import Parts, TrainedModel, fast_copy, load_trained, new_parts, save_trained
from perception.checkpoint.files import save
from perception.model.decoder import Decoder
from robot.errors import CheckpointError
from tests.tiny import CONFIG, HEADS, card, parts, picture, trained


def test_a_loaded_model_thinks_as_the_saved_one(tmp_path: Path) -> None:
    made = trained()
    written = save_trained(tmp_path, made)
    loaded = load_trained(tmp_path)
    assert loaded.card == written
    image = torch.from_numpy(picture()[None])
    proprio = torch.zeros(1, CONFIG.proprio)
    with torch.inference_mode():
        latent = made.parts.model.encode(image)
        for before, after in (
            (latent, loaded.parts.model.encode(image)),
            (made.parts.critic(latent, proprio, latent), loaded.parts.critic(latent, proprio, latent)),
            (made.parts.actor(latent, proprio, latent).mean, loaded.parts.actor(latent, proprio, latent).mean),
            (made.parts.decoder(latent), loaded.parts.decoder(latent)),
        ):
            torch.testing.assert_close(after, before, atol=5e-3, rtol=5e-3)  # weights are kept in half precision
    for part in loaded.parts.named().values():
        assert not part.training and not any(parameter.requires_grad for parameter in part.parameters())


def test_weights_of_other_sizes_are_refused_in_a_few_words(tmp_path: Path) -> None:
    bigger = msgspec.structs.replace(card(), world_model=msgspec.structs.replace(CONFIG, latent=24))
    save_trained(tmp_path, TrainedModel(bigger, parts()))
    with pytest.raises(CheckpointError, match=r"do not fit its card \(model\): size mismatch") as caught:
        load_trained(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_missing_part_is_refused(tmp_path: Path) -> None:
    made = parts()
    tensors = {f"model.{name}": value for name, value in made.model.state_dict().items()}
    save(tmp_path, card(), tensors)
    with pytest.raises(CheckpointError, match=r"do not fit its card \(critic\): Missing key"):
        load_trained(tmp_path)


def test_a_card_of_no_possible_model_is_refused(tmp_path: Path) -> None:
    odd = msgspec.structs.replace(card(), world_model=msgspec.structs.replace(CONFIG, height=33))
    save_trained(tmp_path, TrainedModel(odd, parts()))
    with pytest.raises(CheckpointError, match=r"describes an impossible model: .*; train again"):
        load_trained(tmp_path)


def test_untrained_parts_follow_the_seed() -> None:
    def weights(made: Parts) -> torch.Tensor:
        return torch.cat([parameter.flatten() for part in made.named().values() for parameter in part.parameters()])

    assert torch.equal(weights(parts(3)), weights(parts(3)))
    assert not torch.equal(weights(parts(3)), weights(parts(4)))
    assert isinstance(new_parts(CONFIG, HEADS).decoder, Decoder)


@pytest.mark.parametrize(("dtype", "near"), [(torch.float32, 0.0), (torch.bfloat16, 0.05)])
def test_a_fast_copy_imagines_nearly_the_same_and_leaves_the_model_alone(dtype: torch.dtype, near: float) -> None:
    made = parts()
    fast = fast_copy(made, dtype)
    rng = torch.Generator().manual_seed(0)
    latent, goal = torch.randn((2, 5, CONFIG.latent), generator=rng)
    proprio = torch.randn((5, CONFIG.proprio), generator=rng)
    actions = torch.rand((5, 4, CONFIG.action), generator=rng)
    with torch.inference_mode():
        for before, after in zip(
            [*made.model.rollout(latent, proprio, actions), made.critic(latent, proprio, goal)],
            [*fast.model.rollout(latent, proprio, actions), fast.critic(latent, proprio, goal)],
            strict=True,
        ):
            assert after.dtype == before.dtype == torch.float32, "the state itself is never rounded"
            torch.testing.assert_close(after, before, atol=near, rtol=near)
    assert {value.dtype for part in made.named().values() for value in part.state_dict().values()} == {torch.float32}
