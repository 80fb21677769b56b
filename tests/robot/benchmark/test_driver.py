"""What the driver promises is measured as the command measures it, a few times each, on the simulated arm."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.commands import in_process, worldarm

FEW = (
    "--lapses",
    "4",
    "--restarts",
    "2",
    "--decoded",
    "10000",
    "--sent",
    "500",
    "--strangers",
    "1",
    "--attacks",
    "none",
    "frozen",
)


@pytest.mark.real_time
@pytest.mark.alone
def test_every_promise_is_kept_each_time(tmp_path: Path) -> None:
    numbers = tmp_path / "numbers.json"
    result = worldarm(*("benchmark", "driver", *FEW, "--seconds", "2", "--commands", "100", "--json", str(numbers)))
    assert result.returncode == 0, result.stderr
    found = json.loads(numbers.read_text())
    lapses = found["lapses"]
    assert lapses["in_time"] == lapses["within_limits"] == lapses["without_jump"] == lapses["times"] == 4
    assert lapses["refused_after"] == lapses["stopped"] == 2
    restarts = found["restarts"]
    assert restarts["where_measured"] == restarts["readable"] == restarts["times"] == 2
    malformed = found["malformed"]
    assert malformed["refused"] > 0.9 * malformed["decoded"] == 9_000
    assert malformed["answered"] == malformed["sent"] == 500
    assert malformed["alive"] and malformed["driver_growth_bytes"] < 8 * 2**20
    assert malformed["decoder_growth_bytes"] < 2 * 2**20
    access = found["access"]
    assert {access[name] for name in access} == {1}
    undisturbed, frozen = found["attacks"]["rows"]
    assert undisturbed["alive"] and frozen["alive"] and frozen["gap_ms"] > 400
    assert max(undisturbed["speed"], frozen["speed"]) < 1.05
    assert found["jitter"]["ticks"] > 300
    trip = found["round-trip"]
    assert 0 < trip["answer_p50_ms"] <= trip["published_p50_ms"] and trip["pickled_p50_ms"] > 0
    for words in ("lapses, arm sim", "ramping within 100 ms", "flight log readable", "answers sense afterwards   yes"):
        assert words in result.stdout


def test_what_makes_no_sense_is_refused_before_anything_starts(tmp_path: Path) -> None:
    for wrong in (("--lapses", "0"), ("--seconds", "nan"), ("--json", str(tmp_path)), ("--commands", "-1")):
        refused = in_process("benchmark", "driver", *wrong)
        assert (refused.returncode, refused.stdout) == (1, "")
    absent = in_process("benchmark", "driver", "--parts", "jitter", "--arm", "so101")
    assert absent.returncode == 1 and "--address" in absent.stderr
