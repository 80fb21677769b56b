"""Trains critic and actor on frozen latents, with hindsight goals."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec
import torch
from torch import Tensor

from control.learning.hindsight import GoalMix, HindsightSampler
from control.policy.actor import Actor, ActorLoss
from control.policy.comparison import masked
from control.policy.critic import Critic, CriticLoss
from perception.checkpoint.card import HeadsConfig
from perception.model.world_model import AnyPredictor
from perception.training.distributed import Workers
from perception.training.loop import History, Schedule, train
from perception.training.settings import require_finite, require_positive, require_schedule
from perception.training_data.clips import generator
from robot.errors import ConfigurationError

CRITIC, ACTOR = 11, 12


class HeadTraining(msgspec.Struct, frozen=True):
    """Settings of critic and actor: `steps` of `batch` examples each, `weight_decay`, the standard deviation of the
    `noise` added to latents, and hindsight goals up to `reach` blocks later; the critic's `discount` and `expectile`;
    the `temperature` of the actor's advantage weights (0: plain behaviour cloning), the number of its mixture
    `components`, and the number of `features` by which it compares state and goal (0: the latents themselves); the
    width of the `hidden` layers of both; and the number of states kept as `landmarks`, the agent's own sub-goals. Of
    entity tokens a share of the examples, `masks`, has a goal of which only some tokens matter (None: all matter); they
    are compared pair by pair, so they need no features. `near` is the share of goals a little out of place, as in
    `GoalMix`. `comparison` "whole": all their numbers at once instead, which
    shows what pairs are worth.

    Training takes many small steps with a high learning rate and little weight decay: critic and actor lack training
    rather than data, and half the batch for twice the steps fits held-out data better. With the default temperature an
    action that wastes one block weighs a third of one that wastes none; a higher one leaves too few examples
    with weight.
    """

    steps: int = 40000
    batch: int = 256
    learning_rate: float = 3e-3
    weight_decay: float = 0.03
    noise: float = 0.05
    reach: int = 40
    discount: float = 0.97
    expectile: float = 0.9
    temperature: float = 1.0
    components: int = 5
    features: int = 96
    hidden: int = 256
    landmarks: int = 512
    masks: float | None = None
    near: float = 0.5
    comparison: Literal["whole"] | None = None

    def __post_init__(self) -> None:
        """Raise `ConfigurationError` for invalid settings."""
        require_schedule("heads", self.steps, self.batch, self.learning_rate)
        require_positive("heads", reach=self.reach, components=self.components, hidden=self.hidden)
        for name, value in (("discount", self.discount), ("expectile", self.expectile)):
            if not 0 < value < 1:
                raise ConfigurationError(f"--heads.{name} must lie between 0 and 1, not {value:g}")
        require_finite("heads", self)
        if not 0 <= self.near <= 1:
            raise ConfigurationError(f"--heads.near must be between 0 and 1, not {self.near:g}")
        if self.masks is not None and not 0 < self.masks <= 1:
            raise ConfigurationError(f"--heads.masks must be above 0 and at most 1, not {self.masks:g}")

    def config(self, entities: int) -> HeadsConfig:
        """Return the sizes of critic and actor, for their constructors and the checkpoint's card, of latents that are a
        number of `entities`, or flat (0). Raises `ConfigurationError` for settings of the other kind of latent."""
        if entities == 0 and self.masks is not None:
            raise ConfigurationError(
                "--heads.masks masks entity tokens, and a flat latent has none: give --sizes.entities"
            )
        if self.comparison is not None and (entities == 0 or self.masks is not None):
            raise ConfigurationError(
                "--heads.comparison whole is for entity tokens that are not masked: give --sizes.entities, and leave "
                "--heads.masks out"
            )
        if entities and self.features not in (0, HeadTraining().features):
            raise ConfigurationError(
                f"--heads.features {self.features}: an actor compares entity tokens themselves; leave the option out"
            )
        features = 0 if entities else self.features
        masked, pairs = self.masks is not None, self.comparison is None
        return HeadsConfig(self.discount, self.landmarks, self.components, features, self.hidden, masked, pairs)


def train_critic(
    critic: Critic,
    sampler: HindsightSampler,
    settings: HeadTraining,
    folder: Path,
    seed: int,
    workers: Workers,
    dtype: torch.dtype,
) -> History:
    """Train the critic on goals of every kind."""
    mix = GoalMix(reach=settings.reach, near=settings.near)

    def batches(step: int) -> dict[str, Tensor]:
        rng = generator(seed, step, CRITIC, workers.rank)
        return sampler.draw(settings.batch // workers.count, rng, mix, settings.noise)

    loss = CriticLoss(critic, settings.expectile)
    schedule = _schedule(settings, dtype)
    return train("critic", loss, batches, schedule, folder, seed, workers, after_step=loss.move_target)


def train_actor(
    actor: Actor,
    critic: Critic,
    predictor: AnyPredictor,
    sampler: HindsightSampler,
    settings: HeadTraining,
    folder: Path,
    seed: int,
    workers: Workers,
    dtype: torch.dtype,
) -> History:
    """Train the actor on goals that its episode reached, with each action weighed by its advantage under the critic.
    The actions are those before noise, so their outcome is the predictor's, not the recorded next frame."""
    mix = GoalMix(here=0.0, following=0.1, later=0.9, same=0.0, reach=settings.reach)
    critic.to(workers.device).eval()
    predictor.to(workers.device).eval()

    @torch.no_grad()
    def batches(step: int) -> dict[str, Tensor]:
        rng = generator(seed, step, ACTOR, workers.rank)
        batch = sampler.draw(settings.batch // workers.count, rng, mix, settings.noise)
        states = {key: value.to(workers.device) for key, value in batch.items()}
        with torch.autocast(workers.device.type, dtype=torch.bfloat16, enabled=dtype != torch.float32):
            goal = states["goal"], *masked(states)
            now = critic(states["latent"], states["proprio"], *goal)
            following = critic(*predictor(states["latent"], states["proprio"], states["action"]), *goal)
        batch["advantage"] = (settings.discount * following - now - 1.0).cpu()
        return batch

    schedule = _schedule(settings, dtype)
    return train("actor", ActorLoss(actor, settings.temperature), batches, schedule, folder, seed, workers)


def _schedule(settings: HeadTraining, dtype: torch.dtype) -> Schedule:
    return Schedule(
        settings.steps, settings.learning_rate, weight_decay=settings.weight_decay, warmup=0.02, precision=dtype
    )
