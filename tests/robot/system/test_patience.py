import time

import pytest

from robot.system.patience import STEP_S, Patience


def test_it_ends_after_its_seconds_of_waiting() -> None:
    patience, waited = Patience(0.12), 0.0
    while step_s := patience.step_s:
        assert step_s <= STEP_S
        waited += step_s
        time.sleep(step_s)
    assert waited <= 0.13
    assert patience.step_s == 0.0


def test_a_pause_counts_as_two_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    patience = Patience(0.13)
    clock[0] += 3600.0
    assert patience.step_s == pytest.approx(0.03)
    clock[0] += 0.03
    assert patience.step_s == 0.0
