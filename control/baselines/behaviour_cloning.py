"""Goal-conditioned behaviour cloning, the usual way to learn from demonstrations: from pictures straight to actions.

A baseline without world model, critic and search. Encoder and policy learn together to predict the next action that
play took on its way to a later picture (hindsight relabelling; Ding et al. 2019, "GCSL" of Ghosh et al. 2021).
"""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from control.decision import Decision
from control.policy.action_mixture import ActionDistribution
from control.policy.actor import Actor
from perception.checkpoint.card import HeadsConfig
from perception.model.encoders import look_at_stills
from perception.model.normaliser import Normaliser
from perception.model.world_model import WorldModelConfig, make_encoder_of
from perception.training.distributed import Workers
from perception.training.loop import History, Schedule, train
from perception.training_data.clips import generator
from perception.training_data.frame_cache import FrameCache
from robot.arm.interface import Vector
from robot.embodiment.description import EmbodimentDescription
from robot.embodiment.observation import Observation
from robot.errors import GoalError

CLONE = 21
TIMED_STEPS = 20
HIDDEN = 256
"""Width of the hidden layers of the clone's actor."""


class CloneTraining(msgspec.Struct, frozen=True):
    """Settings of behaviour cloning: `batch` examples for each step, with goals up to `reach` blocks later."""

    batch: int = 128
    learning_rate: float = 1e-3
    reach: int = 40


class Clone(nn.Module):
    """(picture, proprio, running action, goal picture) → a distribution over the action of the next block, in which a
    decision takes effect. `config` gives the sizes, and `heads` the number of mixture components."""

    def __init__(self, config: WorldModelConfig, heads: HeadsConfig) -> None:
        super().__init__()
        self.encoder = make_encoder_of(config)
        self.normaliser = Normaliser(config.proprio)
        self.actor = Actor(
            msgspec.structs.replace(config, proprio=config.proprio + config.action),
            msgspec.structs.replace(heads, features=0, hidden=HIDDEN),
        )

    def forward(self, pictures: Tensor, states: Tensor, running: Tensor, goals: Tensor) -> ActionDistribution:
        """Return the distribution for `pictures` and `goals` (B, H, W, 3) uint8, `states` (B, P) SI units, `running`
        actions (B, A)."""
        latent, goal = look_at_stills(self.encoder, torch.cat([pictures, goals])).chunk(2)
        return self.actor(latent, torch.cat([self.normaliser(states), running], dim=-1), goal)


class CloneLoss(nn.Module):
    """The loss of a clone: the mean negative log-likelihood of the actions of play."""

    def __init__(self, clone: Clone) -> None:
        super().__init__()
        self.clone = clone

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the mean negative log-likelihood of `action` (B, A); the rest as in `Clone.forward`."""
        likely = self.clone(batch["images"], batch["states"], batch["running"], batch["goals"])
        return {"loss": likely.negative_log_likelihood(batch["action"]).mean()}


def train_clone(
    clone: Clone,
    cache: FrameCache,
    episodes: NDArray[np.int64],
    steps: int,
    settings: CloneTraining,
    folder: Path,
    seed: int,
    dtype: torch.dtype,
    compiled: bool = False,
) -> History:
    """Train `clone` on `episodes` for `steps`, resuming what `folder` holds. With `compiled` the training is first
    compiled to machine code."""
    clone.normaliser.fit(cache.states[cache.frames_of(episodes)])
    schedule = Schedule(steps, settings.learning_rate, precision=dtype, compiled=compiled)
    drawn = _Triples(cache, episodes, settings, seed)
    return train("clone", CloneLoss(clone), drawn, schedule, folder, seed, Workers(0, 1, torch.device("cpu")))


def steps_within(
    seconds: float,
    clone: Clone,
    cache: FrameCache,
    episodes: NDArray[np.int64],
    settings: CloneTraining,
    seed: int,
    dtype: torch.dtype,
    compiled: bool = False,
) -> int:
    """Return the number of training steps that this machine computes in `seconds`. A few steps are timed on a copy of
    `clone`."""
    loss = CloneLoss(copy.deepcopy(clone))
    loss.clone.normaliser.fit(cache.states[cache.frames_of(episodes)])
    if compiled:
        loss.compile(dynamic=False)
    optimiser = torch.optim.AdamW(loss.parameters())
    drawn = _Triples(cache, episodes, settings, seed)
    began = 0.0
    for step in range(TIMED_STEPS + 5):
        if step == 5:  # earlier steps compile and allocate
            began = time.monotonic()
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype != torch.float32):
            cost = loss(drawn(step))["loss"]
        cost.backward()
        optimiser.step()
    return max(1, round(seconds * TIMED_STEPS / (time.monotonic() - began)))


class ClonePolicy:
    """A decider without a world model. It chooses the clone's likeliest action. It cannot detect whether a goal is
    reached, so it never reports that."""

    name = "behaviour-cloning"

    def __init__(self, clone: Clone, embodiment: EmbodimentDescription) -> None:
        """`embodiment` is that of the data that the clone learnt from."""
        self.embodiment = embodiment
        self._clone = clone.eval()
        self._goal: NDArray[np.uint8] | None = None

    def set_goals(self, pictures: Sequence[NDArray[np.uint8]]) -> None:
        """Set the last of `pictures` (H, W, 3) uint8 RGB as the goal. Raises `GoalError` for a size other than the
        camera's, and when there is none."""
        if not pictures:
            raise GoalError("there is no goal picture; give at least one")
        camera = self.embodiment.camera
        if pictures[-1].shape != (camera.height, camera.width, 3):
            raise GoalError(
                f"the goal picture is {pictures[-1].shape}; this policy sees {(camera.height, camera.width, 3)}"
            )
        self._goal = pictures[-1]

    @torch.inference_mode()
    def decide(self, observation: Observation, committed: Vector) -> Decision:
        """Return the decision for the next block, as `Decider.decide` does."""
        began = time.perf_counter()
        if self._goal is None:
            raise GoalError("the policy has no goal; call set_goals with a picture first")
        likely = self._clone(
            torch.from_numpy(observation.picture(self.embodiment.camera.name)[None]),
            torch.from_numpy(observation.state[None].astype(np.float32)),
            torch.from_numpy(committed[None].astype(np.float32)),
            torch.from_numpy(self._goal[None]),
        )
        action = likely.mode()[0].double().numpy()
        return Decision(action, 0.0, False, 0.0, None, time.perf_counter() - began)


class _Triples:
    """Draws batches of (observation, next action, goal picture). The batch of a step depends only on seed and step."""

    def __init__(self, cache: FrameCache, episodes: NDArray[np.int64], settings: CloneTraining, seed: int) -> None:
        self._cache, self._settings, self._seed = cache, settings, seed
        spans = [(int(cache.starts[e]), int(cache.starts[e] + cache.lengths[e])) for e in episodes]
        # There must be an action after the running one, and a frame after that.
        self._frames = np.concatenate([np.arange(first, end - 2) for first, end in spans])
        self._ends = np.concatenate([np.full(max(0, end - 2 - first), end) for first, end in spans])

    def __call__(self, step: int) -> dict[str, Tensor]:
        rng = generator(self._seed, step, CLONE)
        chosen = rng.integers(0, len(self._frames), self._settings.batch)
        frame, end = self._frames[chosen], self._ends[chosen]
        last = np.minimum(end - 1, frame + 1 + self._settings.reach)
        goal = frame + 2 + np.floor(rng.random(len(frame)) * (last - frame - 1)).astype(np.int64)
        cache = self._cache
        return {
            "images": torch.from_numpy(cache.images[frame]),
            "goals": torch.from_numpy(cache.images[goal]),
            "states": torch.from_numpy(cache.states[frame]),
            "running": torch.from_numpy(cache.actions[frame]),
            "action": torch.from_numpy(cache.clean_actions[frame + 1]),
        }
