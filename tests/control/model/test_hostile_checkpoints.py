"""Checkpoints that were made to harm: their cards ask for what their weights are not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from safetensors.torch import save as serialise

from control.model.trained_model import load_trained, save_trained
from perception.checkpoint.files import CARD_FILE, WEIGHTS_FILE, load_card
from robot.errors import CheckpointError
from robot.system.files import sha256_of
from tests.hostile import told_by
from tests.tiny import trained

IMPORTS = "from pathlib import Path\nfrom control.model.trained_model import load_trained"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_trained(tmp_path, trained())
    return tmp_path


def say(folder: Path, *path: str, value: Any) -> None:
    """Change the card as its author could, without a digest that gives it away."""
    card = json.loads((folder / CARD_FILE).read_text())
    card["card_sha256"] = ""
    below = card
    for key in path[:-1]:
        below = below[key]
    below[path[-1]] = value
    (folder / CARD_FILE).write_text(json.dumps(card))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("world_model", "latent"), 60_000),
        (("world_model", "latent"), 10**12),
        (("world_model", "width"), 60_000),
        (("world_model", "width"), 0),
        (("world_model", "blocks"), 10**9),
        (("world_model", "blocks"), 200),
        (("world_model", "height"), 16_000),
        (("world_model", "height"), 10**9),
        (("world_model", "views"), 0),
        (("world_model", "context"), 9),
        (("world_model", "keypoints"), 10**9),
        (("world_model", "entities"), 3),  # they cannot share the latent
        (("world_model", "entities"), 4),
        (("world_model", "entities"), 10**9),
        (("world_model", "encoder"), {"name": "entities", "options": {"features": "9" * 9000}}),
        (("world_model", "proprio"), -1),
        (("world_model", "dropout"), 7.0),
        (("heads", "hidden"), 60_000),
        (("heads", "hidden"), 10**10),
        (("heads", "landmarks"), 9_000_000),
        (("heads", "landmarks"), 10**15),
        (("heads", "components"), 60_000),
        (("heads", "features"), 60_000),
        (("heads", "discount"), 1.0),
        (("decision",), {"search": {"samples": 10**12}}),
        (("decision",), {"search": {"horizon": 10**12}}),
        (("decision",), {"search": {"iterations": 10**12}}),
        (("embodiment", "action", "waypoints"), 10**9),
        (("embodiment", "action", "block_s"), 0.0),
        (("embodiment", "action", "block_s"), 1e300),
        (("embodiment", "action", "axes"), ["x"] * 100_000),
        (("embodiment", "action"), {"kind": "box", "size": 10**9, "block_s": 0.1, "repeat": 1}),
        (("embodiment", "action"), {"kind": "\x1b[2J"}),
    ],
    ids=str,
)
def test_a_card_that_asks_for_more_than_its_weights_is_refused(folder: Path, path: tuple[str, ...], value: Any) -> None:
    say(folder, *path, value=value)
    with pytest.raises(CheckpointError) as caught:
        load_trained(folder)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(("key", "value"), [("latent", 60_000), ("width", 60_000)])
def test_nothing_of_the_asked_size_is_made(folder: Path, key: str, value: int) -> None:
    say(folder, "world_model", key, value=value)
    assert "do not fit its card" in told_by(IMPORTS, f"load_trained(Path({str(folder)!r}))", 100)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"schema": 3, "a": ' + "[" * 100_000 + "]" * 100_000 + "}", "7", "\ud7ff"]
)
def test_a_card_of_brackets_is_told(folder: Path, text: str) -> None:
    (folder / CARD_FILE).write_text(text)
    with pytest.raises(CheckpointError):
        load_card(folder)


def test_an_immense_card_is_not_read(folder: Path) -> None:
    with (folder / CARD_FILE).open("r+b") as file:
        file.truncate(1 << 40)
    with pytest.raises(CheckpointError, match="larger than 16 MB"):
        load_card(folder)


@pytest.mark.parametrize("odd", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(folder: Path, odd: float) -> None:
    tensors = load_file(folder / WEIGHTS_FILE)
    name = next(iter(tensors))
    tensors[name].view(-1)[0] = torch.tensor(odd)
    (folder / WEIGHTS_FILE).write_bytes(serialise(tensors))
    say(folder, "weights_sha256", value=sha256_of(folder / WEIGHTS_FILE))
    with pytest.raises(CheckpointError, match="are not finite"):
        load_trained(folder)
