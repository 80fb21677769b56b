"""Planning by sampling: propose action sequences, imagine each, keep what costs least, refit, repeat.

The cross-entropy method (CEM; Rubinstein 1999) refits a Gaussian to the elites; MPPI (Williams et al. 2017) to all
samples, weighted by exp(−cost / temperature). A share of the samples comes from the actor, rolled out in the model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import msgspec
import torch
from torch import Tensor

from control.actor import Actor
from control.objective import Objective, Rollout
from perception.world_model import WorldModel


class PlannerConfig(msgspec.Struct, frozen=True):
    """The search: `samples` sequences of `horizon` blocks, refitted `iterations` times.

    `elites` is the share kept by CEM and `temperature` MPPI's; `spread` the first standard deviation and `floor` the
    smallest; `proposals` the share of samples that the actor draws.
    """

    method: Literal["cem", "mppi"] = "cem"
    samples: int = 64
    horizon: int = 6
    iterations: int = 2
    elites: float = 0.1
    temperature: float = 0.1
    spread: float = 0.6
    floor: float = 0.05
    proposals: float = 0.5

    def __post_init__(self) -> None:
        """Raise `ValueError` for a search that cannot be made."""
        if self.samples < 4 or self.horizon < 1 or self.iterations < 1:
            raise ValueError("a search needs at least 4 samples, a horizon of 1 and 1 iteration")
        if not 0.0 <= self.proposals < 1.0 or round(self.samples * self.proposals) > self.samples - 2:
            raise ValueError("the actor's share of the samples must leave some for the search itself")
        if not (0.0 < self.elites <= 1.0 and self.temperature > 0.0 and self.spread > 0.0 and self.floor > 0.0):
            raise ValueError("elites must lie in (0, 1]; temperature, spread and floor must be positive")


@dataclass(frozen=True)
class Plan:
    """The chosen `actions` (T, A), what they cost, and the imagined `latents` (T, D) after each."""

    actions: Tensor
    cost: float
    latents: Tensor


class Planner:
    """Searches for actions from a latent state to a goal latent; keeps its last answer to start the next from."""

    def __init__(
        self, model: WorldModel, objective: Objective, config: PlannerConfig, actor: Actor | None, seed: int
    ) -> None:
        self._model = model
        self._objective = objective
        self._config = config
        self._actor = actor
        self._seed = seed
        self._rng = torch.Generator().manual_seed(seed)
        self._last: Tensor | None = None

    def reset(self) -> None:
        """Forget the last plan, and draw from the beginning: what follows does not depend on what was."""
        self._last = None
        self._rng.manual_seed(self._seed)

    @torch.inference_mode()
    def plan(self, latent: Tensor, proprio: Tensor, goal: Tensor) -> Plan:
        """Return the best plan found from `latent` (D,) and scaled `proprio` (P,) to `goal` (D,)."""
        config = self._config
        mean = self._warm_start()
        spread = torch.full_like(mean, config.spread)
        # What the actor proposes does not change between iterations, so it is imagined and judged once.
        proposed = self._propose(latent, proprio, goal)
        fixed_cost = self._objective(proposed, goal) if proposed is not None else torch.zeros(0)
        drawn = config.samples - len(fixed_cost) - 1
        best: Plan | None = None
        for _ in range(config.iterations):
            noise = torch.randn((drawn, *mean.shape), generator=self._rng)
            actions = torch.cat([mean[None], (mean + spread * noise).clamp(-1.0, 1.0)])
            rollout = self._imagine(latent, proprio, actions)
            cost = self._objective(rollout, goal)
            best = _better(best, rollout, cost)
            if proposed is not None:
                best = _better(best, proposed, fixed_cost)
                actions, cost = torch.cat([actions, proposed.actions]), torch.cat([cost, fixed_cost])
            mean, spread = self._refit(actions, cost)
        assert best is not None, "iterations is at least 1"
        self._last = best.actions
        return best

    def _warm_start(self) -> Tensor:
        """Return the last plan shifted by the block that was executed, its last action repeated."""
        if self._last is None:
            return torch.zeros(self._config.horizon, self._model.config.action)
        return torch.cat([self._last[1:], self._last[-1:]])

    def _propose(self, latent: Tensor, proprio: Tensor, goal: Tensor) -> Rollout | None:
        """Return futures in which the actor draws each action in the imagined world, or None without an actor."""
        config = self._config
        count = round(config.samples * config.proposals)
        if count == 0 or self._actor is None:
            return None
        latents, proprios, goals = latent.expand(count, -1), proprio.expand(count, -1), goal.expand(count, -1)
        steps: list[tuple[Tensor, Tensor, Tensor]] = []
        for _ in range(config.horizon):
            mean, log_spread = self._actor(latents, proprios, goals)
            noise = torch.randn(mean.shape, generator=self._rng)
            noise[0] = 0.0  # one proposal is what the actor itself would do
            action = (mean + log_spread.exp() * noise).clamp(-1.0, 1.0)
            latents, proprios = self._model.predictor(latents, proprios, action)
            steps.append((latents, proprios, action))
        imagined, felt, actions = (torch.stack(parts, dim=1) for parts in zip(*steps, strict=True))
        return Rollout(latent, proprio, imagined, felt, actions)

    def _imagine(self, latent: Tensor, proprio: Tensor, actions: Tensor) -> Rollout:
        count = len(actions)
        latents, proprios = self._model.rollout(latent.expand(count, -1), proprio.expand(count, -1), actions)
        return Rollout(latent, proprio, latents, proprios, actions)

    def _refit(self, actions: Tensor, cost: Tensor) -> tuple[Tensor, Tensor]:
        """Return the next mean and spread (T, A)."""
        config = self._config
        if config.method == "cem":
            kept = max(2, round(config.samples * config.elites))
            elites = actions[cost.topk(kept, largest=False).indices]
            return elites.mean(0), elites.std(0).clamp(min=config.floor)
        weights = torch.softmax(-(cost - cost.min()) / config.temperature, dim=0)[:, None, None]
        mean = (weights * actions).sum(0)
        return mean, ((weights * (actions - mean) ** 2).sum(0)).sqrt().clamp(min=config.floor)


def _better(best: Plan | None, rollout: Rollout, cost: Tensor) -> Plan:
    """Return the cheapest of `best` and the futures of `rollout`."""
    chosen = int(cost.argmin())
    if best is not None and best.cost <= float(cost[chosen]):
        return best
    return Plan(rollout.actions[chosen], float(cost[chosen]), rollout.latents[chosen])
