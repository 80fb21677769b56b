from __future__ import annotations

import json
from pathlib import Path

import pytest

from perception.training.run_folder import RUN_FILE, Settings, claim_run
from robot.errors import CheckpointError

BEFORE: dict[str, Settings] = {"world-model": {"seed": 0, "steps": 10}, "critic": {"seed": 0, "noise": 0.05}}


def begun(folder: Path, *parts: str) -> None:
    for part in parts:
        (folder / f"{part}.resume").touch()


def test_the_same_settings_go_on(tmp_path: Path) -> None:
    for _ in range(2):
        claim_run(tmp_path / "new" / "run", BEFORE)
        begun(tmp_path / "new" / "run", "world-model", "critic")


def test_a_part_that_was_begun_under_other_settings_is_refused_by_name(tmp_path: Path) -> None:
    claim_run(tmp_path, BEFORE)
    begun(tmp_path, "world-model")
    with pytest.raises(
        CheckpointError, match=r"holds the world-model .* \(seed was 0, now 1; width was absent, now 5\)"
    ):
        claim_run(tmp_path, {**BEFORE, "world-model": {"seed": 1, "steps": 10, "width": 5}})
    assert json.loads((tmp_path / RUN_FILE).read_text()) == BEFORE


def test_a_part_that_was_not_begun_may_change(tmp_path: Path) -> None:
    claim_run(tmp_path, BEFORE)
    begun(tmp_path, "world-model")
    claim_run(tmp_path, {**BEFORE, "critic": {"seed": 0, "noise": 0.1}})
    begun(tmp_path, "critic")
    with pytest.raises(CheckpointError, match=r"noise was 0\.1, now 0\.05"):
        claim_run(tmp_path, BEFORE)


def test_a_run_that_an_older_version_began_goes_on(tmp_path: Path) -> None:
    said = {"world-model": {"seed": 0, "world_model.looks.share": 0.3}}
    (tmp_path / RUN_FILE).write_text(json.dumps(said))
    begun(tmp_path, "world-model")
    now: dict[str, Settings] = {"world-model": {"seed": 0, "world_model.augmentation.share": 0.3}}
    claim_run(tmp_path, now)
    assert json.loads((tmp_path / RUN_FILE).read_text()) == now
    with pytest.raises(CheckpointError, match=r"world_model\.augmentation\.share was 0\.3, now 0\.4"):
        claim_run(tmp_path, {"world-model": {"seed": 0, "world_model.augmentation.share": 0.4}})


@pytest.mark.parametrize("damage", ["", "{", "[1]", '{"critic": 3}'])
def test_a_torn_file_is_refused(tmp_path: Path, damage: str) -> None:
    (tmp_path / RUN_FILE).write_text(damage)
    with pytest.raises(CheckpointError, match="cannot be read"):
        claim_run(tmp_path, BEFORE)
