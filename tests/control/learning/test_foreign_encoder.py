"""An encoder from outside the package is trained on, saved, loaded and planned with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from control.agent import Agent
from control.model.trained_model import load_trained
from control.policies import make_agent
from perception.checkpoint.files import WEIGHTS_FILE, load_card
from perception.model.recent_pictures import RecentPictures
from perception.training.world_model import encode_all
from perception.training_data.frame_cache import open_cache
from robot.dataset.reader import Dataset
from robot.embodiment.observation import Observation
from robot.errors import CheckpointError
from robot.system.files import sha256_of
from tests.commands import in_process
from tests.control.conftest import QUICK
from tests.control.learning.projection_encoder import PICTURE, install, write_weights
from tests.perception.recording.known import written

STEPS = QUICK[: QUICK.index("--sizes.keypoints")]
SETTINGS = (*STEPS, "--sizes.latent", "16", "--sizes.width", "32")
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def strange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the encoder's metadata on the path, its weights, a recorded set, and a checkpoint trained on it."""
    root = tmp_path_factory.mktemp("strange")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(install(root / "package")))
        written(root / "set", seconds=6.0, speed=0.03, sways=(0.1, 0.2, 0.3, 0.4, 0.25, 0.35))
        weights = write_weights(root / "projection.safetensors", seed=3)
        words = ("--dataset", str(root / "set"), "--run", str(root / "run"), "--output", str(root / "checkpoint"))
        encoder = ("--sizes.encoder", "projection", "--sizes.encoder-options", "weights", str(weights))
        done = in_process("train", *words, *SETTINGS, *encoder)
        assert done.returncode == 0, done.stderr
        yield root


def test_its_card_names_it_and_refers_to_its_weights_by_digest(strange: Path) -> None:
    card = load_card(strange / "checkpoint")
    config = card.world_model
    assert config.encoder is not None and config.encoder.name == "projection"
    assert config.encoder.weights_sha256 == sha256_of(strange / "projection.safetensors")
    assert config.encoder.options == {"weights": str(strange / "projection.safetensors")}
    assert config.picture == card.embodiment.camera.view_size == PICTURE and config.keypoints == 0
    stored = load_file(strange / "checkpoint" / WEIGHTS_FILE)
    assert [key for key in stored if key.startswith("model.encoder.")] == [
        "model.encoder.head.bias",
        "model.encoder.head.weight",
    ]


def test_its_own_weights_stay_as_they_are_while_the_rest_of_it_learns(strange: Path) -> None:
    encoder = load_trained(strange / "checkpoint").parts.model.encoder
    of_file = load_file(strange / "projection.safetensors")["weight"]
    assert torch.equal(encoder.projection.module.weight, of_file)
    steps = load_file(strange / "run" / "world-model.resume")
    assert not [key for key in steps if "projection" in key]
    assert any(key.startswith("module.model.encoder.head") for key in steps)


def test_running_encodes_the_same_clips_as_training(strange: Path) -> None:
    model = load_trained(strange / "checkpoint").parts.model
    cache = open_cache(Dataset.open(strange / "set"), "front", strange / "run" / "cache", PICTURE)
    latents = encode_all(model, cache, CPU)
    recent = RecentPictures(model.encoder.frames)
    for episode in (1, 0):
        recent.clear()
        first = int(cache.starts[episode])
        for frame in range(first, first + 3):
            torch.testing.assert_close(model.encode_clips(recent.add(cache.images[frame]))[0], latents[frame])
    still = model.encode(torch.from_numpy(np.array(cache.images[frame])[None]))[0]
    assert not torch.allclose(still, latents[frame], atol=1e-4)  # the earlier frame of the clip counts


def test_the_agent_plans_from_the_present_clip_and_forgets_it_at_a_new_goal(strange: Path) -> None:
    grey = {level: np.full((PICTURE[1], PICTURE[0], 3), level, np.uint8) for level in (10, 120, 200)}

    def imagined(agent: Agent, *levels: int) -> torch.Tensor:
        agent.set_goals([grey[200]])
        for level in levels:
            decision = agent.decide(Observation({"front": grey[level]}, np.zeros(7), 0), np.zeros(2))
        assert np.isfinite(decision.action).all() and decision.imagined is not None
        return decision.imagined

    trained = load_trained(strange / "checkpoint")
    imagined(make_agent(trained, "full"), 10)
    agent = make_agent(trained, "actor-only")
    came_from_dark = imagined(agent, 10, 120)
    assert not torch.allclose(came_from_dark, imagined(agent, 120, 120))
    assert torch.equal(came_from_dark, imagined(agent, 10, 120))
    assert torch.equal(imagined(agent, 120, 120), imagined(agent, 120))


def test_other_weights_and_absent_ones_are_refused(strange: Path) -> None:
    weights = strange / "projection.safetensors"
    kept = weights.read_bytes()
    try:
        write_weights(weights, seed=4)
        with pytest.raises(CheckpointError, match=f"{weights} have the SHA-256 digest .* was trained with .* put that"):
            load_trained(strange / "checkpoint")
        weights.unlink()
        with pytest.raises(CheckpointError, match=f"were looked for in {weights} and cannot be read .* put the file"):
            load_trained(strange / "checkpoint")
    finally:
        weights.write_bytes(kept)


def test_a_data_set_is_judged_in_pictures_of_its_size(strange: Path) -> None:
    words = ("--dataset", str(strange / "set"), "--cache", str(strange / "check"))
    judged = in_process("check", str(strange / "checkpoint"), *words)
    assert judged.returncode in (0, 1) and "plannable" in judged.stdout, judged.stderr


def test_it_is_kept_when_the_rest_is_learnt_anew(strange: Path) -> None:
    words = ("--dataset", str(strange / "set"), "--run", str(strange / "run2"), "--output", str(strange / "second"))
    done = in_process(
        "train", *words, *QUICK[: QUICK.index("--sizes.keypoints")], "--encoder", str(strange / "checkpoint")
    )
    assert done.returncode == 0, done.stderr
    first, second = (load_trained(strange / name) for name in ("checkpoint", "second"))
    assert second.card.world_model == first.card.world_model
    for key, value in first.parts.model.encoder.state_dict().items():
        assert torch.equal(second.parts.model.encoder.state_dict()[key], value)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--sizes.encoder", "nothing"), "there is no encoder called 'nothing'; known: convolutional"),
        (("--sizes.encoder", "convolutional", "--sizes.encoder-options", "depth", "3"), "has no options"),
        (("--sizes.picture", "50", "64"), "both sides must be multiples of 16"),
    ],
)
def test_encoders_that_cannot_be_are_refused(strange: Path, tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    places = ("--dataset", str(strange / "set"), "--run", str(tmp_path / "run"), "--output", str(tmp_path / "made"))
    refused = in_process("train", *places, *SETTINGS, *words)
    assert refused.returncode == 1 and said in refused.stderr and refused.stderr.count("\n") == 1


def test_its_picture_size_is_not_to_be_chosen_where_it_is_fixed(strange: Path, tmp_path: Path) -> None:
    places = ("--dataset", str(strange / "set"), "--run", str(tmp_path / "run"), "--output", str(tmp_path / "made"))
    encoder = (
        "--sizes.encoder",
        "projection",
        "--sizes.encoder-options",
        "weights",
        str(strange / "projection.safetensors"),
    )
    for option, said in (
        (("--sizes.picture", "64", "64"), "sees pictures of 48x32 pixels, not of 64x64"),
        (("--sizes.keypoints", "4"), "has --sizes.keypoints 0, not 4"),
    ):
        refused = in_process("train", *places, *SETTINGS, *encoder, *option)
        assert refused.returncode == 1 and said in refused.stderr


def test_the_built_in_one_takes_the_size_that_is_asked_for(strange: Path, tmp_path: Path) -> None:
    places = ("--dataset", str(strange / "set"), "--run", str(tmp_path / "run"), "--output", str(tmp_path / "made"))
    done = in_process("train", *places, *QUICK, "--sizes.picture", "48", "32")
    assert done.returncode == 0, done.stderr
    card = load_card(tmp_path / "made")
    assert card.world_model.picture == card.embodiment.camera.view_size == (48, 32)
    assert card.world_model.encoder is not None and card.world_model.encoder.name == "convolutional"
    assert card.provenance.settings["sizes.picture"] == "48x32"


def test_pictures_of_play_are_not_resized(play_set: Path, tmp_path: Path) -> None:
    places = ("--dataset", str(play_set), "--run", str(tmp_path / "run"), "--output", str(tmp_path / "made"))
    refused = in_process("train", *places, *QUICK, "--sizes.picture", "48", "48")
    assert refused.returncode == 1 and "are 32x32 pixels and are not resized" in refused.stderr
