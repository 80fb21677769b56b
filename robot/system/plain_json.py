"""Reads JSON that someone else wrote, into plain Python values, within the bounds of files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any, TypeGuard

from robot.system.bounds import MAX_JSON_BYTES
from robot.system.files import read_bounded
from robot.system.text import printable

_SHOWN = 80  # characters of a value in a message


def read_json(path: Path, longest: int = MAX_JSON_BYTES) -> Any:
    """Return what the JSON file `path`, of at most `longest` bytes, says.

    What it returns can be written again as UTF-8 JSON: numbers are finite, and text is whole. Raises `OSError`,
    `ConfigurationError` as `read_bounded` does, and `ValueError` when the file is not such JSON or is too deeply
    nested.
    """
    data = read_bounded(path, longest)
    try:
        found = json.loads(data)
        # An infinite number and half a character can be read but not written.
        json.dumps(found, ensure_ascii=False, allow_nan=False).encode()
    except RecursionError:
        raise ValueError("its brackets are nested too deeply") from None
    return found


@dataclass(frozen=True)
class Difference:
    """The first place, such as `camera.position.2`, at which two plain values differ, and both values there in words
    for a message; "absent" stands for one that is not there."""

    place: str
    one: str
    other: str


def first_difference(one: object, other: object) -> Difference | None:
    """Return the first difference of two values that JSON can hold, None when they are equal."""
    if one == other:
        return None
    pairs: list[tuple[object, object, object]] = []
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        pairs = [(key, one.get(key, _ABSENT), other.get(key, _ABSENT)) for key in dict.fromkeys([*one, *other])]
    elif _is_list(one) and _is_list(other):
        pairs = [(place, *both) for place, both in enumerate(zip_longest(one, other, fillvalue=_ABSENT))]
    for key, here, there in pairs:
        found = first_difference(here, there)
        if found is not None:
            place = printable(str(key), _SHOWN) + (f".{found.place}" if found.place else "")
            return Difference(place, found.one, found.other)
    return Difference("", _in_words(one), _in_words(other))


_ABSENT = object()


def _is_list(value: object) -> TypeGuard[Sequence[object]]:
    return isinstance(value, (list, tuple))


def _in_words(value: object) -> str:
    return "absent" if value is _ABSENT else printable(json.dumps(value, ensure_ascii=False), _SHOWN)
