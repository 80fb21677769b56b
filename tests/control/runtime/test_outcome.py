from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest

from control.decision import Decision
from control.runtime.outcome import outcome_of
from control.runtime.step import Status, Step

PICTURE = np.zeros((8, 8, 3), np.uint8)


class _Frame:
    image = PICTURE


def step(status: Status, out_of_place: tuple[str, ...]) -> Step:
    decision = Decision(np.zeros(2), 3.0, status == "reached", 0.0, None, 0.01, out_of_place=out_of_place)
    return Step(0, 0, cast(Any, _Frame()), np.zeros(2), PICTURE, decision, status, 20.0, 0, 0, 0, 0, None)


@pytest.mark.parametrize(("names", "said"), [(("red", "blue"), "; not in place: red, blue"), ((), "")])
def test_a_run_that_fails_says_which_things_are_not_in_place(names: tuple[str, ...], said: str) -> None:
    ended = outcome_of([step("sent", ("yellow",)), step("last", names)], PICTURE, 2)
    assert ended.reason == f"2 blocks are over, and the critic's distance to the goal is 3.0 blocks{said}"
    assert "not in place" not in outcome_of([step("reached", ())], PICTURE, 2).reason
