from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from control.learning.doctor import examine, require_enough, verdict
from control.policy.critic import Critic
from perception.checkpoint.card import Gate
from perception.training.world_model import encode_all
from robot.embodiment.proprioception import STATE_NAMES
from robot.errors import DatasetError
from tests.tiny import CONFIG, HEADS, OF_TWO, frames, parts

CPU = torch.device("cpu")
NAMES = [
    "effective rank",
    "end-effector probe",
    "object probe",
    "rollout error, shuffled over true actions",
    "rank of the true action",
    "critic against steps to go",
]


def test_where_there_is_no_tool_none_is_looked_for() -> None:
    cache, made = frames([40] * 6), parts()
    names = [f"state.{number}" for number in range(7)]
    gates = examine(made, cache, encode_all(made.model, cache, CPU), np.arange(4), np.array([4, 5]), names)
    assert [gate.name for gate in gates] == [name for name in NAMES if name != "end-effector probe"]


def test_an_untrained_model_is_not_plannable_and_every_gate_says_why() -> None:
    cache, made = frames([40] * 6), parts()
    gates = examine(made, cache, encode_all(made.model, cache, CPU), np.arange(4), np.array([4, 5]), STATE_NAMES)
    assert [gate.name for gate in gates] == NAMES
    assert all(np.isfinite(gate.value) for gate in gates)
    said = verdict(gates)
    failed = [gate.name for gate in gates if not gate.passed]
    assert said.startswith("not plannable: ") and {"rank of the true action", "object probe"} <= set(failed)
    assert said.count(" and should be ") == len(failed)
    assert all(f"{name} is " in said for name in failed)


def test_the_figures_are_the_same_every_time() -> None:
    cache, made = frames([40] * 6), parts()
    latents = encode_all(made.model, cache, CPU)
    assert examine(made, cache, latents, np.arange(4), np.array([4, 5]), STATE_NAMES) == examine(
        made, cache, latents, np.arange(4), np.array([4, 5]), STATE_NAMES
    )


def test_a_collapsed_model_fails_with_figures_not_with_errors() -> None:
    cache, made = frames([40] * 6), parts()
    gates = examine(made, cache, torch.zeros(cache.frames, 16), np.arange(4), np.array([4, 5]), STATE_NAMES)
    values = {gate.name: gate.value for gate in gates}
    assert all(np.isfinite(value) for value in values.values())
    assert values["effective rank"] == 0
    assert not any(gate.passed for gate in gates if gate.name != "rank of the true action")


@pytest.mark.parametrize(("sign", "correlation"), [(1.0, 1.0), (-1.0, -1.0), (0.0, 0.0)])
def test_the_critic_is_judged_by_the_order_of_its_distances(sign: float, correlation: float) -> None:
    class Counting(Critic):
        """Knows each frame's number, the first entry of its latent, and so how far apart two are."""

        def values(
            self,
            latent: torch.Tensor,
            proprio: torch.Tensor,
            goal: torch.Tensor,
            wanted: torch.Tensor | None = None,
        ) -> torch.Tensor:
            return -5.0 + sign * 0.1 * (latent[:, 0] - goal[:, 0]).expand(2, -1)

    cache, made = frames([40] * 6), parts()
    latents = torch.randn((cache.frames, 16), generator=torch.Generator().manual_seed(0))
    latents[:, 0] = torch.arange(cache.frames)
    with torch.no_grad():
        for weights in made.model.predictor.leave.parameters():
            weights.zero_()
        made.model.predictor.leave[1].bias[0] = 1.0  # it expects of every frame the next one's number
    made = dataclasses.replace(made, critic=Counting(CONFIG, HEADS))
    gates = examine(made, cache, latents, np.arange(4), np.array([4, 5]), STATE_NAMES)
    assert gates[-1].value == pytest.approx(correlation, abs=1e-6)


class Coasting(nn.Module):
    """A predictor of a context of two that knows the truth: a latent keeps its velocity, to which the action is
    added."""

    def forward(
        self, latent: torch.Tensor, proprio: torch.Tensor, action: torch.Tensor, before: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        change = torch.zeros_like(latent) if before is None else latent - before
        change[..., : action.shape[-1]] += action
        return latent + change, proprio


def test_a_model_that_predicts_from_two_frames_is_judged_with_both() -> None:
    cache, made = frames([40] * 6), parts(config=OF_TWO)
    made.model.predictor = Coasting()  # type: ignore[assignment]
    latents = torch.zeros(cache.frames, OF_TWO.latent)
    for start, length in zip(cache.starts, cache.lengths, strict=True):
        velocity = torch.from_numpy(cache.actions[start : start + length]).cumsum(0)
        latents[start + 1 : start + length, : OF_TWO.action] = velocity[:-1].cumsum(0)
    gates = examine(made, cache, latents, np.arange(4), np.array([4, 5]), STATE_NAMES)
    values = {gate.name: gate.value for gate in gates}
    assert values["rank of the true action"] < 0.01
    assert values["rollout error, shuffled over true actions"] > 1e3


def test_without_truth_the_object_is_not_probed() -> None:
    cache, made = frames([40] * 6), parts()
    blind = dataclasses.replace(cache, truth=None)
    gates = examine(made, blind, encode_all(made.model, cache, CPU), np.arange(4), np.array([4, 5]), STATE_NAMES)
    assert [gate.name for gate in gates] == [name for name in NAMES if name != "object probe"]


@pytest.mark.parametrize("lengths", [[40, 6], [40, 5, 6, 6], [40, 25], [40, 1]])
def test_too_little_to_judge_by_is_said(lengths: list[int]) -> None:
    cache = frames(lengths)
    with pytest.raises(DatasetError, match=r"too little data .* at least 20 are needed"):
        require_enough(cache, np.arange(1, len(lengths)))


def test_just_enough_is_enough() -> None:
    cache, made = frames([40, 26]), parts()
    gates = examine(made, cache, encode_all(made.model, cache, CPU), np.array([0]), np.array([1]), STATE_NAMES)
    assert all(np.isfinite(gate.value) for gate in gates)


def test_a_model_that_passes_everything_is_plannable() -> None:
    assert verdict([Gate("effective rank", 17.0, 8.0, True, ""), Gate("probe", 0.4, 1.5, False, "cm")]) == "plannable"
    said = verdict([Gate("effective rank", 7.0, 8.0, True, "dimensions"), Gate("probe", 0.4, 1.5, False, "cm")])
    assert said == "not plannable: effective rank is 7.00 and should be at least 8 (dimensions)"
