"""The names of a column's numbers, in each of the forms in which `meta/info.json` has them.

worldarm writes a list of one name a number. Other programs also write groups (`{"motors": ["a", "b"]}`), numbers by
name (`{"delta_x": 0, "delta_y": 1}`), lists in lists, and names of something else, such as of a picture's axes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

_MOST_DEEP = 8  # lists and groups in each other; names have at most two
_SEPARATOR = "."  # between the name of a group and of its entry, where the entries alone are ambiguous


def names_of_numbers(stored: object, count: int) -> tuple[str, ...] | None:
    """Return the `count` names in `stored`, in the order of their numbers; None when it does not name each number."""
    names = _flat(stored, 0)
    return tuple(names) if count and len(names) == count else None


def _flat(stored: object, depth: int) -> list[str]:
    """Return all names in `stored`, in order; none where their order is not known."""
    if stored is None or depth > _MOST_DEEP:
        return []
    if isinstance(stored, Mapping):
        return _of_places(stored) if _has_places(stored.values()) else _of_groups(stored, depth)
    if isinstance(stored, (list, tuple)):
        return [name for entry in stored for name in _flat(entry, depth + 1)]
    return [str(stored)]


def _has_places(values: Iterable[object]) -> bool:
    found = list(values)
    return bool(found) and all(isinstance(each, (int, float)) and not isinstance(each, bool) for each in found)


def _of_places(places: Mapping[str, float]) -> list[str]:
    """Return the names sorted by their numbers; none when two have the same."""
    if len(set(places.values())) != len(places):
        return []
    return [str(name) for name in sorted(places, key=lambda name: places[name])]


def _of_groups(groups: Mapping[str, object], depth: int) -> list[str]:
    """Return the groups' names one after the other, with the group's own name where two groups share one."""
    found = [(str(group), name) for group, entry in groups.items() for name in _flat(entry, depth + 1)]
    plain = [name for _, name in found]
    return plain if len(set(plain)) == len(plain) else [f"{group}{_SEPARATOR}{name}" for group, name in found]
