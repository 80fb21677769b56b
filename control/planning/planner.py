"""Planning by sampling: draw action sequences, imagine each, refit the distribution to the cheapest, and repeat.

The cross-entropy method (CEM; Rubinstein 1999) refits a Gaussian to the elites; MPPI (Williams et al. 2017) to all
samples, weighted by exp(−cost / temperature). A share of the samples comes from the actor, rolled out in the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from control.decision_config import SearchConfig
from control.goals.latent_goal import LatentGoal
from control.planning.objectives import Objective, Rollout
from control.policy.action_mixture import ActionDistribution, signs
from control.policy.actor import Actor
from perception.model.world_model import WorldModel


@dataclass(frozen=True)
class Plan:
    """The chosen `actions` (T, A), their `cost`, and the imagined `latents` (T, D) after each."""

    actions: Tensor
    cost: float
    latents: Tensor


class Planner:
    """Searches for actions that lead from a latent state to a goal. Each search starts from the last plan."""

    def __init__(
        self,
        model: WorldModel,
        objective: Objective,
        config: SearchConfig,
        actor: Actor | None,
        seed: int,
        use_prior: bool = False,
    ) -> None:
        """With `use_prior` and an `actor`, rollouts carry the `prior_nll` that `BehaviourPrior` needs."""
        self._model = model
        self._objective = objective
        self._config = config
        self._actor = actor
        self._use_prior = use_prior and actor is not None
        self._seed = seed
        self._rng = torch.Generator().manual_seed(seed)
        self._last: Tensor | None = None
        size = model.config.action
        self._binary = torch.tensor([i in model.config.binary for i in range(size)])
        self._any_binary = bool(self._binary.any())

    def forget(self) -> None:
        """Forget the last plan, so that the next search starts from zero actions."""
        self._last = None

    def reset(self) -> None:
        """Forget the last plan and restart the random stream, so that later plans do not depend on earlier ones."""
        self.forget()
        self._rng.manual_seed(self._seed)

    @torch.inference_mode()
    def plan(self, latent: Tensor, proprio: Tensor, goal: LatentGoal, previous_latent: Tensor | None = None) -> Plan:
        """Return the cheapest plan found from `latent` (D,) and scaled `proprio` (P,) to `goal`. `previous_latent` (D,)
        is the latent one block earlier."""
        config = self._config
        mean = self._warm_start()
        std = torch.full_like(mean, config.std)
        proposed = round(config.samples * config.proposals) if self._actor is not None else 0
        best: Plan | None = None
        kept: tuple[Tensor, Tensor] | None = None
        for _ in range(config.iterations):
            drawn = self._sample(mean, std, config.samples - proposed - 1)
            # The actor's proposals are the same in all iterations, so they are imagined and scored once.
            rollout = self._imagine(latent, proprio, goal, previous_latent, drawn, proposed if kept is None else 0)
            cost = self._objective(rollout, goal)
            best = _better(best, rollout, cost)
            count = len(drawn)
            if kept is None:
                kept = rollout.actions[count:], cost[count:]
            mean, std = self._refit(torch.cat([drawn, kept[0]]), torch.cat([cost[:count], kept[1]]))
        assert best is not None, "iterations is at least 1"
        self._last = best.actions
        return best

    def _sample(self, mean: Tensor, std: Tensor, count: int) -> Tensor:
        """Return the mean and `count` sequences drawn around it, (count + 1, T, A)."""
        noise = torch.randn((count, *mean.shape), generator=self._rng)
        drawn = torch.cat([mean[None], (mean + std * noise).clamp(-1.0, 1.0)])
        if not self._any_binary:
            return drawn
        chance = torch.rand((count, *mean.shape), generator=self._rng)
        certain = 1.0 - self._config.min_std
        tossed = signs((1.0 + mean.clamp(-certain, certain)) / 2.0 - chance)
        # Independent draws for each block would almost never keep a gripper open (or closed) for many blocks. So half
        # of the sequences change at most once.
        tossed[: count // 2] = self._steady(count // 2, *mean.shape)
        return torch.where(self._binary, torch.cat([signs(mean)[None], tossed]), drawn)

    def _steady(self, count: int, blocks: int, size: int) -> Tensor:
        """Return `count` sequences (T, A) of −1 and 1 that change at most once."""
        first = signs(torch.rand((count, 1, size), generator=self._rng) - 0.5)
        change = torch.randint(2 * blocks, (count, 1, size), generator=self._rng)
        return torch.where(torch.arange(blocks)[:, None] < change, first, -first)

    def _warm_start(self) -> Tensor:
        """Return the last plan, shifted by one block, with its last action repeated; zeros when there is none."""
        if self._last is None:
            return torch.zeros(self._config.horizon, self._model.config.action)
        return torch.cat([self._last[1:], self._last[-1:]])

    def _imagine(
        self,
        latent: Tensor,
        proprio: Tensor,
        goal: LatentGoal,
        previous_latent: Tensor | None,
        actions: Tensor,
        proposed: int,
    ) -> Rollout:
        """Return the futures under `actions` (S, T, A), followed by `proposed` futures in which each action is drawn
        from the actor at the imagined state."""
        count = len(actions) + proposed
        latents, proprios = latent.expand(count, -1), proprio.expand(count, -1)
        earlier = None if previous_latent is None else previous_latent.expand(count, -1)
        asked = count if self._use_prior else proposed
        actor = self._actor.for_goal(goal.latent, goal.wanted) if self._actor is not None and asked > 0 else None
        steps: list[tuple[Tensor, Tensor, Tensor]] = []
        asked_for: list[ActionDistribution] = []
        for action in actions.unbind(1):
            # One actor call for each state serves sampling and likelihood.
            if actor is not None:
                likely = actor(latents[count - asked :], proprios[count - asked :])
                if proposed > 0:
                    action = torch.cat([action, self._draw(likely.last(proposed))])
                if self._use_prior:
                    asked_for.append(likely)
            following, proprios = self._model.predictor(latents, proprios, action, earlier)
            earlier, latents = latents, following
            steps.append((latents, proprios, action))
        imagined, proprio_after, taken = (torch.stack(parts, dim=1) for parts in zip(*steps, strict=True))
        return Rollout(imagined, proprio_after, taken, _likelihood(asked_for, taken) if self._use_prior else None)

    def _draw(self, likely: ActionDistribution) -> Tensor:
        """Return an action for each state, (B, A)."""
        drawn = likely.sample(self._rng)
        drawn[0] = likely.mode()[0]  # one proposal is the actor's mode
        return drawn

    def _refit(self, actions: Tensor, cost: Tensor) -> tuple[Tensor, Tensor]:
        """Return the next iteration's mean and standard deviation (T, A)."""
        config = self._config
        if config.method == "cem":
            kept = max(2, round(config.samples * config.elites))
            elites = actions[cost.topk(kept, largest=False).indices]
            return elites.mean(0), elites.std(0).clamp(min=config.min_std)
        weights = torch.softmax(-(cost - cost.min()) / config.temperature, dim=0)[:, None, None]
        mean = (weights * actions).sum(0)
        return mean, ((weights * (actions - mean) ** 2).sum(0)).sqrt().clamp(min=config.min_std)


def _likelihood(likely: Sequence[ActionDistribution], taken: Tensor) -> Tensor:
    """Return the negative log-likelihood (S, T) of the actions `taken` (S, T, A) under the distributions of each step.
    Together they take a fraction of the time that they take one by one."""
    blocks_first = taken.transpose(0, 1)
    nll = ActionDistribution.stacked(likely).negative_log_likelihood(blocks_first.flatten(0, 1))
    return nll.unflatten(0, blocks_first.shape[:2]).T


def _better(best: Plan | None, rollout: Rollout, cost: Tensor) -> Plan:
    """Return the cheapest of `best` and the futures of `rollout`."""
    chosen = int(cost.argmin())
    if best is not None and best.cost <= float(cost[chosen]):
        return best
    return Plan(rollout.actions[chosen], float(cost[chosen]), rollout.latents[chosen])
