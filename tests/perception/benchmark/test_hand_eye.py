from __future__ import annotations

import json
from pathlib import Path

from tests.commands import in_process


def test_prints_millimetres_and_degrees_and_writes_the_numbers(tmp_path: Path) -> None:
    path = tmp_path / "numbers.json"
    result = in_process("benchmark", "hand-eye", "--seeds", "1", "--poses", "8", "--json", str(path))
    assert result.returncode == 0, result.stderr
    rows = [line for line in result.stdout.splitlines() if line.startswith("|")]
    assert len(rows) == 5 and rows[-1].startswith("| worst |")
    assert " mm | 0." in rows[-1] and "°" in rows[-1] and "%" in rows[-1]
    found = json.loads(path.read_bytes())
    assert [error["mounting"] for error in found] == ["eye-in-hand", "eye-to-hand"]
    assert all(0 < error["position"] < 0.002 and error["focal"] < 0.005 for error in found)


def test_impossible_options_are_told() -> None:
    for wrong in (("--seeds", "0"), ("--poses", "0"), ("--noise", "-1")):
        result = in_process("benchmark", "hand-eye", *wrong)
        assert result.returncode == 1 and "--seeds and --poses must be at least 1" in result.stderr
