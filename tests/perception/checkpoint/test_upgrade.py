"""Cards that older versions of worldarm wrote are read as if the present one had written them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from perception.checkpoint.card import SCHEMA, HeadsConfig, PictureErrors, PictureQuantiles
from perception.checkpoint.files import CARD_FILE, load, load_card, save
from perception.checkpoint.shipped import PRETRAINED_FOLDER
from robot.errors import CheckpointError
from tests.tiny import card

OLD_CARDS = Path(__file__).parent / "schema_2"
"""The cards of the checkpoints that came with worldarm when it wrote schema 2."""


def old(name: str) -> dict[str, Any]:
    """What a card of schema 2 says on disk."""
    said: dict[str, Any] = json.loads((OLD_CARDS / name / CARD_FILE).read_text())
    assert said["schema"] == 2 and "recipe" in said
    return said


def write(folder: Path, said: dict[str, Any]) -> None:
    """Write a card with its own digest, as worldarm does."""
    said = {**said, "card_sha256": ""}
    text = json.dumps(said, separators=(",", ":"), ensure_ascii=False)
    (folder / CARD_FILE).write_text(json.dumps({**said, "card_sha256": hashlib.sha256(text.encode()).hexdigest()}))


def test_a_card_of_schema_2_says_the_same_in_present_terms() -> None:
    said, read = old("tabletop"), load_card(OLD_CARDS / "tabletop")
    assert read.schema == SCHEMA
    assert read.heads == HeadsConfig(discount=0.97, landmarks=512, components=5, features=96, hidden=384)
    assert read.embodiment.arm == said["recipe"]["arm"]
    assert read.embodiment.state_names == tuple(said["recipe"]["state_names"])
    assert read.block_change == said["block_change"] and read.weights_sha256 == said["weights_sha256"]
    assert [gate.value for gate in read.gates] == [gate["value"] for gate in said["gates"]]
    assert read.provenance.settings["world_model.augmentation.share"] == 0.3
    assert len(read.provenance.settings) == len(said["provenance"]["settings"])
    assert not any("looks" in name for name in read.provenance.settings)
    assert read.decision == {}


def test_sizes_that_a_card_of_schema_2_leaves_out_are_those_of_then() -> None:
    assert "hidden" not in old("push")
    read = load_card(OLD_CARDS / "push")
    assert read.heads == HeadsConfig(0.97, 0, 1, 0, 256) and read.world_model.entities == 0


def test_the_weights_of_an_upgraded_card_are_those_it_describes_and_it_is_saved_in_the_present_schema(
    tmp_path: Path,
) -> None:
    _, tensors = load(PRETRAINED_FOLDER / "push")
    read = load_card(OLD_CARDS / "push")
    saved = save(tmp_path, read, tensors)
    assert json.loads((tmp_path / CARD_FILE).read_text())["schema"] == SCHEMA
    assert load_card(tmp_path) == saved and saved.heads == read.heads


def test_the_digest_of_a_card_of_schema_2_is_that_of_what_is_on_disk(tmp_path: Path) -> None:
    said = old("push")
    write(tmp_path, {**said, "discount": 0.9})
    assert load_card(tmp_path).heads.discount == 0.9
    (tmp_path / CARD_FILE).write_text(json.dumps({**said, "discount": 0.9}))
    with pytest.raises(CheckpointError, match="was changed after it was written"):
        load_card(tmp_path)


@pytest.mark.parametrize("name", ["recipe", "discount", "provenance"])
@pytest.mark.parametrize("value", [None, [], "other"])
def test_a_card_of_schema_2_with_a_missing_or_wrong_entry_is_refused(tmp_path: Path, name: str, value: object) -> None:
    said = old("push")
    del said[name]
    write(tmp_path, said if value is None else {**said, name: value})
    with pytest.raises(CheckpointError, match="is not a valid checkpoint card"):
        load_card(tmp_path)


def test_how_an_agent_plans_travels_with_the_card(tmp_path: Path) -> None:
    decision = {"search": {"samples": 64}, "costs": {"prior_weight": 0.5}}
    save(tmp_path, msgspec.structs.replace(card(), decision=decision), {})
    assert load_card(tmp_path).decision == decision


@pytest.mark.parametrize("value", [-0.1, 3.0])
def test_errors_of_pictures_that_cannot_be_are_refused(tmp_path: Path, value: float) -> None:
    fine = PictureQuantiles(0.1, 0.2, 0.3)
    save(tmp_path, msgspec.structs.replace(card(), picture_errors=PictureErrors(fine, fine, 100)), {})
    assert load_card(tmp_path).picture_errors == PictureErrors(fine, fine, 100)
    wrong = msgspec.structs.replace(fine, most=value)
    save(tmp_path, msgspec.structs.replace(card(), picture_errors=PictureErrors(fine, wrong, 100)), {})
    with pytest.raises(CheckpointError, match=r"picture_errors\.dissimilarity\.most is"):
        load_card(tmp_path)
