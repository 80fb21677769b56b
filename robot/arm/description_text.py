"""Refuses the text of a robot's description (URDF) that would exhaust what reads it.

The libraries that read it go from element to element, and from joint to joint, by recursion, and end the process when
that is too deep. A description may come from a data set or from another machine.
"""

from __future__ import annotations

from xml.parsers import expat

from robot.errors import ConfigurationError
from robot.system.bounds import (
    MAX_ARM_DESCRIPTION_BYTES,
    MAX_ARM_DESCRIPTION_ELEMENTS,
    MAX_ARM_DESCRIPTION_JOINTS,
)
from robot.system.text import printable

_MOST_DEPTH = 64  # a robot's description has about six levels
_SHOWN = 64


def require_readable(name: str, urdf: str) -> None:
    """Raise `ConfigurationError` unless the description `urdf` of the arm `name` is XML within bounds."""
    wrong = _wrong(urdf)
    if wrong:
        raise ConfigurationError(f"the description of the arm {printable(repr(name), _SHOWN)} cannot be read: {wrong}")


def _wrong(urdf: str) -> str:
    """Return what is wrong with a description; empty when nothing is."""
    if len(urdf) > MAX_ARM_DESCRIPTION_BYTES:
        return f"it has {len(urdf)} characters, and at most {MAX_ARM_DESCRIPTION_BYTES} are read"
    counter = _Counter()
    try:
        counter.parser.Parse(urdf, True)
    except expat.ExpatError as error:
        return f"it is not XML: {error}"
    except (_TooMuch, UnicodeEncodeError) as error:
        return str(error)
    return ""


class _TooMuch(Exception):
    """A description that is out of bounds; what is wrong in words."""


class _Counter:
    """Counts a description's elements as they are read, and raises `_TooMuch` as soon as there are too many."""

    def __init__(self) -> None:
        self.parser = expat.ParserCreate()
        self.parser.StartElementHandler = self._begin
        self.parser.EndElementHandler = self._end
        self.parser.StartDoctypeDeclHandler = self._declare
        self._depth = self._elements = self._joints = 0

    def _begin(self, tag: str, _attributes: dict[str, str]) -> None:
        self._depth += 1
        self._elements += 1
        self._joints += tag == "joint"
        if self._depth > _MOST_DEPTH or self._elements > MAX_ARM_DESCRIPTION_ELEMENTS:
            raise _TooMuch(f"it has more than {MAX_ARM_DESCRIPTION_ELEMENTS} elements or {_MOST_DEPTH} levels of them")
        if self._joints > MAX_ARM_DESCRIPTION_JOINTS:
            raise _TooMuch(f"it has more than {MAX_ARM_DESCRIPTION_JOINTS} joints")

    def _end(self, _tag: str) -> None:
        self._depth -= 1

    def _declare(self, *_what: object) -> None:
        raise _TooMuch("it declares a document type, which no robot's description needs")
