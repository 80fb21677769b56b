from __future__ import annotations

import json
import pickle
import signal
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import cv2
import msgspec
import pytest

from control.model.trained_model import TrainedModel, load_trained, save_trained
from sim.evaluation.wilson import wilson
from sim.execution import map_work
from tests.commands import PATIENCE_S, environment, in_process, worldarm
from tests.preloaded import Preloaded
from tests.sim.execution.children import of_kind
from tests.sim.untrained import untrained_checkpoint
from tests.tiny import trained
from worldarm import main

EPISODES = 2
SMALL_SEARCH = ("--decision.search.samples", "8", "--decision.search.horizon", "1", "--decision.search.proposals", "0")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return untrained_checkpoint(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture
def words(checkpoint: Path, tmp_path: Path) -> list[str]:
    """The words of a small benchmark that leaves its files in `tmp_path`."""
    files = ["--json", str(tmp_path / "deep" / "numbers.json"), "--plot", str(tmp_path / "deep" / "plot.png")]
    return ["benchmark", "push", "--episodes", str(EPISODES), "--checkpoint", str(checkpoint), *files]


def numbers(folder: Path) -> Any:
    return json.loads((folder / "deep" / "numbers.json").read_bytes())


def timeless(summary: dict[str, Any]) -> dict[str, Any]:
    """A summary without what no run repeats."""
    records = [{key: value for key, value in record.items() if key != "decision_ms"} for record in summary["records"]]
    return {**{key: value for key, value in summary.items() if key != "decision_ms"}, "records": records}


def assert_whole(summary: dict[str, Any], method: str, episodes: int) -> None:
    """Assert that a summary has all its fields, and that they belong together."""
    assert (summary["task"], summary["method"], summary["episodes"], summary["seed"]) == ("push", method, episodes, 0)
    records = summary["records"]
    assert [record["goal"] for record in records] == list(range(episodes))
    for share, interval, field in (
        ("success", "ci95", "success"),
        ("success_declared", "ci95_declared", "success_declared"),
    ):
        count = sum(record[field] for record in records)
        assert summary[share] == count / episodes
        assert summary[interval] == pytest.approx(wilson(count, episodes))
    assert 0 < summary["decision_ms"]["p50"] <= summary["decision_ms"]["p99"]
    assert min(record["final_distance_m"] for record in records) <= summary["final_distance_m"]
    assert summary["final_distance_m"] <= max(record["final_distance_m"] for record in records)


def test_every_method_gets_the_same_goals_and_leaves_numbers_and_a_plot(
    words: list[str], tmp_path: Path, checkpoint: Path
) -> None:
    result = in_process(*words, "--method", "hold", "random")
    assert result.returncode == 0, result.stderr
    hold, random = numbers(tmp_path)
    digest = json.loads((checkpoint / "checkpoint.json").read_bytes())["weights_sha256"]
    for summary, method in ((hold, "hold"), (random, "random")):
        assert_whole(summary, method, EPISODES)
        assert summary["checkpoint_sha256"] == digest and summary["processes"] is False and summary["late"] == 0
    starts = [[record["start_distance_m"] for record in summary["records"]] for summary in (hold, random)]
    assert starts[0] == starts[1] and min(starts[0]) >= 0.08
    assert (hold["success"], hold["success_declared"]) == (0.0, 0.0)
    for record in hold["records"]:
        assert record["final_distance_m"] == pytest.approx(record["start_distance_m"], abs=1e-3)
    assert f"| push | clean | hold | {EPISODES} | 0 % [0, 66] |" in result.stdout
    assert f"| push | clean | random | {EPISODES} |" in result.stdout
    assert str(tmp_path / "deep" / "plot.png") in result.stdout
    assert cv2.imread(str(tmp_path / "deep" / "plot.png")).shape[0] > 300


def test_the_same_seed_gives_the_same_numbers_and_one_method_one_object(words: list[str], tmp_path: Path) -> None:
    seen = []
    for options in (["--method", "random"], ["--method", "hold", "random"]):
        assert main([*words, "--episodes", "1", *options]) == 0
        seen.append(numbers(tmp_path))
    alone, among = seen
    assert timeless(among[1]) == timeless(alone)
    assert main([*words, "--episodes", "1", "--method", "random", "--seed", "1"]) == 0
    assert numbers(tmp_path)["records"][0]["start_distance_m"] != alone["records"][0]["start_distance_m"]


def test_the_planner_gives_the_same_numbers_again(words: list[str], tmp_path: Path) -> None:
    seen = []
    for _ in range(2):
        result = in_process(*words, "--episodes", "1", "--method", "full")
        assert result.returncode == 0, result.stderr
        seen.append(timeless(numbers(tmp_path)))
    assert seen[0] == seen[1] and seen[0]["records"][0]["decisions"] > 0


def test_ctrl_c_leaves_earlier_files_whole(words: list[str], tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "numbers.json").write_text("earlier")
    process = Preloaded(["-m", "worldarm", *words, "--episodes", "1000", "--method", "random"], environment())
    while "1/1000" not in process.stderr.read(50):
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    error = process.communicate(timeout=PATIENCE_S)[1]
    assert process.returncode == 130
    assert error.endswith("worldarm: interrupted\n") and "Traceback" not in error
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["numbers.json"]
    assert (tmp_path / "deep" / "numbers.json").read_text() == "earlier"


def test_fewer_goals_are_the_first_of_more(words: list[str], tmp_path: Path) -> None:
    assert main([*words, "--method", "actor-only"]) == 0
    more = numbers(tmp_path)
    assert main([*words, "--method", "actor-only", "--episodes", "1"]) == 0
    assert timeless(numbers(tmp_path))["records"] == timeless(more)["records"][:1]


def test_goals_that_are_shared_out_come_to_the_same(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clusters = []

    def on_a_cluster(function: Callable[[Any], Any], items: Iterable[Any], cluster: str) -> Iterator[Any]:
        """As a cluster would, without starting one: it can be sent what to compute."""
        clusters.append(cluster)
        assert pickle.dumps(function)
        return map(function, items)

    monkeypatch.setattr(map_work, "map_on_ray", on_a_cluster)
    seen = []
    for shared in ([], ["--workers", "2"], ["--ray", "local"]):
        result = in_process(*words, *SMALL_SEARCH, *shared)
        assert result.returncode == 0, result.stderr
        seen.append(timeless(numbers(tmp_path)))
    assert seen[0] == seen[1] == seen[2] and clusters == ["local"]


@pytest.mark.real_time
@pytest.mark.alone
def test_through_real_processes(words: list[str], tmp_path: Path) -> None:
    result = worldarm(*words, "--method", "random", "--processes", "--episodes", "1")
    assert result.returncode == 0, result.stderr
    summary = numbers(tmp_path)
    assert_whole(summary, "random", 1)
    assert summary["processes"] is True
    record = summary["records"][0]
    assert 5 <= record["decisions"] <= 40 and not record["declared"]
    assert record["least_distance_m"] <= record["final_distance_m"]
    assert "| push | clean | random (processes) | 1 |" in result.stdout
    assert "lateness" in result.stdout, "driver and camera tell of their timing"
    assert of_kind("driver") == of_kind("camera") == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--episodes", "0"], "--episodes must be at least 1, not 0"),
        (["--workers", "0"], "--workers must be at least 1, not 0"),
        (["--processes", "--workers", "2"], "a run in real time cannot be distributed"),
        (["--things", "2"], "goals among a given number of things are made for"),
        (["--processes", "--level", "lit"], "measure lit without --processes"),
        (["--seed", "-1"], "--seed must be 0 or more, not -1"),
        (["--seed", str(2**63)], "--seed must be below 2**63"),
        (["--checkpoint", "/nowhere/model"], "/nowhere/model holds no checkpoint"),
        (["--plot", "plot.txt"], "--plot plot.txt is not a supported picture format; end it in .png, .pdf, .svg"),
        (["--plot", "/proc/plot.png"], "/proc/plot.png cannot be written"),
        (["--json", "/dev/null/numbers.json"], "/dev/null/numbers.json cannot be written: Not a directory"),
    ],
)
def test_what_cannot_be_is_one_line(
    words: list[str], options: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, *options]) == 1
    error = capsys.readouterr().err
    assert error.startswith("worldarm: ") and said in error and error.count("\n") == 1
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_model_of_an_environment_must_be_given(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", "--env", "Pendulum-v1"]) == 1
    assert "--env Pendulum-v1 needs --checkpoint" in capsys.readouterr().err


def test_a_model_of_another_arm_is_refused(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = trained()
    other = msgspec.structs.replace(made.card, embodiment=msgspec.structs.replace(made.card.embodiment, arm="other"))
    save_trained(tmp_path / "other", TrainedModel(other, made.parts))
    assert main([*words, "--checkpoint", str(tmp_path / "other")]) == 1
    assert "trained on the arm 'other'" in capsys.readouterr().err


def test_what_is_given_of_deciding_counts_and_else_the_card(words: list[str], checkpoint: Path, tmp_path: Path) -> None:
    found = []
    for more in ((), SMALL_SEARCH):
        result = in_process(*words, "--episodes", "1", *more)
        assert result.returncode == 0, result.stderr
        found.append(timeless(numbers(tmp_path)))
    usual, changed = found
    assert changed["records"] != usual["records"]
    made = load_trained(checkpoint)
    says = {"search": {"samples": 8, "horizon": 1, "proposals": 0.0}}
    save_trained(tmp_path / "other", TrainedModel(msgspec.structs.replace(made.card, decision=says), made.parts))
    words[words.index("--checkpoint") + 1] = str(tmp_path / "other")
    assert in_process(*words, "--episodes", "1").returncode == 0
    assert timeless(numbers(tmp_path))["records"] == changed["records"]
