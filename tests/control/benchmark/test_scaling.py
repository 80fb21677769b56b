from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from control.benchmark import scaling
from control.benchmark.scaling import Trained, _faster, table
from worldarm import main


def test_two_processes_learn_what_one_does(
    play_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """What one process learns is learnt in this one: to start another takes longer than to learn."""
    start = scaling._run

    def only_together(commands: Iterable[list[str]], steps: int) -> None:
        for command in commands:
            if "2" in command[: command.index("control.benchmark.scaling")]:
                start([command], steps)
            else:
                paths, counts = command[-7:-3], map(int, command[-3:])
                scaling._train(*map(Path, paths), *counts)

    monkeypatch.setattr(scaling, "_run", only_together)
    words = ["--dataset", str(play_set), "--steps", "10", "--batch", "4", "--json", str(tmp_path / "found.json")]
    assert main(["benchmark", "scaling", *words]) == 0, capfd.readouterr().err
    one, two = json.loads((tmp_path / "found.json").read_bytes())
    assert (one["processes"], two["processes"]) == (1, 2) and one["faster"] is None
    assert min(one["steps_per_s"], two["steps_per_s"]) > 0 and two["faster"] > 0
    assert two["loss"] == pytest.approx(one["loss"], rel=0.25)
    assert one["apart"] is None and two["apart"] > 0
    assert f"| 2 | {two['steps_per_s']:.2f} | {two['faster']:.2f} |" in capfd.readouterr().out


def test_what_counts_is_every_doubling() -> None:
    runs = [Trained(count, speed, 1.0, 0.1) for count, speed in ((1, 2.0), (4, 4.5))]
    assert _faster(runs[0], runs[0]) is None
    assert _faster(runs[1], runs[0]) == pytest.approx(1.5)
    assert table(runs).splitlines()[2] == "| 1 | 2.00 |  | 1.000 ± 0.100 |  |"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--processes", "0"], "must be at least 1"),
        (["--steps", "3"], "--steps at least 10"),
        (["--batch", "1"], "too small for 2 processes"),
    ],
)
def test_what_cannot_be_compared_is_refused(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", "scaling", *words]) == 1
    assert said in capsys.readouterr().err
