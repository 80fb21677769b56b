"""Every move that the table does not have is an error, and changes nothing."""

import itertools

import pytest

from robot.driver.modes import LEGAL, IllegalTransition, Mode, ModeMachine

WAYS: dict[Mode, list[Mode]] = {
    Mode.IDLE: [],
    Mode.ACTIVE: [Mode.ACTIVE],
    Mode.HOLDING: [Mode.ACTIVE, Mode.HOLDING],
    Mode.STOPPED: [Mode.STOPPED],
    Mode.FAULT: [Mode.FAULT],
}


@pytest.mark.parametrize(("source", "target"), list(itertools.product(Mode, Mode)))
def test_only_the_moves_of_the_table_happen(source: Mode, target: Mode) -> None:
    machine = ModeMachine()
    for step in WAYS[source]:
        machine.to(step, "on the way")
    assert machine.mode is source
    if target in LEGAL[source]:
        machine.to(target, "why")
        assert (machine.mode, machine.reason) == (target, "why")
    else:
        with pytest.raises(IllegalTransition):
            machine.to(target, "why")
        assert machine.mode is source


def test_stopped_is_latched_and_fault_is_final() -> None:
    assert LEGAL[Mode.STOPPED] == {Mode.IDLE, Mode.FAULT}
    assert LEGAL[Mode.FAULT] == {Mode.IDLE}
    assert all(Mode.FAULT in LEGAL[mode] for mode in Mode if mode is not Mode.FAULT)
