from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from shutil import rmtree

import cv2
import pytest

from control.learning.heads import HeadTraining
from control.learning.settings import Learning
from control.learning.sizes import Sizes
from control.model.trained_model import load_trained
from perception.training.world_model import DecoderTraining, PredictorTraining, WorldModelTraining
from sim.commands.benchmark_ablate import usual, variants
from tests.commands import in_process
from tests.control.conftest import QUICK
from worldarm import main


def test_each_training_lacks_one_thing_and_is_measured(play_set: Path, tmp_path: Path) -> None:
    words = ["benchmark", "ablate", "--dataset", str(play_set), "--run", str(tmp_path / "run"), *QUICK]
    words += ["--parts", "context", "data", "--data-sizes", "6", "--sizes.keypoints", "0", "--episodes", "1"]
    words += ["--method", "actor-only", "--json", str(tmp_path / "numbers.json"), "--plot", str(tmp_path / "plot.png")]
    first = in_process(*words)
    assert first.returncode == 0, first.stderr
    names = ["whole", "context of 2", "6 episodes"]
    found = json.loads((tmp_path / "numbers.json").read_bytes())
    assert [summary["method"] for summary in found] == names
    assert len({summary["checkpoint_sha256"] for summary in found}) == len(names)
    assert len({summary["records"][0]["start_distance_m"] for summary in found}) == 1
    assert cv2.imread(str(tmp_path / "plot.png")) is not None
    cards = {name: load_trained(tmp_path / "run" / name / "checkpoint").card for name in names}
    assert (cards["context of 2"].world_model.context, cards["whole"].world_model.context) == (2, 1)
    assert cards["whole"].world_model.keypoints == 0
    assert cards["6 episodes"].provenance.settings["episodes"] == 6
    # Given again it learns what is not there, and only that.
    rmtree(tmp_path / "run" / "6 episodes")
    states = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.resume")}
    again = in_process(*words)
    assert again.returncode == 0, again.stderr
    assert states.items() < {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.resume")}.items()
    assert again.stderr.count("critic: 100%") == 1
    assert json.loads((tmp_path / "numbers.json").read_bytes())[2]["checkpoint_sha256"] == found[2]["checkpoint_sha256"]


def test_each_part_is_left_out_by_the_one_setting_that_it_is() -> None:
    whole = Learning(WorldModelTraining(), PredictorTraining(), DecoderTraining(), HeadTraining(), Sizes())
    made = variants(whole, usual(whole), (6, 9), views=1)
    names = ["whole", "no inverse", "no sigreg", "no posture", "no colour", "no blobs", "no keypoints", "no features"]
    names += ["stride 1", "clips of 2", "clips of 6", "context of 2", "6 episodes", "9 episodes"]
    assert list(made) == names and made["whole"] == whole
    settings = whole.everything().items()
    changed = {name: dict(learning.everything().items() - settings) for name, learning in made.items()}
    weights = ("inverse", "sigreg", "posture", "colour", "blobs")
    assert changed == {
        "whole": {},
        **{f"no {weight}": {f"world_model.weights.{weight}": 0.0} for weight in weights},
        "no keypoints": {"sizes.keypoints": 0},
        "no features": {"heads.features": 0},
        "stride 1": {"world_model.stride": 1},
        "clips of 2": {"world_model.clip": 2},
        "clips of 6": {"world_model.clip": 6},
        "context of 2": {"sizes.context": 2},
        "6 episodes": {"episodes": 6},
        "9 episodes": {"episodes": 9},
    }


def test_a_model_of_entities_has_parts_of_its_own() -> None:
    heads, sizes = HeadTraining(masks=0.5), Sizes(entities=7)
    whole = Learning(WorldModelTraining(), PredictorTraining(), DecoderTraining(), heads, sizes)
    made = variants(whole, usual(whole), (6,), views=1)
    names = ["whole", "no inverse", "no sigreg", "no posture", "no colour", "no pairs", "no masks"]
    assert list(made) == [*names, "stride 1", "clips of 2", "clips of 6", "context of 2", "6 episodes"]
    assert (made["no pairs"].heads.comparison, made["no pairs"].heads.masks) == ("whole", None)
    assert (made["no masks"].heads.comparison, made["no masks"].heads.masks) == (None, None)
    unmasked = dataclasses.replace(whole, heads=HeadTraining())
    assert "masks" not in usual(unmasked) and "pairs" in usual(unmasked)


def test_each_camera_of_a_rig_may_look_on_alone(tmp_path: Path) -> None:
    played = in_process(
        *("play", "--task", "tabletop", "--camera", "tabletop-rig", "--size", "32", "--dataset", str(tmp_path / "rig")),
        *("--episodes", "6", "--blocks", "30", "--processes", "1"),
    )
    assert played.returncode == 0, played.stderr
    words = ["--dataset", str(tmp_path / "rig"), *QUICK, "--episodes", "1", "--task", "reach", "--parts", "cameras"]
    words += ["--method", "actor-only", "--json", str(tmp_path / "numbers.json"), "--plot", str(tmp_path / "plot.png")]
    found = in_process("benchmark", "ablate", "--run", str(tmp_path / "run"), *words)
    assert found.returncode == 0, found.stderr
    summaries = json.loads((tmp_path / "numbers.json").read_bytes())
    assert [summary["method"] for summary in summaries] == ["whole", "camera 1 alone", "camera 2 alone"]
    cards = [load_trained(tmp_path / "run" / s["method"] / "checkpoint").card for s in summaries]
    assert [card.embodiment.camera.name for card in cards] == ["tabletop-rig", "tabletop-rig.1", "tabletop-rig.2"]
    assert [(card.world_model.views, card.world_model.height) for card in cards] == [(2, 64), (1, 32), (1, 32)]
    assert len({card.provenance.dataset_fingerprint for card in cards}) == 1
    # The doctor, too, shows it the one camera's part of the pictures.
    alone = str(tmp_path / "run" / "camera 2 alone" / "checkpoint")
    checked = in_process("check", alone, "--dataset", str(tmp_path / "rig"), "--cache", str(tmp_path / "cache"))
    assert "not plannable" in checked.stdout, checked.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--parts", "cameras"], "was recorded with one camera; play with --camera tabletop-rig"),
        (["--parts", "data", "--data-sizes", "6", "12"], "--data-sizes 12 must be between 1 and 11"),
        (["--episodes", "0"], "--episodes and --workers must be at least 1"),
        (["--sizes.latent", "0"], "no world model has these sizes"),
        (["--sizes.entities", "7", "--parts", "blobs", "data"], "--parts blobs: a model of entities has none of these"),
        (["--parts", "masks", "pairs"], "--parts masks pairs: a model of a flat latent has none of these"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_learnt(
    play_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert main(["benchmark", "ablate", "--dataset", str(play_set), "--run", str(tmp_path / "run"), *words]) == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
