from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot.errors import ConfigurationError
from robot.system.plain_json import Difference, first_difference, read_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda below: st.lists(below) | st.dictionaries(st.text(), below),
    max_leaves=10,
)


@given(VALUES)
def test_what_was_written_is_read(tmp_path_factory: pytest.TempPathFactory, value: object) -> None:
    path = tmp_path_factory.mktemp("json") / "file.json"
    try:
        path.write_text(json.dumps(value))
        assert read_json(path) == value
    except ValueError as error:  # half a character
        assert "surrogates" in str(error)


@given(st.binary(max_size=100))
def test_anything_else_is_refused_plainly(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("json") / "file.json"
    path.write_bytes(data)
    try:
        json.dumps(read_json(path), allow_nan=False)
    except ValueError as error:
        assert str(error)


@pytest.mark.parametrize("depth", [2_000, 1_000_000])
def test_many_brackets_are_refused(tmp_path: Path, depth: int) -> None:
    path = tmp_path / "file.json"
    path.write_text("[" * depth + "]" * depth)
    with pytest.raises(ValueError, match="nested too deeply"):
        read_json(path)


def test_a_pipe_and_a_large_file_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigurationError, match="is not a file"):
        read_json(tmp_path / "pipe")
    (tmp_path / "large").write_text("1" * 100)
    with pytest.raises(ConfigurationError, match="is larger than"):
        read_json(tmp_path / "large", 99)


@given(VALUES, VALUES)
def test_a_difference_is_named_exactly_where_there_is_one(one: object, other: object) -> None:
    assert first_difference(one, one) is None
    assert (first_difference(one, other) is None) == (one == other)


def test_a_difference_is_named_by_its_place() -> None:
    one = {"camera": {"position": [0.0, 1.0, 2.0], "name": "front"}}
    found = first_difference(one, {"camera": {"position": [0.0, 1.0, 2.5], "name": "front"}})
    assert found == Difference("camera.position.2", "2.0", "2.5")
    assert first_difference(one, {"camera": {"position": [0.0, 1.0]}}) == Difference(
        "camera.position.2", "2.0", "absent"
    )
    cut = first_difference({"a": "\x1b[2J" * 99}, {"b": 1})
    assert cut is not None and cut.place == "a" and cut.other == "absent"
    assert cut.one.isprintable() and len(cut.one) == 80
