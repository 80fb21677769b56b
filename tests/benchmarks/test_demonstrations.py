"""Demonstrations at the page, what a model learns from them, and what it reaches: the whole measurement, at its
smallest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from robot.dataset.reader import Dataset
from tests.commands import in_process
from tests.control.conftest import QUICK
from tests.soak import SOAK
from worldarm import main


@pytest.mark.skipif(not SOAK, reason="the whole way covers its parts; make soak runs it whole")
@pytest.mark.soak
@pytest.mark.real_time
@pytest.mark.alone
@pytest.mark.timeout(900)
def test_what_is_demonstrated_is_learnt_from_and_measured_and_never_recorded_twice(tmp_path: Path) -> None:
    numbers = tmp_path / "numbers.json"
    small = ("--episodes", "2", "--episode-s", "4", "--goals", "1", "--encoder", "None", *QUICK)
    words = ("benchmark", "demonstrations", "--folder", str(tmp_path / "all"), *small, "--json", str(numbers))
    done = in_process(*words)
    assert done.returncode == 0, done.stderr
    assert "training: from nothing" in done.stdout and "sound" in done.stdout
    found = json.loads(numbers.read_text())
    assert found["recorded"]["episodes"] == found["recorded"]["recorded"] == 2
    assert found["recorded"]["rows"] > 2 * 4 * 30
    assert [each["method"] for each in found["reached"]] == ["full", "actor-only", "random", "hold"]
    for each in found["reached"]:
        assert (each["task"], each["episodes"]) == ("reach", 1) and f"| {each['method']} " in done.stdout
    assert found["reached"][-1]["success"] == 0.0, "who holds reaches nothing"
    dataset = Dataset.open(tmp_path / "all" / "set")
    assert {task for episode in dataset.episodes for task in episode.tasks} == {"move about, then reach a place"}
    fingerprint = dataset.fingerprint()

    # Where enough are there no browser is needed, and nothing is added.
    done = in_process(*words, "--browser", "/nowhere/chromium")
    assert done.returncode == 0, done.stderr
    again = json.loads(numbers.read_text())
    assert again["recorded"]["recorded"] == 0 and again["reached"][0]["success"] == found["reached"][0]["success"]
    assert Dataset.open(tmp_path / "all" / "set").fingerprint() == fingerprint


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--episodes", "1"), "--episodes must be at least 2"),
        (("--goals", "0"), "--goals at least 1"),
        (("--episode-s", "0"), "--episode-s must be from 1 to 120"),
        (("--encoder", "nowhere"), "nowhere holds no checkpoint"),
        (("--lerobot-python", "/nowhere/python"), "there is no interpreter at /nowhere/python"),
        (("--seed", "-1"), "must be 0 or more"),
        (("--json", "/proc/numbers.json"), "/proc/numbers.json cannot be written"),
    ],
)
def test_what_cannot_be_is_told_in_one_line_before_anything_starts(
    words: tuple[str, ...], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["benchmark", "demonstrations", "--folder", str(tmp_path / "all"), *words]) == 1
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
    assert not (tmp_path / "all" / "set").exists()
