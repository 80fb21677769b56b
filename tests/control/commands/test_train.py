from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import msgspec
import pytest
import torch

from control.decision_config import default_decision_config
from control.model.trained_model import load_trained
from perception.training.world_model import compute_dtype
from robot.dataset.format.columns import STATE
from robot.dataset.reader import Dataset
from robot.dataset.writer import DatasetWriter
from tests.commands import ROOT, environment, worldarm
from tests.control.conftest import QUICK, Run
from tests.preloaded import Preloaded
from tests.robot.dataset import samples
from tests.tiny import EMBODIMENT
from worldarm import main

PRECISION, OTHER_PRECISION = "float32", "bf16"
if compute_dtype("auto", torch.device("cpu")) == torch.bfloat16:
    PRECISION, OTHER_PRECISION = OTHER_PRECISION, PRECISION


def refusal(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The one line with which `worldarm train` refuses; a progress bar wipes itself away before it."""
    assert main(["train", *words]) == 1
    error = capsys.readouterr().err.rpartition("\r")[2]
    assert error.startswith("worldarm: ") and error.count("\n") == 1
    return error


def test_a_data_set_becomes_a_checkpoint_with_its_curves(trained_run: Run) -> None:
    loaded = load_trained(trained_run.checkpoint)
    assert loaded.card.decision == msgspec.to_builtins(default_decision_config(has_binary_actions=False))
    dataset = Dataset.open(trained_run.dataset)
    provenance = loaded.card.provenance
    assert (provenance.dataset_fingerprint, provenance.episodes, provenance.frames) == (dataset.fingerprint(), 12, 372)
    assert provenance.settings["heads.steps"] == 12 and provenance.train_seconds > 0
    assert {"sizes.latent": 16, "processes": 1, "device": "cpu"}.items() <= provenance.settings.items()
    assert provenance.settings["precision"] in ("bf16", "float32") and len(provenance.series) == 64
    assert loaded.card.embodiment.camera.width == 32 and loaded.card.world_model.latent == 16
    assert loaded.card.heads.hidden == 32
    assert loaded.card.world_model.commands == (4, 5, 6)  # the set-points
    assert len(loaded.card.gates) == 6 and loaded.card.block_change > 0
    curves = cv2.imread(str(trained_run.folder / "curves.png"))
    assert curves is not None and curves.shape[1] > 1000  # four panels


def test_it_says_where_things_are_shows_progress_and_gives_its_verdict(trained_run: Run) -> None:
    said = trained_run.output.splitlines()
    assert said[0].startswith(f"checkpoint in {trained_run.checkpoint}, loss curves in ")
    assert said[1].startswith("not plannable: ")
    for part in ("world-model", "decoder", "critic", "actor"):
        assert f"{part}: 100%" in trained_run.errors


def test_given_again_it_has_nothing_left_to_learn(trained_run: Run, tmp_path: Path) -> None:
    words = [*trained_run.words, "--output", str(tmp_path / "again")]
    states = {path: path.stat().st_mtime_ns for path in trained_run.folder.glob("*.resume")}
    assert len(states) == 5
    assert main(["train", *words]) == 0
    assert {path: path.stat().st_mtime_ns for path in trained_run.folder.glob("*.resume")} == states
    first, again = load_trained(trained_run.checkpoint).card, load_trained(tmp_path / "again").card
    assert (again.weights_sha256, again.gates) == (first.weights_sha256, first.gates)
    assert again.provenance == first.provenance  # the seconds that the learning took, too


def test_the_same_seed_gives_the_same_weights(trained_run: Run, tmp_path: Path) -> None:
    words = ["--dataset", str(trained_run.dataset), "--run", str(tmp_path / "run"), "--output", str(tmp_path / "made")]
    result = worldarm("train", *words, *QUICK)  # in a process of its own, unlike the other
    assert result.returncode == 0 and "Warning" not in result.stderr, result.stderr
    first, again = load_trained(trained_run.checkpoint).card, load_trained(tmp_path / "made").card
    assert again.weights_sha256 == first.weights_sha256


def test_mirror_images_are_learnt_from_and_are_no_recordings(trained_run: Run, tmp_path: Path) -> None:
    words = ["--dataset", str(trained_run.dataset), "--run", str(tmp_path / "run"), "--output", str(tmp_path / "made")]
    assert main(["train", *words, *QUICK, "--mirror"]) == 0
    mirrored, plain = load_trained(tmp_path / "made").card, load_trained(trained_run.checkpoint).card
    assert mirrored.provenance.settings["mirror"] and "mirror" not in plain.provenance.settings
    assert (mirrored.provenance.episodes, mirrored.provenance.frames) == (12, 372)
    assert mirrored.weights_sha256 != plain.weights_sha256


def test_an_encoder_may_be_kept_while_the_rest_learns_on(
    trained_run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--dataset", str(trained_run.dataset), "--run", str(tmp_path / "run"), "--output", str(tmp_path / "made")]
    kept = ["--encoder", str(trained_run.checkpoint)]
    assert main(["train", *words, *QUICK, *kept, "--seed", "1"]) == 0
    shown = capsys.readouterr().err
    assert "world-model: " not in shown and "decoder: " not in shown and "predictor: 100%" in shown
    before, after = load_trained(trained_run.checkpoint), load_trained(tmp_path / "made")
    for part, same in (("encoder", True), ("normaliser", True), ("predictor", False)):
        pairs = zip(*(getattr(made.parts.model, part).state_dict().values() for made in (before, after)), strict=True)
        assert all(torch.equal(one, other) for one, other in pairs) == same
    assert after.card.provenance.settings["encoder"] == before.card.weights_sha256
    assert after.card.provenance.train_seconds > before.card.provenance.train_seconds
    elsewhere = [*words[:2], "--run", str(tmp_path / "other"), "--output", str(tmp_path / "unsized")]
    sizeless = QUICK[: QUICK.index("--sizes.keypoints")]
    assert main(["train", *elsewhere, *sizeless, *kept]) == 0
    unsized = load_trained(tmp_path / "unsized").card
    assert unsized.world_model == before.card.world_model and unsized.provenance.settings["sizes.latent"] == 16
    capsys.readouterr()
    dropped = [*words[:2], "--run", str(tmp_path / "dropped"), "--output", str(tmp_path / "made-so")]
    assert main(["train", *dropped, *QUICK, "--sizes.dropout", "0.2", *kept]) == 0
    assert load_trained(tmp_path / "made-so").card.world_model.dropout == 0.2
    capsys.readouterr()
    sizes = [*QUICK, "--sizes.width", "40"]
    said = refusal(capsys, *words[:2], "--run", str(tmp_path / "third"), *words[4:], *sizes, *kept)
    assert "--encoder and --sizes do not fit: width is " in said
    assert "encoder was" in refusal(capsys, *words, *QUICK, "--seed", "1")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("--seed", "1"), "seed was 0, now 1"),
        (("--world-model.batch", "8"), "world_model.batch was 4, now 8"),
        (("--heads.expectile", "0.7"), "heads.expectile was 0.9, now 0.7"),
        (("--sizes.latent", "24"), "sizes.latent was 16, now 24"),
        (("--precision", OTHER_PRECISION), f"precision was {PRECISION}, now {OTHER_PRECISION}"),
        (("--compile",), "compiled was absent, now 1"),
    ],
)
def test_other_settings_do_not_go_on_from_a_run(
    trained_run: Run, capsys: pytest.CaptureFixture[str], change: tuple[str, ...], words: str
) -> None:
    error = refusal(capsys, *trained_run.words, *change)
    assert words in error and "another --run folder" in error


def test_compiling_without_a_compiler_is_refused_before_anything_is_decoded(
    trained_run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    words = ["--dataset", str(trained_run.dataset), "--run", str(tmp_path / "run")]
    assert "--compile needs a C++ compiler, and there is no no-such-compiler" in refusal(capsys, *words, "--compile")
    assert not (tmp_path / "run").exists()


def test_other_data_do_not_go_on_from_a_run(
    trained_run: Run, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    shutil.copytree(trained_run.dataset, tmp_path / "grown")
    with DatasetWriter.open(tmp_path / "grown", durable=False) as writer:
        columns = Dataset.open(trained_run.dataset).episode(0, list(writer.info.user_features))
        writer.save_episode(columns, "more", {"seed": 0, "play_index": 12})
    assert "dataset was " in refusal(capsys, *trained_run.words, "--dataset", str(tmp_path / "grown"))


def test_two_processes_share_a_training_that_one_does_not_go_on_with(
    play_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--dataset", str(play_set), "--run", str(tmp_path / "run"), "--output", str(tmp_path / "made")]
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "--", "worldarm"]
    result = subprocess.run(
        [sys.executable, *launch, "train", *words, *QUICK],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("checkpoint in") == 1
    provenance = load_trained(tmp_path / "made").card.provenance
    assert provenance.frames == 372 and provenance.settings["processes"] == 2
    assert "processes was 2, now 1" in refusal(capsys, *words, *QUICK)


def made_without(root: Path, feature: str = "", lengths: tuple[int, ...] = (40, 40), embodiment: bool = True) -> Path:
    """A data set of random 32×32 pictures that lacks one feature."""
    features = samples.features(size=32)
    features[STATE] = type(features[STATE])("float32", (7,), EMBODIMENT.state_names)
    features = {name: value for name, value in features.items() if name != feature}
    metadata = EMBODIMENT.to_metadata() if embodiment else None
    with DatasetWriter.create(root, samples.FPS, features, "panda-sim", metadata, durable=False) as writer:
        for seed, length in enumerate(lengths):
            columns = samples.columns(seed, length, 32)
            columns[STATE] = columns[STATE].repeat(3, axis=1)[:, :7]
            writer.save_episode({name: columns[name] for name in features}, "task")
    return root


def half_written(root: Path, play_set: Path) -> Path:
    shutil.copytree(play_set, root)
    last = sorted((root / "meta" / "episodes").rglob("*.parquet"))[-1]
    last.unlink()
    return root


def test_data_that_cannot_be_learnt_from_is_refused_in_one_line(
    play_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    broken = {
        "absent": (tmp_path / "nowhere", "nowhere"),
        "empty": (tmp_path / "empty", "empty"),
        "no episode": (made_without(tmp_path / "none", lengths=()), "without an episode"),
        "half-written": (half_written(tmp_path / "half", play_set), "is half-written"),
        "no actions": (made_without(tmp_path / "still", "action"), "has no actions"),
        "no states": (made_without(tmp_path / "numb", STATE), "has no states"),
        "no pictures": (made_without(tmp_path / "blind", samples.CAMERA), "has no pictures"),
        "no embodiment": (made_without(tmp_path / "mute", embodiment=False), "does not say which camera"),
        "one episode": (made_without(tmp_path / "one", lengths=(40,)), "too few to keep some for validation"),
        "short episodes": (made_without(tmp_path / "short", lengths=(5, 40)), "training needs clips of 11"),
        "short judges": (made_without(tmp_path / "hasty", lengths=(40, 20)), "too little data to judge a model by"),
    }
    for what, (root, words) in broken.items():
        run = tmp_path / "run" / what
        error = refusal(capsys, "--dataset", str(root), "--run", str(run), "--output", str(tmp_path / "made"))
        assert words in error, what
        assert not list(run.glob("*.resume")), what
    assert not list(tmp_path.glob("made/*"))


@pytest.mark.parametrize(("option", "place"), [("--output", "/proc/made"), ("--run", "/dev/null/run")])
def test_a_folder_that_cannot_be_written_is_said_before_any_training(
    play_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, place: str
) -> None:
    words = ["--dataset", str(play_set), "--run", str(tmp_path / "run"), "--output", str(tmp_path / "made")]
    assert f"{place} cannot be written: " in refusal(capsys, *words, option, place)
    assert not list(tmp_path.glob("*/*"))


def test_ctrl_c_ends_it_in_order_and_it_goes_on_to_the_same_weights(trained_run: Run, tmp_path: Path) -> None:
    words = ["--dataset", str(trained_run.dataset), "--run", str(tmp_path / "run"), "--output", str(tmp_path / "made")]
    process = Preloaded(["-m", "worldarm", "train", *words, *QUICK], environment())
    deadline = time.monotonic() + 60.0
    while not (tmp_path / "run" / "world-model.resume").exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    error = process.communicate(timeout=300.0)[1]
    assert process.returncode == 130
    assert error.endswith("worldarm: interrupted\n") and "Traceback" not in error
    assert not list(tmp_path.glob("made/*")) and not list(tmp_path.glob("run/.*"))
    assert main(["train", *words, *QUICK]) == 0
    first, again = load_trained(trained_run.checkpoint).card, load_trained(tmp_path / "made").card
    assert again.weights_sha256 == first.weights_sha256


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--world-model.steps", "0", "at least one step"),
        ("--heads.batch", "0", "--heads.batch is 0; it must be at least 1"),
        ("--decoder.learning-rate", "-1", "must be above 0"),
        ("--world-model.clip", "1", "a frame before and after"),
        ("--heads.hidden", "0", "--heads.hidden is 0; it must be at least 1"),
        ("--heads.discount", "1.0", "between 0 and 1"),
        ("--heads.expectile", "0.0", "between 0 and 1"),
        ("--sizes.latent", "0", "no world model has these sizes"),
        ("--sizes.dropout", "1.5", "no world model has these sizes"),
        ("--sizes.context", "3", "--sizes.context must be 1 or 2, not 3"),
        ("--seed", "-1", "--seed must be 0 to"),
        ("--heads.reach", "-5", "--heads.reach is -5; it must be at least 1"),
        ("--world-model.weights.projections", "0", "--world-model.weights.projections is 0; it must be at least 1"),
        ("--world-model.weights.sigreg", "nan", "--world-model.weights.sigreg must be 0 or more and finite, not nan"),
        ("--world-model.weights.action-noise", "-0.1", "must be 0 or more and finite, not -0.1"),
        ("--world-model.learning-rate", "inf", "--world-model.learning-rate must be 0 or more and finite, not inf"),
        ("--heads.noise", "-1", "--heads.noise must be 0 or more and finite, not -1"),
        ("--heads.temperature", "inf", "--heads.temperature must be 0 or more and finite, not inf"),
    ],
)
def test_settings_that_make_no_sense_are_refused_before_anything_is_read(
    capsys: pytest.CaptureFixture[str], option: str, value: str, words: str
) -> None:
    assert words in refusal(capsys, "--dataset", "nowhere", option, value)


def test_episodes_too_short_for_a_clip_are_left_out(tmp_path: Path) -> None:
    root = made_without(tmp_path / "mixed", lengths=(3, 40, 1, 2, 40, 40))
    words = ["--dataset", str(root), "--run", str(tmp_path / "run"), "--output", str(tmp_path / "made")]
    assert main(["train", *words, *QUICK]) == 0
    assert load_trained(tmp_path / "made").card.provenance.episodes == 6
