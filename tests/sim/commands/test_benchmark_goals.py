"""`worldarm benchmark goals`: known goals are not refused, pictures of nothing are, and the numbers say how many."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch

from control.model.trained_model import TrainedModel, new_parts, save_trained
from perception.checkpoint.card import PictureErrors, PictureQuantiles
from sim.evaluation.goal_pictures import NOISE, UPSIDE_DOWN, goal_pictures, other_pictures, portions
from sim.evaluation.wilson import wilson
from sim.tasks.environments import ENVIRONMENTS, PUSH
from sim.tasks.goals import make_goals
from sim.world.cameras import front_camera, tabletop_rig
from tests.commands import in_process
from tests.sim.untrained import untrained_card


def refusals(path: Path, *words: str) -> dict[str, Any]:
    """What the command finds with one goal of each task, by the kind of picture."""
    result = in_process("benchmark", "goals", "--goals", "1", "--json", str(path), *words)
    assert result.returncode == 0, result.stderr
    found = json.loads(path.read_bytes())
    for kind in found["kinds"]:
        assert kind["share"] == kind["refused"] / kind["pictures"]
        assert kind["ci95"] == pytest.approx(wilson(kind["refused"], kind["pictures"]))
        assert f"| {kind['kind']} | {kind['refused']} of {kind['pictures']}, " in result.stdout
    return {kind["kind"]: kind for kind in found["kinds"]} | {"all": found}


def test_the_shipped_model_knows_its_goals_and_nothing_else(tmp_path: Path) -> None:
    kinds = refusals(tmp_path / "one.json", "--checkpoint", "push")
    assert (kinds["goals"]["refused"], kinds["goals"]["pictures"]) == (0, 2)
    for kind in kinds["all"]["kinds"]:
        if kind["wanted"] == "unknown":
            assert kind["refused"] == kind["pictures"] > 0, kind


@pytest.mark.parametrize("limit", [0.0, 2.0])
def test_what_is_refused_follows_the_card(tmp_path: Path, limit: float) -> None:
    errors = PictureQuantiles(limit, limit, limit)
    card = msgspec.structs.replace(untrained_card(), picture_errors=PictureErrors(errors, errors, 10))
    torch.manual_seed(0)
    save_trained(tmp_path / "model", TrainedModel(card, new_parts(card.world_model, card.heads)))
    found = refusals(tmp_path / "numbers.json", "--checkpoint", str(tmp_path / "model"))["all"]
    assert all(kind["refused"] == (kind["pictures"] if limit == 0.0 else 0) for kind in found["kinds"])
    assert refusals(tmp_path / "again.json", "--checkpoint", str(tmp_path / "model"))["all"] == found


def test_a_model_that_refuses_nothing_and_no_goals_are_refused_in_one_line(tmp_path: Path) -> None:
    card = msgspec.structs.replace(untrained_card(), picture_errors=None)
    save_trained(tmp_path / "model", TrainedModel(card, new_parts(card.world_model, card.heads)))
    for words, said in (
        (("--checkpoint", str(tmp_path / "model")), "--calibrate` measures it"),
        (("--goals", "0"), "must be at least 1"),
        (("--checkpoint", str(tmp_path / "none")), "none"),
    ):
        result = in_process("benchmark", "goals", *words)
        assert result.returncode == 1 and said in result.stderr and result.stderr.count("\n") == 1, result.stderr


def test_goals_are_others_than_those_of_the_benchmark_and_each_task_has_as_many() -> None:
    camera = front_camera(32, 32)
    parts = portions(PUSH, 0, 7)
    assert sorted((part.task, number) for part in parts for number in part.numbers) == sorted(
        (task, number) for task in ("push", "reach") for number in range(7)
    )
    reach = next(part for part in parts if part.task == "reach")
    (_, mine), (kind, turned) = goal_pictures(reach, PUSH, camera)
    world = PUSH.world(camera)
    theirs = [goal.picture for goal in make_goals(world, PUSH, "reach", 0, 20)]
    world.close()
    assert not any(np.array_equal(one, other) for one in mine for other in theirs)
    assert kind == UPSIDE_DOWN and np.array_equal(turned[0], mine[0][::-1, ::-1])


def test_each_view_of_a_rig_stands_upside_down_in_its_place_and_all_pictures_have_its_size() -> None:
    environment, rig = ENVIRONMENTS["tabletop"], tabletop_rig(32, 64)
    reach = next(part for part in portions(environment, 0, 1) if part.task == "reach")
    (_, (goal,)), (_, (turned,)) = goal_pictures(reach, environment, rig)
    assert np.array_equal(turned[:32], goal[:32][::-1, ::-1]) and np.array_equal(turned[32:], goal[32:][::-1, ::-1])
    for kind, pictures in other_pictures(environment, rig, 0, 1):
        assert all(picture.shape == (64, 32, 3) for picture in pictures), kind
        assert kind != NOISE or np.ptp(pictures[0]) > 200
