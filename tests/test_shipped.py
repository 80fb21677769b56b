"""The checkpoint that comes with worldarm does what the README says of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from control.doctor import verdict
from control.trained import PRETRAINED, TrainedModel, load_trained
from perception.checkpoint import CARD_FILE, WEIGHTS_FILE
from robot.action import PLANAR_PUSH
from robot.proprio import STATE_NAMES
from robot.recipe import RecordingRecipe
from sim.panda import panda_spec
from sim.view import front_camera
from tests.commands import worldarm

EPISODES = 8
LARGEST_BYTES = 8 * 1024**2


@pytest.fixture(scope="module")
def shipped() -> TrainedModel:
    return load_trained(PRETRAINED)


def test_it_is_whole_small_and_alone() -> None:
    files = {path.relative_to(PRETRAINED).as_posix(): path for path in PRETRAINED.rglob("*") if path.is_file()}
    assert set(files) == {CARD_FILE, WEIGHTS_FILE}
    assert sum(path.stat().st_size for path in files.values()) <= LARGEST_BYTES


def test_the_doctor_found_it_plannable(shipped: TrainedModel) -> None:
    names = {gate.name for gate in shipped.card.gates}
    assert {"effective rank", "object probe", "critic against steps to go"} <= names
    assert all(gate.passed for gate in shipped.card.gates)
    assert verdict(shipped.card.gates) == "plannable"


def test_the_card_says_where_it_comes_from(shipped: TrainedModel) -> None:
    told = shipped.card.provenance
    assert len(told.dataset_fingerprint) == 64 and int(told.dataset_fingerprint, 16) > 0
    assert told.episodes > 100 and told.frames > 10 * told.episodes and told.train_seconds > 0
    assert told.settings and told.versions
    assert 0 < shipped.card.discount < 1 and 0 < shipped.card.block_change < 1


def test_it_is_of_the_present_arm_camera_and_actions(shipped: TrainedModel) -> None:
    camera = front_camera(shipped.card.world_model.width_px, shipped.card.world_model.height)
    assert shipped.card.recipe == RecordingRecipe(panda_spec().name, camera, PLANAR_PUSH, STATE_NAMES)
    assert (shipped.card.world_model.proprio, shipped.card.world_model.action) == (len(STATE_NAMES), PLANAR_PUSH.size)


def test_it_thinks_in_finite_numbers(shipped: TrainedModel) -> None:
    for name, part in shipped.parts.named().items():
        for key, value in part.state_dict().items():
            assert np.isfinite(value.numpy()).all(), f"{name}.{key}"


def test_it_reaches_goals_that_holding_still_does_not(tmp_path: Path) -> None:
    files = ("--json", str(tmp_path / "numbers.json"), "--plot", str(tmp_path / "plot.png"))
    result = worldarm("benchmark", "push", "--episodes", str(EPISODES), "--method", "full", "hold", *files)
    assert result.returncode == 0, result.stderr
    full, hold = json.loads((tmp_path / "numbers.json").read_bytes())
    assert successes(full) >= 5, result.stdout
    assert successes(hold) == 0, result.stdout


def successes(summary: dict[str, Any]) -> int:
    return sum(record["success"] for record in summary["records"])
