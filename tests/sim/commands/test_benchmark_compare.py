from __future__ import annotations

import json
from pathlib import Path

import cv2
import msgspec
import pytest

from control.model.trained_model import TrainedModel, load_trained, save_trained
from control.policies import METHODS
from sim.commands import benchmark_compare
from tests.commands import in_process
from tests.control.conftest import Run
from worldarm import main

EVERY = [*METHODS[:-2], "behaviour-cloning", *METHODS[-2:]]


def learnt_in_no_time(checkpoint: Path, folder: Path) -> None:
    """Write a copy whose card tells of a short training, for a clone learns for as long."""
    made = load_trained(checkpoint)
    told = msgspec.structs.replace(made.card.provenance, train_seconds=0.3)
    save_trained(folder, TrainedModel(msgspec.structs.replace(made.card, provenance=told), made.parts))


def test_every_way_of_deciding_is_measured_on_the_same_goals(
    trained_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learnt_in_no_time(trained_run.checkpoint, tmp_path / "model")
    words = ["--checkpoint", str(tmp_path / "model"), "--dataset", str(trained_run.dataset), "--episodes", "1"]
    files = ["--json", str(tmp_path / "numbers.json"), "--plot", str(tmp_path / "plot.png")]
    first = in_process("benchmark", "compare", *words, *files, "--run", str(tmp_path / "run"))
    assert first.returncode == 0, first.stderr
    found = json.loads((tmp_path / "numbers.json").read_bytes())
    assert [summary["method"] for summary in found] == EVERY
    assert len({summary["records"][0]["start_distance_m"] for summary in found}) == 1
    assert [line.split("|")[3].strip() for line in first.stdout.splitlines() if line.startswith("| push")] == EVERY
    assert cv2.imread(str(tmp_path / "plot.png")) is not None
    assert "clone: 100%" in first.stderr
    # What was learnt is not learnt again; the planners have nothing to do with that.
    monkeypatch.setattr(benchmark_compare, "METHODS", METHODS[-2:])
    saved = (tmp_path / "run" / "clone.resume").stat().st_mtime_ns
    again = in_process("benchmark", "compare", *words, *files, "--run", str(tmp_path / "run"))
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "run" / "clone.resume").stat().st_mtime_ns == saved


def test_data_that_the_model_did_not_learn_from_are_refused(
    trained_run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["benchmark", "compare", "--dataset", str(tmp_path), "--run", str(tmp_path / "run")]) == 1
    assert "worldarm: " in capsys.readouterr().err
    # The shipped model learnt from other play, seen in other pictures.
    assert main(["benchmark", "compare", "--dataset", str(trained_run.dataset), "--run", str(tmp_path / "run")]) == 1
    assert "64×64" in capsys.readouterr().err
    assert main(["benchmark", "compare", "--workers", "0"]) == 1
    assert "--workers" in capsys.readouterr().err
