from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from perception.training import loop as trainer
from perception.training.loop import Schedule, train
from robot.errors import CheckpointError
from tests.commands import PATIENCE_S, ROOT, environment, on_a_full_disk
from tests.perception.training.interrupted_training import LEARNING_RATE, alone, batches, loss_module, run

STEPS = 24
RESUME = "world-model.resume"


class Interruption(Exception):
    pass


@pytest.fixture(autouse=True)
def save_at_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer, "SAVE_EVERY_S", 0.0)


def assert_same(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert torch.equal(value, other[name]), name


def interrupted(folder: Path, at: int) -> None:
    """Train until step `at`, whose batch never comes."""

    def until(step: int) -> dict[str, Tensor]:
        if step == at:
            raise Interruption
        return batches(step)

    with pytest.raises(Interruption):
        train("world-model", loss_module(), until, Schedule(STEPS, LEARNING_RATE), folder, 0, alone())


def test_a_run_killed_at_any_instant_ends_in_the_same_weights(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        "-m",
        "tests.perception.training.interrupted_training",
        tmp_path / "killed",
        str(STEPS),
        tmp_path / "never",
    ]
    with subprocess.Popen(
        [sys.executable, *words], cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for _ in range(15):
            assert process.stdout.readline() == "step\n"
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=PATIENCE_S)
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "never").exists()
    made, taken = [], []
    for folder in ("killed", "whole"):
        made.append(loss_module())
        run(made[-1], tmp_path / folder, STEPS)
        taken.append(capsys.readouterr().out.count("step"))
    assert taken[0] <= STEPS - 14 and taken[1] == STEPS  # the killed run went on, it did not begin anew
    assert_same(made[0].state_dict(), made[1].state_dict())


@pytest.mark.parametrize("at", [1, 9, 10, STEPS - 1])
def test_weights_optimiser_and_curves_go_on_where_they_were(tmp_path: Path, at: int) -> None:
    whole, resumed = loss_module(), loss_module(seed=5)
    history = run(whole, tmp_path / "whole", STEPS)
    interrupted(tmp_path / "killed", at)
    assert run(resumed, tmp_path / "killed", STEPS) == history
    assert_same(whole.state_dict(), resumed.state_dict())
    assert history.steps == [0, 10, 20, STEPS - 1]
    assert all(len(values) == 4 for values in history.terms.values())


def test_a_finished_part_is_not_trained_again(tmp_path: Path) -> None:
    first, again = loss_module(), loss_module(seed=5)
    history = run(first, tmp_path, STEPS)
    written = (tmp_path / RESUME).stat().st_mtime_ns

    def none(step: int) -> dict[str, Tensor]:
        raise AssertionError("no batch is needed")

    assert train("world-model", again, none, Schedule(STEPS, LEARNING_RATE), tmp_path, 0, alone()) == history
    assert_same(first.state_dict(), again.state_dict())
    assert (tmp_path / RESUME).stat().st_mtime_ns == written
    assert not again.training


def test_the_seed_decides_dropout(tmp_path: Path) -> None:
    made = []
    for index, seed in enumerate((0, 0, 1)):
        module = loss_module()
        train("world-model", module, batches, Schedule(5, LEARNING_RATE), tmp_path / str(index), seed, alone())
        made.append(module.state_dict())
    assert_same(made[0], made[1])
    assert not torch.equal(made[0]["model.predictor.enter.weight"], made[2]["model.predictor.enter.weight"])


def test_the_seconds_before_an_interruption_count_and_a_finished_part_takes_none(tmp_path: Path) -> None:
    def slow(step: int) -> dict[str, Tensor]:
        if step == 6:
            raise Interruption
        time.sleep(0.1)
        return batches(step)

    with pytest.raises(Interruption):
        train("world-model", loss_module(), slow, Schedule(STEPS, LEARNING_RATE), tmp_path, 0, alone())
    history = run(loss_module(), tmp_path, STEPS)
    assert 0.6 < history.seconds < 60.0
    assert run(loss_module(), tmp_path, STEPS).seconds == history.seconds


def test_a_full_disk_is_told_and_the_last_good_state_kept(tmp_path: Path) -> None:
    interrupted(tmp_path, 3)
    before = (tmp_path / RESUME).read_bytes()
    words = ("-m", "tests.perception.training.interrupted_training", tmp_path, STEPS, tmp_path / "never")
    result = on_a_full_disk(*words, limit=1000)
    assert f"RecordingError: {tmp_path / RESUME} cannot be written: File too large" in result.stderr
    assert (tmp_path / RESUME).read_bytes() == before and [path.name for path in tmp_path.iterdir()] == [RESUME]
    run(loss_module(), tmp_path, STEPS)


@pytest.mark.parametrize("schedule", [Schedule(STEPS + 1, LEARNING_RATE), Schedule(STEPS, 2 * LEARNING_RATE)])
def test_another_schedule_does_not_go_on(tmp_path: Path, schedule: Schedule) -> None:
    interrupted(tmp_path, 3)
    with pytest.raises(CheckpointError, match=r"is of a run with other settings .* another --run folder"):
        train("world-model", loss_module(), batches, schedule, tmp_path, 0, alone())


def test_another_model_does_not_go_on(tmp_path: Path) -> None:
    interrupted(tmp_path, 3)
    with pytest.raises(CheckpointError, match="is of another model"):
        run(nn.Linear(2, 2), tmp_path, STEPS)


def foreign(path: Path) -> None:
    save_file({"module.weight": torch.zeros(2)}, path)


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:100]),
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        lambda path: path.write_bytes(b"\xff" * 4096),
        foreign,
    ],
)
def test_a_torn_or_foreign_state_is_refused_with_what_to_do(tmp_path: Path, damage: Callable[[Path], object]) -> None:
    interrupted(tmp_path, 3)
    damage(tmp_path / RESUME)
    with pytest.raises(CheckpointError, match="delete it to train this part again"):
        run(loss_module(), tmp_path, STEPS)


def test_a_loss_that_is_not_finite_ends_the_run_and_keeps_the_last_good_state(tmp_path: Path) -> None:
    def poisoned(step: int) -> dict[str, Tensor]:
        batch = batches(step)
        return {**batch, "states": batch["states"] * float("nan")} if step == 7 else batch

    with pytest.raises(CheckpointError, match="diverged at step 7"):
        train("world-model", loss_module(), poisoned, Schedule(STEPS, LEARNING_RATE), tmp_path, 0, alone())
    run(loss_module(), tmp_path, STEPS)


def test_the_rate_rises_then_falls_to_nothing() -> None:
    schedule = Schedule(steps=100, learning_rate=2.0, warmup=0.1)
    rates = [schedule.rate(step) for step in range(100)]
    assert rates[0] == pytest.approx(0.2) and max(rates) == rates[9] == rates[10] == 2.0
    assert rates[:10] == sorted(rates[:10]) and rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] < 0.01


class Line(nn.Module):
    """Fits a line, by no chance at all."""

    def __init__(self) -> None:
        super().__init__()
        self.line = nn.Linear(3, 1)
        with torch.no_grad():
            self.line.weight.fill_(0.5)
            self.line.bias.zero_()

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        return {"loss": (self.line(batch["states"]) - batch["states"].sum(-1, keepdim=True)).square().mean()}


def test_compiled_it_learns_the_same(tmp_path: Path) -> None:
    plain, compiled = Line(), Line()
    schedule = Schedule(STEPS, 0.1)

    def states(step: int) -> dict[str, Tensor]:
        return {"states": batches(step)["states"][:, :, :3]}

    for name, module in (("plain", plain), ("compiled", compiled)):
        (tmp_path / name).mkdir()
        how = replace(schedule, compiled=name == "compiled")
        history = train("world-model", module, states, how, tmp_path / name, 0, alone())
        assert history.terms["loss"][-1] < 0.5 * history.terms["loss"][0]
    for one, other in zip(compiled.state_dict().values(), plain.state_dict().values(), strict=True):
        torch.testing.assert_close(one, other)
    assert compiled.state_dict().keys() == plain.state_dict().keys()  # so that either can be resumed and kept
