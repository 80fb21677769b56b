"""The measurement itself, at a small size: its figures are judged where nothing else runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from worldarm import main


@pytest.mark.real_time
def test_pace_and_kills_are_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    numbers = tmp_path / "numbers.json"
    small = ["--seconds", "2", "--episode-s", "1", "--kills", "1", "--images", "video", "--folder", str(tmp_path)]
    assert main(["benchmark", "record", *small, "--json", str(numbers)]) == 0
    table = capsys.readouterr().out
    found = json.loads(numbers.read_text())
    assert [one["images"] for one in found["pace"]] == ["video"]
    for one in found["pace"]:
        assert (one["cameras"], one["episodes"], one["rows"], one["problems"]) == (2, 2, 60, 0)
        assert one["rate_hz"] == pytest.approx(30, abs=3) and one["save_worst_s"] > 0 and one["megabytes"] > 0
    for one in found["kills"]:
        assert one["times"] == one["kept_all"] == one["sound"] == 1
    assert table.count("| video |") == 2
    assert [path.name for path in tmp_path.iterdir()] == ["numbers.json"]


@pytest.mark.parametrize("words", [["--cameras", "0"], ["--kills", "-1"], ["--seconds", "-1"], ["--episode-s", "0"]])
def test_what_cannot_be_measured_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", "record", *words]) == 1
    assert capsys.readouterr().err.startswith("worldarm: --")
