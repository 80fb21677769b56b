import threading
import time

import pytest
import torch
from torch import Tensor

from perception.training.prefetch import drawn_ahead


def numbered(step: int) -> dict[str, Tensor]:
    time.sleep(0.002 * (step % 3))  # so that later ones are done before earlier ones
    return {"step": torch.tensor(step)}


@pytest.mark.parametrize("threads", [0, 1, 5])
def test_batches_come_in_turn_whoever_draws_them(threads: int) -> None:
    assert [int(batch["step"]) for batch in drawn_ahead(numbered, range(7, 60), threads)] == list(range(7, 60))
    assert list(drawn_ahead(numbered, range(9, 9), threads)) == []


@pytest.mark.parametrize("threads", [0, 3])
def test_a_batch_that_cannot_be_drawn_ends_the_run_at_its_step(threads: int) -> None:
    def until_five(step: int) -> dict[str, Tensor]:
        if step == 5:
            raise ValueError("no batch 5")
        return numbered(step)

    seen = []
    with pytest.raises(ValueError, match="no batch 5"):
        for batch in drawn_ahead(until_five, range(20), threads):
            seen.append(int(batch["step"]))
    assert seen == [0, 1, 2, 3, 4]


def test_no_more_than_twice_the_threads_are_drawn_early_and_none_after_leaving() -> None:
    asked: list[int] = []

    def noted(step: int) -> dict[str, Tensor]:
        asked.append(step)
        return numbered(step)

    before = threading.active_count()
    drawn = drawn_ahead(noted, range(1000), 3)
    for _ in range(10):
        next(drawn)
    time.sleep(0.1)
    assert len(asked) == 16
    drawn.close()
    time.sleep(0.1)
    assert len(asked) == 16
    assert threading.active_count() == before
