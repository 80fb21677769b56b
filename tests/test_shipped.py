"""The checkpoints that come with worldarm do what the README says of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from control.learning.doctor import verdict
from control.model.trained_model import TrainedModel, load_trained
from control.policies import make_agent
from perception.checkpoint.files import CARD_FILE, WEIGHTS_FILE
from perception.checkpoint.shipped import PRETRAINED_FOLDER
from sim.tasks.environments import ENVIRONMENTS, EnvironmentName
from sim.tasks.goals import make_goals
from sim.tasks.task import TOLERANCE_M, Task
from tests.commands import in_process

MIB = 1024**2


@dataclass(frozen=True)
class Shipped:
    """A checkpoint that comes with worldarm, and the least that it must reach of `GOALS` goals of each task."""

    name: EnvironmentName
    camera: str | None
    largest_bytes: int
    least: Mapping[Task, int]

    @property
    def folder(self) -> Path:
        return PRETRAINED_FOLDER / self.name


GOALS = 4
PUSH = Shipped("push", None, 8 * MIB, {"push": 3})
TABLETOP = Shipped("tabletop", "tabletop-rig", 12 * MIB, {"reach": 3, "grasp-lift": 3, "pick-place": 3})


@pytest.fixture(scope="module", params=[PUSH, TABLETOP], ids=lambda shipped: shipped.name)
def shipped(request: pytest.FixtureRequest) -> Shipped:
    asked: Shipped = request.param
    return asked


@pytest.fixture(scope="module")
def loaded(shipped: Shipped) -> TrainedModel:
    return load_trained(shipped.folder)


def test_nothing_else_is_shipped() -> None:
    assert {path.name for path in PRETRAINED_FOLDER.iterdir()} == {PUSH.name, TABLETOP.name}


def test_it_is_whole_small_and_alone(shipped: Shipped) -> None:
    files = {path.relative_to(shipped.folder).as_posix(): path for path in shipped.folder.rglob("*") if path.is_file()}
    assert set(files) == {CARD_FILE, WEIGHTS_FILE}
    assert sum(path.stat().st_size for path in files.values()) <= shipped.largest_bytes


def test_the_doctor_found_it_plannable(loaded: TrainedModel) -> None:
    names = {gate.name for gate in loaded.card.gates}
    assert {"effective rank", "object probe", "critic against steps to go"} <= names
    assert all(gate.passed for gate in loaded.card.gates)
    assert verdict(loaded.card.gates) == "plannable"


def test_the_card_says_where_it_comes_from(loaded: TrainedModel) -> None:
    told = loaded.card.provenance
    assert len(told.dataset_fingerprint) == 64 and int(told.dataset_fingerprint, 16) > 0
    assert told.episodes > 100 and told.frames > 10 * told.episodes and told.train_seconds > 0
    assert told.settings and told.versions
    assert 0 < loaded.card.heads.discount < 1 and 0 < loaded.card.block_change < 1


def test_it_is_of_the_present_arm_camera_and_actions(shipped: Shipped, loaded: TrainedModel) -> None:
    environment = ENVIRONMENTS[shipped.name]
    assert loaded.card.embodiment == environment.embodiment(loaded.card.world_model.width_px, shipped.camera)
    assert loaded.card.world_model.proprio == len(environment.state_names)
    assert loaded.card.world_model.action == environment.convention.size


def test_it_thinks_in_finite_numbers(loaded: TrainedModel) -> None:
    for name, part in loaded.parts.named().items():
        for key, value in part.state_dict().items():
            assert np.isfinite(value.numpy()).all(), f"{name}.{key}"


def test_it_knows_the_goals_of_its_tasks_and_says_so_of_nothing_else(shipped: Shipped, loaded: TrainedModel) -> None:
    environment, camera = ENVIRONMENTS[shipped.name], loaded.card.embodiment.camera
    agent = make_agent(loaded, "hold")
    world = environment.world(camera)
    try:
        goals = [goal.picture for goal in make_goals(world, environment, "reach", 5, 8)]
    finally:
        world.close()
    assert [agent.unknown(picture) for picture in goals] == [""] * len(goals)
    rng = np.random.default_rng(0)
    strange = [np.full_like(goals[0], level) for level in (0, 15, 128, 255)]
    strange += [rng.integers(0, 256, goals[0].shape, np.uint8), goals[0][::-1].copy()]
    assert all("from what the model draws of it" in agent.unknown(picture) for picture in strange)


def test_it_reaches_goals_that_are_far_from_where_it_starts(shipped: Shipped, tmp_path: Path) -> None:
    for task, least in shipped.least.items():
        files = ("--json", str(tmp_path / "numbers.json"), "--plot", str(tmp_path / "plot.png"))
        result = in_process("benchmark", task, "--episodes", str(GOALS), "--checkpoint", shipped.name, *files)
        assert result.returncode == 0, result.stderr
        full = json.loads((tmp_path / "numbers.json").read_bytes())
        assert full["method"] == "full" and successes(full) >= least, result.stdout
        assert min(record["start_distance_m"] for record in full["records"]) > TOLERANCE_M[task]


def successes(summary: dict[str, Any]) -> int:
    return sum(record["success"] for record in summary["records"])
