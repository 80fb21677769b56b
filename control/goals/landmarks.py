"""The agent's own sub-goals: landmarks, which are states of the training data, are the nodes of a graph. The length of
an edge is the critic's distance.

The critic is reliable over a few blocks and unreliable over many. Chains of short, reliable edges replace one
unreliable long edge (search on the replay buffer, Eysenbach et al. 2019).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from control.goals.latent_goal import LatentGoal
from control.policy.critic import Critic
from perception.checkpoint.card import HeadsConfig
from perception.model.world_model import WorldModelConfig

CANDIDATES = 6000
"""The number of states from which landmarks are chosen. More hardly change the choice."""


class Landmarks(nn.Module):
    """K states of the data, far from one another: `latent` (K, D) and scaled `proprio` (K, P). `heads` gives K, and
    `config` gives D and P."""

    latent: Tensor
    proprio: Tensor

    def __init__(self, config: WorldModelConfig, heads: HeadsConfig) -> None:
        super().__init__()
        count = heads.landmarks
        # Nothing is stored for a model without landmarks, because the oldest checkpoints have no such entries.
        self.register_buffer("latent", torch.zeros(count, config.latent), persistent=count > 0)
        self.register_buffer("proprio", torch.zeros(count, config.proprio), persistent=count > 0)

    @torch.no_grad()
    def choose(self, latents: Tensor, proprio: Tensor, seed: int) -> None:
        """Choose states from `latents` (N, D) and scaled `proprio` (N, P) by farthest-point sampling (Gonzalez 1985).
        If there are fewer states than landmarks, some are chosen repeatedly."""
        rng = torch.Generator().manual_seed(seed)
        some = torch.randperm(len(latents), generator=rng)[:CANDIDATES]
        places = latents[some]
        taken = [0]
        away = ((places - places[0]) ** 2).sum(-1)
        while len(taken) < len(self.latent):
            farthest = int(away.argmax())
            taken.append(farthest)
            away = torch.minimum(away, ((places - places[farthest]) ** 2).sum(-1))
        chosen = some[torch.tensor(taken[: len(self.latent)], dtype=torch.long)]
        self.latent.copy_(latents[chosen])
        self.proprio.copy_(proprio[chosen])


class Graph:
    """Landmarks, joined by edges of at most `reach` blocks; longer ones are unreliable and left out. Each node adds
    `per_hop` blocks, which favours paths with few nodes."""

    @torch.inference_mode()
    def __init__(self, critic: Critic, landmarks: Landmarks, reach: float, per_hop: float) -> None:
        self._critic = critic
        self._landmarks = landmarks
        self._reach = reach
        self._per_hop = per_hop
        count = len(landmarks.latent)
        self._edges = self._cut(
            torch.stack(
                [
                    self._distances(landmarks.latent, landmarks.proprio, LatentGoal(landmarks.latent[j]))
                    for j in range(count)
                ],
                dim=1,
            )
            if count
            else torch.zeros(0, 0)
        )

    @torch.inference_mode()
    def path(self, latent: Tensor, proprio: Tensor, goal: LatentGoal) -> list[LatentGoal]:
        """Return the sub-goals on the shortest path from `latent` (D,) and scaled `proprio` (P,) to `goal`, without the
        goal itself. Return none when the goal is within reach, and when there is no path.

        What does not matter in the goal matters in no sub-goal. Edges between landmarks are those for whole states,
        which are no shorter.
        """
        marks = self._landmarks
        direct = float(self._distances(latent[None], proprio[None], goal)[0])
        count = len(marks.latent)
        if direct <= self._reach or count == 0:
            return []
        _, mask = goal.repeated(count)
        outward = self._cut(
            self._critic.distance(latent.expand(count, -1), proprio.expand(count, -1), marks.latent, mask)
            + self._per_hop
        )
        onward = self._cut(self._distances(marks.latent, marks.proprio, goal))
        # Bellman–Ford: each round adds one edge to the paths from every landmark to the goal.
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
        path: list[LatentGoal] = []
        at = int(first)
        while at >= 0 and len(path) < count:
            path.append(LatentGoal(marks.latent[at], goal.wanted, goal.layout))
            at = int(following[at])
        return path

    def _distances(self, latents: Tensor, proprio: Tensor, goal: LatentGoal) -> Tensor:
        return self._critic.distance(latents, proprio, *goal.repeated(len(latents)))

    def _cut(self, blocks: Tensor) -> Tensor:
        return torch.where(blocks <= self._reach, blocks, torch.inf)
