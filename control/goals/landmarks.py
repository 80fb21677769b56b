"""The agent's own sub-goals: remembered states as the nodes of a graph whose edges are as long as the critic says.

A critic is reliable over a few blocks and vague over many; a path of short edges leads where one long one does not
(search on the replay buffer, Eysenbach et al. 2019).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from control.policy.critic import Critic
from perception.checkpoint.card import HeadsConfig
from perception.model.world_model import WorldModelConfig

CANDIDATES = 6000
"""States among which landmarks are chosen; more of them differ little."""


class Landmarks(nn.Module):
    """K states of the data, far from one another: latents (K, D) and scaled proprio (K, P). `heads` gives their number,
    `config` the lengths."""

    latent: Tensor
    proprio: Tensor

    def __init__(self, config: WorldModelConfig, heads: HeadsConfig) -> None:
        super().__init__()
        count = heads.landmarks
        # A model without landmarks stores none, because checkpoints from before there were landmarks hold none.
        self.register_buffer("latent", torch.zeros(count, config.latent), persistent=count > 0)
        self.register_buffer("proprio", torch.zeros(count, config.proprio), persistent=count > 0)

    @torch.no_grad()
    def choose(self, latents: Tensor, proprio: Tensor, seed: int) -> None:
        """Take states of `latents` (N, D) and scaled `proprio` (N, P), each as far as can be from those before it
        (Gonzalez 1985). Fewer states than landmarks are taken more than once."""
        rng = torch.Generator().manual_seed(seed)
        some = torch.randperm(len(latents), generator=rng)[:CANDIDATES]
        places = latents[some]
        taken = [0]
        away = ((places - places[0]) ** 2).sum(-1)
        while len(taken) < len(self.latent):
            farthest = int(away.argmax())
            taken.append(farthest)
            away = torch.minimum(away, ((places - places[farthest]) ** 2).sum(-1))
        chosen = some[torch.tensor(taken[: len(self.latent)])]
        self.latent.copy_(latents[chosen])
        self.proprio.copy_(proprio[chosen])


class Graph:
    """Landmarks and the blocks between them. Edges longer than `reach` blocks are not trusted, and left out. A node
    costs `per_hop` blocks beside its edges, so that a way of a few long ones is preferred to one of many short."""

    @torch.inference_mode()
    def __init__(self, critic: Critic, landmarks: Landmarks, reach: float, per_hop: float) -> None:
        self._critic = critic
        self._landmarks = landmarks
        self._reach = reach
        self._per_hop = per_hop
        count = len(landmarks.latent)
        self._edges = self._cut(
            torch.stack(
                [self._distances(landmarks.latent, landmarks.proprio, landmarks.latent[j]) for j in range(count)], dim=1
            )
            if count
            else torch.zeros(0, 0)
        )

    @torch.inference_mode()
    def path(self, latent: Tensor, proprio: Tensor, goal: Tensor) -> list[Tensor]:
        """Return the sub-goals (D,) on the shortest way from `latent` (D,) and scaled `proprio` (P,) to `goal` (D,),
        which is not among them; none when the goal is within reach, or when no way is known."""
        marks = self._landmarks
        direct = float(self._distances(latent[None], proprio[None], goal)[0])
        count = len(marks.latent)
        if direct <= self._reach or count == 0:
            return []
        outward = self._cut(
            self._critic.distance(latent.expand(count, -1), proprio.expand(count, -1), marks.latent) + self._per_hop
        )
        onward = self._cut(self._distances(marks.latent, marks.proprio, goal))
        # Bellman and Ford: the blocks that remain from every landmark, over one edge more in each round.
        remaining, following = onward, torch.full((count,), -1)
        for _ in range(count):
            through = self._edges + self._per_hop + remaining
            best, nearest = through.min(dim=1)
            shorter = best < remaining - 1e-6
            if not bool(shorter.any()):
                break
            following = torch.where(shorter, nearest, following)
            remaining = torch.where(shorter, best, remaining)
        total, first = (outward + remaining).min(dim=0)
        if not bool(torch.isfinite(total)):
            return []
        way: list[Tensor] = []
        at = int(first)
        while at >= 0 and len(way) < count:
            way.append(marks.latent[at])
            at = int(following[at])
        return way

    def _distances(self, latents: Tensor, proprio: Tensor, goal: Tensor) -> Tensor:
        return self._critic.distance(latents, proprio, goal.expand(len(latents), -1))

    def _cut(self, blocks: Tensor) -> Tensor:
        return torch.where(blocks <= self._reach, blocks, torch.inf)
