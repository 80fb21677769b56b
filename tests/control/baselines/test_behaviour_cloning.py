from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from control.baselines.behaviour_cloning import (
    TIMED_STEPS,
    Clone,
    ClonePolicy,
    CloneTraining,
    steps_within,
    train_clone,
)
from perception.training_data.frame_cache import FrameCache
from robot.embodiment.observation import Observation
from tests.tiny import CAMERA, CONFIG, EMBODIMENT, HEADS, frames, picture

SETTINGS = CloneTraining(batch=32, learning_rate=3e-3)


def telling() -> FrameCache:
    """Episodes that go the way which their last pictures show: bright to one side, dark to the other."""
    cache = frames([8] * 10)
    for episode, start in enumerate(cache.starts):
        side = 1.0 if episode % 2 else -1.0
        cache.clean_actions[start : start + 8] = side
        cache.images[start : start + 8] = 120
        cache.images[start + 2 : start + 8] = 220 if side > 0 else 20
    return cache


def learnt(cache: FrameCache, folder: Path, steps: int) -> tuple[Clone, list[float]]:
    torch.manual_seed(0)
    clone = Clone(CONFIG, HEADS)
    history = train_clone(clone, cache, np.arange(8), steps, SETTINGS, folder, 0, torch.float32)
    return clone, history.terms["loss"]


def test_it_does_what_led_to_such_a_picture(tmp_path: Path) -> None:
    clone, losses = learnt(telling(), tmp_path, 60)
    assert losses[-1] < losses[0] - 0.5
    agent = ClonePolicy(clone, EMBODIMENT)
    plain = np.full_like(picture(), 120)
    for grey, sign in ((220, 1.0), (20, -1.0)):
        agent.set_goals([plain, np.full_like(plain, grey)])
        decision = agent.decide(Observation({CAMERA.name: plain}, np.zeros(CONFIG.proprio), 0), np.zeros(CONFIG.action))
        assert (sign * decision.action > 0.3).all() and np.abs(decision.action).max() <= 1.0
        assert not decision.reached and decision.imagined is None


def test_the_same_seed_learns_the_same(tmp_path: Path) -> None:
    one, _ = learnt(telling(), tmp_path / "one", 8)
    other, _ = learnt(telling(), tmp_path / "other", 8)
    for mine, its in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(mine, its)


@pytest.mark.parametrize(("seconds", "steps"), [(0.0, 1), (2.0, TIMED_STEPS // 2), (60.0, 15 * TIMED_STEPS)])
def test_steps_fill_the_time(seconds: float, steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter((100.0, 104.0))  # the timed steps take four seconds
    monkeypatch.setattr("control.baselines.behaviour_cloning.time", SimpleNamespace(monotonic=lambda: next(clock)))
    found = steps_within(seconds, Clone(CONFIG, HEADS), telling(), np.arange(8), SETTINGS, 0, torch.float32)
    assert found == steps
