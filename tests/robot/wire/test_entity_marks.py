from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot.errors import WireError
from robot.wire.entity_mark import EntityMark
from robot.wire.limits import MAX_MARKS, MAX_NAME_LENGTH, MAX_PATH, MAX_VIEWS
from robot.wire.messages import DecisionReport, decode, encode
from tests.robot.wire.decision_reports import report

MARK = EntityMark("red", (217, 26, 26), ((3.0, 4.0), None), ((5.5, 6.0), (7.0, 20.0)), (((3.5, 4.5), None),))


def sent(*marks: EntityMark) -> tuple[EntityMark, ...]:
    """The marks that a viewer receives."""
    body = decode(encode(report(1, entities=marks), 1, 1)).body
    assert isinstance(body, DecisionReport)
    return body.entities


def changed(**fields: object) -> EntityMark:
    return msgspec.structs.replace(MARK, **fields)


def test_marks_arrive_as_they_were_sent() -> None:
    largest = changed(path=MARK.path * MAX_PATH, now=((1.0, 2.0),) * MAX_VIEWS)
    assert sent(MARK) == (MARK,)
    assert sent(*[largest] * MAX_MARKS) == (largest,) * MAX_MARKS
    assert sent() == ()


@pytest.mark.parametrize(
    "marks",
    [
        [MARK] * (MAX_MARKS + 1),
        [changed(path=MARK.path * (MAX_PATH + 1))],
        [changed(now=((1.0, 2.0),) * (MAX_VIEWS + 1))],
        [changed(path=(((1.0, 2.0),) * (MAX_VIEWS + 1),))],
        [changed(now=((math.nan, 2.0),))],
        [changed(wanted=((1.0, math.inf),))],
        [changed(path=(((1e9, 2.0),),))],
        [changed(colour=(0, 0, 256))],
        [changed(colour=(-1, 0, 0))],
        [changed(now=((1.0, 2.0, 3.0),))],
    ],
)
def test_marks_that_no_agent_sends_are_refused(marks: list[EntityMark]) -> None:
    with pytest.raises(WireError):
        sent(*marks)


@settings(max_examples=30)
@given(st.text(max_size=2 * MAX_NAME_LENGTH))
def test_a_name_is_short_and_prints(name: str) -> None:
    (mark,) = sent(changed(name=name))
    assert mark.name.isprintable() and len(mark.name) <= MAX_NAME_LENGTH
