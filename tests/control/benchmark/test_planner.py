from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest

from control.benchmark.planner import Cost, table
from control.decision_config import SearchConfig
from control.model.trained_model import save_trained
from tests.commands import in_process
from tests.tiny import trained
from worldarm import main


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    save_trained(folder, trained())
    return folder


def test_it_times_every_search_and_counts_its_arithmetic(checkpoint: Path, tmp_path: Path) -> None:
    files = ["--json", str(tmp_path / "deep" / "costs.json"), "--plot", str(tmp_path / "deep" / "costs.png")]
    sizes = ["--samples", "8", "32", "--horizon", "2", "4", "--decisions", "3", "--checkpoint", str(checkpoint)]
    result = in_process("benchmark", "planner", *sizes, *files)
    assert result.returncode == 0, result.stderr
    found = json.loads((tmp_path / "deep" / "costs.json").read_bytes())
    searches = {(cost["samples"], cost["horizon"]): cost for cost in found["searches"]}
    usual = SearchConfig()
    assert set(searches) == {(8, 2), (32, 2), (8, 4), (32, 4), (usual.samples, usual.horizon)}
    assert f"| **{usual.samples} × {usual.horizon} × {usual.iterations}** |" in result.stdout
    for cost in searches.values():
        assert 0 < cost["p50"] <= cost["p99"] and 0 < cost["share"] < 1
        assert f" | {cost['p50']:.1f} / {cost['p99']:.1f} ms | {cost['gflop']:.2f} GFLOP |" in result.stdout
    assert found["matrix_gflop_s"] > 0 and found["decisions"] == 3 and found["threads"] == 1
    # Besides the picture, which is encoded once, four times the candidates are four times the arithmetic.
    encoding = (4 * searches[8, 4]["gflop"] - searches[32, 4]["gflop"]) / 3
    for horizon in (2, 4):
        few, many = (searches[count, horizon]["gflop"] - encoding for count in (8, 32))
        assert many == pytest.approx(4 * few, rel=0.05)
    assert searches[32, 4]["gflop"] - encoding == pytest.approx(2 * (searches[32, 2]["gflop"] - encoding), rel=0.1)
    assert cv2.imread(str(tmp_path / "deep" / "costs.png")).shape[1] > 500


def test_the_planners_own_search_stands_out() -> None:
    usual = SearchConfig()
    costs = [Cost(samples, usual.horizon, usual.iterations, 1.0, 2.0, 0.1, 0.5) for samples in (8, usual.samples)]
    bold = [line for line in table(costs, usual).splitlines() if "**" in line]
    assert len(bold) == 1 and bold[0].startswith(f"| **{usual.samples} × {usual.horizon}")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--samples", "3"], "--samples needs numbers of at least 4"),
        (["--horizon", "0"], "--horizon needs numbers of at least 1"),
        (["--decisions", "0"], "must be at least 1"),
        (["--threads", "0"], "must be at least 1"),
        (["--plot", "costs.txt"], "--plot costs.txt is not a supported picture format"),
        (["--plot", "/dev/null/costs.png"], "cannot be written"),
        (["--checkpoint", "/nowhere"], "holds no checkpoint"),
    ],
)
def test_what_makes_no_sense_is_refused(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", "planner", *words]) == 1
    error = capsys.readouterr().err
    assert said in error and error.startswith("worldarm: ") and error.count("\n") == 1
