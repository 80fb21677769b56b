"""Both loaders are measured on the same frames, of which they give the same pictures."""

from __future__ import annotations

import json
import os
from pathlib import Path

from tests.commands import worldarm
from tests.lerobot import ours


def test_both_are_measured_on_a_set_that_is_given_and_one_that_is_made(tmp_path: Path) -> None:
    ours.write(tmp_path / "set", "video")
    python = str(Path(os.environ["LEROBOT_PYTHON"]).absolute())
    numbers = tmp_path / "numbers.json"
    few = ("--samples", "12", "--rounds", "2", "--reference", python, "--json", str(numbers))
    for words, frames in (((str(tmp_path / "set"),), sum(ours.LENGTHS)), (("--episodes", "2", "--frames", "10"), 20)):
        result = worldarm("benchmark", "dataset", *words, *few)
        assert result.returncode == 0, result.stderr
        found = json.loads(numbers.read_text())
        assert (found["frames"], found["cameras"], found["samples"], found["rounds"]) == (frames, 2, 12, 2)
        assert found["ratio"] == found["ours"]["per_second"] / found["reference"]["per_second"]
        assert found["ratio"] > 1 and found["picture_difference"] <= 4
        assert "wanted" in result.stdout and found["reference_version"] in result.stdout
