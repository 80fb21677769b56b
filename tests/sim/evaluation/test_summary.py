from __future__ import annotations

from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest

from sim.evaluation.episode import EpisodeRecord
from sim.evaluation.evaluate import Measurement
from sim.evaluation.summary import Summary, draw_summaries, summarise, table
from sim.evaluation.wilson import wilson


def record(number: int, final_m: float, success: bool, declared: bool, ms: tuple[float, ...]) -> EpisodeRecord:
    return EpisodeRecord(
        goal=number,
        start_distance_m=0.15,
        final_distance_m=final_m,
        least_distance_m=min(final_m, 0.02) if success else final_m,
        success=success,
        declared=declared,
        success_declared=declared and final_m <= 0.03,
        blocks=len(ms),
        decisions=len(ms),
        decision_ms=ms,
        late=number % 2,
    )


RECORDS = (
    record(0, 0.01, True, True, (10.0, 20.0)),
    record(1, 0.02, True, False, (30.0, 40.0)),
    record(2, 0.05, True, True, (50.0,) * 4),
    record(3, 0.16, False, False, (60.0,) * 2),
)


def summary(method: str = "full", processes: bool = False) -> Summary:
    return summarise(Measurement("push", "clean", "none", 7), method, processes, "d" * 64, RECORDS)


def test_the_numbers_are_those_of_the_records() -> None:
    made = summary()
    assert (made.task, made.method, made.seed, made.processes, made.episodes) == ("push", "full", 7, False, 4)
    assert (made.success, made.ci95) == (0.75, wilson(3, 4))
    assert (made.success_declared, made.ci95_declared) == (0.25, wilson(1, 4))
    assert made.final_distance_m == pytest.approx(0.035)
    assert made.blocks == 2.5 and made.late == 2
    times = [10.0, 20.0, 30.0, 40.0, 50.0, 50.0, 50.0, 50.0, 60.0, 60.0]
    assert made.decision_ms.p50 == np.percentile(times, 50) and made.decision_ms.p99 == np.percentile(times, 99)
    assert made.checkpoint_sha256 == "d" * 64 and made.records == RECORDS


def test_a_summary_survives_json() -> None:
    assert msgspec.json.decode(msgspec.json.encode(summary()), type=Summary) == summary()


def test_without_episodes_there_is_nothing_to_sum_up() -> None:
    with pytest.raises(ValueError):
        summarise(Measurement("push", "clean", "none", 0), "full", False, "", ())


def test_the_table_has_a_row_a_method_and_as_many_columns_as_titles() -> None:
    lines = table([summary("hold"), summary("full", processes=True)]).splitlines()
    assert len(lines) == 4
    assert {line.count("|") for line in lines} == {10}
    lower, upper = wilson(3, 4)
    assert "| push | clean | hold | 4 |" in lines[2]
    assert f"| 75 % [{100 * lower:.0f}, {100 * upper:.0f}] |" in lines[2]
    assert "| 3.5 cm | 2.5 | 50.0 / 60.0 ms |" in lines[2]
    assert "| full (processes) |" in lines[3]


def test_the_table_says_how_many_things_there_were() -> None:
    made = summarise(Measurement("pick-place", "clean", "none", 7, 5), "full", False, "d" * 64, RECORDS)
    assert made.things == 5 and "| pick-place | clean, 5 things | full | 4 |" in table([made])


@pytest.mark.parametrize("methods", [("full",), ("full", "hold", "random")])
def test_the_plot_is_a_picture_of_something(tmp_path: Path, methods: tuple[str, ...]) -> None:
    path = tmp_path / "deep" / "plot.png"
    draw_summaries([summary(method) for method in methods], path)
    picture = cv2.imread(str(path))
    assert picture is not None and picture.shape[0] > 300 and picture.shape[1] > 800
    for half in np.array_split(picture, 2, axis=1):
        assert 0.02 < (half != 255).any(axis=2).mean() < 0.6, "axes and curves on white"
    blue = (np.abs(picture.astype(int) - [0xA5, 0x6E, 0x3B]) < 12).all(axis=2)
    assert blue.sum() > 500, "the bars"
