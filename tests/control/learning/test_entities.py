"""A model of entities, trained, loaded and planned with as a user does it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch

from control.baselines.behaviour_cloning import Clone
from control.model.trained_model import load_trained
from control.policies import make_agent
from perception.checkpoint.card import HeadsConfig
from robot.embodiment.observation import Observation
from tests.commands import in_process
from tests.control.conftest import QUICK

STEPS = QUICK[: QUICK.index("--sizes.keypoints")]
SIZES = (
    *("--sizes.entities", "3", "--sizes.encoder-options", "features", "8"),
    *("--sizes.width", "24", "--sizes.blocks", "1", "--heads.masks", "0.6"),
)


@pytest.fixture(scope="module")
def checkpoint(play_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("entities")
    words = ("--dataset", str(play_set), "--run", str(root / "run"), "--output", str(root / "checkpoint"))
    done = in_process("train", *words, *STEPS, *SIZES)
    assert done.returncode == 0, done.stderr
    return root / "checkpoint"


def test_its_card_says_what_a_latent_consists_of(checkpoint: Path) -> None:
    card = load_trained(checkpoint).card
    assert (card.world_model.entities, card.world_model.latent, card.world_model.keypoints) == (3, 33, 0)
    assert card.world_model.encoder is not None and card.world_model.encoder.name == "entities"
    assert card.heads == HeadsConfig(0.97, 512, 5, 0, 32, masked=True)
    assert card.provenance.settings["sizes.entities"] == 3 and card.provenance.settings["heads.masks"] == 0.6


@pytest.mark.parametrize("method", ["full", "actor-only"])
def test_it_decides_and_plans(checkpoint: Path, method: str) -> None:
    trained = load_trained(checkpoint)
    agent = make_agent(trained, method, 0)  # type: ignore[arg-type]
    camera = trained.card.embodiment.camera
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (2, camera.height, camera.width, 3), np.uint8)
    agent.set_goal(pictures[0])
    state = np.zeros(trained.card.world_model.proprio)
    decision = agent.decide(Observation({camera.name: pictures[1]}, state, 0), np.zeros(2))
    assert np.isfinite(decision.action).all() and np.abs(decision.action).max() <= 1
    assert decision.imagined is not None and agent.draw(decision.imagined[-1]).shape == pictures[0].shape


def test_behaviour_cloning_reads_tokens_too(checkpoint: Path) -> None:
    card = load_trained(checkpoint).card
    clone = Clone(card.world_model, card.heads).eval()
    pictures = torch.zeros(2, card.world_model.height, card.world_model.width_px, 3, dtype=torch.uint8)
    states, actions = torch.zeros(2, card.world_model.proprio), torch.zeros(2, card.world_model.action)
    assert clone(pictures, states, actions, pictures).mode().shape == actions.shape


def test_its_encoder_may_be_kept(checkpoint: Path, play_set: Path, tmp_path: Path) -> None:
    words = ("--dataset", str(play_set), "--run", str(tmp_path / "run"), "--output", str(tmp_path / "made"))
    own = ("--sizes.dropout", "0", "--heads.masks", "0.5")
    done = in_process("train", *words, *STEPS, "--encoder", str(checkpoint), *own)
    assert done.returncode == 0, done.stderr
    made, kept = load_trained(tmp_path / "made").card, load_trained(checkpoint).card
    assert made.world_model == msgspec.structs.replace(kept.world_model, dropout=0.0)
    assert made.heads.masked


def test_its_heads_may_compare_all_numbers_at_once(checkpoint: Path, play_set: Path, tmp_path: Path) -> None:
    words = ("--dataset", str(play_set), "--run", str(tmp_path / "run"), "--output", str(tmp_path / "made"))
    done = in_process("train", *words, *STEPS, "--encoder", str(checkpoint), "--heads.comparison", "whole")
    assert done.returncode == 0, done.stderr
    trained = load_trained(tmp_path / "made")
    assert not trained.card.heads.pairs and not trained.card.heads.masked
    agent = make_agent(trained, "full", 0)
    camera = trained.card.embodiment.camera
    picture = np.zeros((camera.height, camera.width, 3), np.uint8)
    agent.set_goal(picture)
    state = np.zeros(trained.card.world_model.proprio)
    assert np.isfinite(agent.decide(Observation({camera.name: picture}, state, 0), np.zeros(2)).action).all()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--sizes.entities", "0"), "--sizes.entities is 0; it must be from 1 to 1024"),
        (("--sizes.encoder", "entities"), "give --sizes.entities 7"),
        (("--sizes.entities", "3", "--sizes.encoder", "convolutional"), "makes no entity tokens, not 3"),
        (("--sizes.entities", "3", "--sizes.latent", "24"), "--sizes.latent 153, not 24: leave the option out"),
        (("--sizes.entities", "3", "--heads.features", "8"), "--heads.features 8: an actor compares entity tokens"),
        (("--heads.comparison", "whole"), "--heads.comparison whole is for entity tokens"),
        (("--heads.masks", "0.5"), "--heads.masks masks entity tokens, and a flat latent has none"),
        (("--heads.masks", "1.5"), "--heads.masks must be above 0 and at most 1"),
    ],
)
def test_settings_that_do_not_fit_are_refused(
    play_set: Path, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    places = ("--dataset", str(play_set), "--run", str(tmp_path / "run"), "--output", str(tmp_path / "made"))
    refused = in_process("train", *places, *STEPS, *words)
    assert refused.returncode == 1 and said in refused.stderr and refused.stderr.count("\n") == 1
