from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from control.commands.check import table
from control.model.trained_model import load_trained
from perception.checkpoint.card import Gate
from perception.checkpoint.files import CARD_FILE, WEIGHTS_FILE, save_card
from sim.commands.play import PlayOptions, play
from sim.world.cameras import FRONT_EYE
from tests.commands import in_process
from tests.control.conftest import Run
from worldarm import main


def checked(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, list[str], str]:
    """Status, printed lines and the error line of `worldarm check`; progress bars wipe themselves away."""
    status = main(["check", *words])
    said = capsys.readouterr()
    return status, said.out.splitlines(), said.err.rpartition("\r")[2]


@pytest.mark.filterwarnings("error")
def test_it_measures_a_checkpoint_on_what_training_kept_aside(trained_run: Run, tmp_path: Path) -> None:
    words = [str(trained_run.checkpoint), "--dataset", str(trained_run.dataset), "--cache", str(tmp_path / "cache")]
    result = in_process("check", *words)
    assert result.returncode == 1, result.stderr  # a tiny training makes no model to plan with
    lines = result.stdout.splitlines()
    assert "(the data it learnt from): probes fitted on 11 episodes, judged on 1 others" in lines[0]
    assert lines[1].split() == ["gate", "figure", "threshold"]
    gates = load_trained(trained_run.checkpoint).card.gates
    assert len(lines) == 3 + len(gates)
    for line, gate in zip(lines[2:], gates, strict=False):
        assert line.startswith(gate.name) and line.endswith("pass" if gate.passed else "FAIL")
        figure = float(line.removeprefix(gate.name).split()[0])
        assert figure == pytest.approx(gate.value, rel=0.1, abs=0.1)  # measured again, on weights in half precision
    assert lines[-1].startswith("not plannable: ")
    assert [child.name.split("-")[0] for child in (tmp_path / "cache").iterdir()] == ["front"]


def test_calibrating_a_card_changes_nothing_else_and_an_older_card_says_that_it_cannot_judge(
    trained_run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "checkpoint"
    shutil.copytree(trained_run.checkpoint, folder)
    before = load_trained(folder).card
    assert before.picture_errors is not None and before.picture_errors.pictures == 31  # of the episode kept aside
    save_card(folder, msgspec.structs.replace(before, picture_errors=None))
    assert load_trained(folder).card.picture_errors is None
    words = (str(folder), "--dataset", str(trained_run.dataset), "--cache", str(tmp_path / "cache"))
    assert not any(line.startswith("calibrated") for line in checked(capsys, *words)[1])
    assert load_trained(folder).card.picture_errors is None
    status, lines, _ = checked(capsys, *words, "--calibrate")
    assert status == 1 and lines[-1].startswith("calibrated on 31 pictures: a goal picture is refused above")
    after = load_trained(folder).card
    assert after.picture_errors is not None
    assert after.picture_errors.difference.median == pytest.approx(before.picture_errors.difference.median, rel=0.05)
    same = {"picture_errors": None, "card_sha256": ""}
    assert msgspec.structs.replace(after, **same) == msgspec.structs.replace(before, **same)


def test_other_data_of_the_same_embodiment_judge_it_too(
    trained_run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    play(PlayOptions(dataset=tmp_path / "other", episodes=6, blocks=30, processes=1, seed=7, size=32))
    capsys.readouterr()
    words = (str(trained_run.checkpoint), "--dataset", str(tmp_path / "other"), "--cache", str(tmp_path / "cache"))
    status, lines, _ = checked(capsys, *words)
    assert status == 1
    assert "(data it did not learn from): probes fitted on 4 episodes, judged on 2 others" in lines[0]


def test_episodes_that_it_learnt_from_never_judge_it(
    trained_run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, words = tmp_path / "set", (str(trained_run.checkpoint), "--cache", str(tmp_path / "cache"), "--dataset")
    shutil.copytree(trained_run.dataset, root)
    play(PlayOptions(dataset=root, episodes=16, blocks=30, processes=1, size=32))
    play(PlayOptions(dataset=tmp_path / "fewer", episodes=6, blocks=30, processes=1, size=32))
    capsys.readouterr()
    _, lines, _ = checked(capsys, *words, str(root))
    assert (
        "(the data it learnt from, with more or fewer episodes): probes fitted on 11 episodes, judged on 5" in lines[0]
    )
    status, lines, error = checked(capsys, *words, str(tmp_path / "fewer"))
    assert (status, lines) == (1, [])
    assert "has 6 of the 11 episodes that the model learnt from and no others" in error


def test_a_cache_that_cannot_be_written_is_one_line(trained_run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    words = (str(trained_run.checkpoint), "--dataset", str(trained_run.dataset), "--cache", "/proc/x")
    status, lines, error = checked(capsys, *words)
    assert (status, lines) == (1, []) and error.startswith("worldarm: ") and error.count("\n") == 1
    assert "in /proc/x: " in error


def test_a_table_lines_up_and_tells_pass_from_fail() -> None:
    gates = [Gate("effective rank", 17.25, 8.0, True, "dimensions"), Gate("probe", 4.0, 1.5, False, "cm")]
    assert table(gates).splitlines() == [
        "gate            figure            threshold",
        "effective rank  17.25 dimensions  at least 8   pass",
        "probe           4.00 cm           at most 1.5  FAIL",
    ]


def edited(run: Run, root: Path, edit: Callable[[dict[str, Any]], object]) -> Path:
    """The data set with another embodiment."""
    shutil.copytree(run.dataset, root)
    path = root / "meta" / "info.json"
    info = json.loads(path.read_text())
    edit(info["worldarm"]["recording"])
    path.write_text(json.dumps(info))
    return root


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda made: made.update(arm="ur5e"), "trained on the arm 'panda-sim', not 'ur5e'"),
        (lambda made: made["camera"].update(focal=[99.0, 99.0]), "has focal lengths (99.0, 99.0) px"),
        (
            lambda made: made["camera"].update(position=[FRONT_EYE[0], FRONT_EYE[1] + 0.1, FRONT_EYE[2]]),
            "stands 10.0 cm from where",
        ),
        (lambda made: made["action"].update(scale_m=0.04), "its actions have another meaning (they differ in scale_m)"),
        (lambda made: made["action"].update(block_s=0.25, waypoints=9), "(they differ in block_s, waypoints)"),
        (lambda made: made["state_names"].reverse(), "its state is setpoint.z, setpoint.y"),
    ],
)
def test_data_of_another_embodiment_are_refused(
    trained_run: Run,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    edit: Callable[[dict[str, Any]], object],
    words: str,
) -> None:
    root = edited(trained_run, tmp_path / "set", edit)
    status, lines, error = checked(
        capsys, str(trained_run.checkpoint), "--dataset", str(root), "--cache", str(tmp_path / "cache")
    )
    assert (status, lines) == (1, [])
    assert error.startswith(f"worldarm: {root} cannot judge this model: ") and words in error
    assert not (tmp_path / "cache").exists()  # said before anything is decoded


def test_pictures_of_another_size_are_refused(
    trained_run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    play(PlayOptions(dataset=tmp_path / "large", episodes=2, blocks=4, processes=1, size=48))
    capsys.readouterr()
    status, _, error = checked(capsys, str(trained_run.checkpoint), "--dataset", str(tmp_path / "large"))
    assert status == 1 and "sees pictures of 32×32; the camera 'front' sends 48×48" in error


def test_too_little_data_is_said(trained_run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for episodes, blocks, words in ((1, 30, "too few to keep some"), (4, 10, "too little data to judge a model by")):
        root = tmp_path / str(episodes)
        play(PlayOptions(dataset=root, episodes=episodes, blocks=blocks, processes=1, seed=7, size=32))
        capsys.readouterr()
        status, _, error = checked(
            capsys, str(trained_run.checkpoint), "--dataset", str(root), "--cache", str(tmp_path / "cache")
        )
        assert status == 1 and words in error


@pytest.mark.parametrize("file", [CARD_FILE, WEIGHTS_FILE])
def test_a_torn_checkpoint_is_refused(
    trained_run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], file: str
) -> None:
    shutil.copytree(trained_run.checkpoint, tmp_path / "torn")
    whole = (tmp_path / "torn" / file).read_bytes()
    (tmp_path / "torn" / file).write_bytes(whole[: len(whole) // 2])
    status, lines, error = checked(capsys, str(tmp_path / "torn"), "--dataset", str(trained_run.dataset))
    assert (status, lines) == (1, []) and error.startswith("worldarm: ") and error.count("\n") == 1


def test_what_is_not_there_is_said(trained_run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "holds no checkpoint" in checked(capsys, str(tmp_path / "no"), "--dataset", str(trained_run.dataset))[2]
    assert "no data set" in checked(capsys, str(trained_run.checkpoint), "--dataset", str(tmp_path / "no"))[2]
