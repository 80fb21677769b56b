"""Finds the words of tasks that `meta/tasks.parquet` no longer gives, from the words that the episodes' rows list.

A row lists words without their numbers, in any order. So words are only taken where no others are possible.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from robot.dataset.format.tasks import read_tasks, unknown_task
from robot.errors import DatasetError
from robot.system.bounds import MAX_TASKS

_MOST_LISTED = 16
"""Words of a row that are compared; an episode with more tasks says nothing of which is which."""
_ROUNDS = 8
"""How often what is known is used to find more."""


@dataclass(frozen=True)
class Tasks:
    """The tasks of a set by number: `named`, the words in `meta/tasks.parquet`; `lost`, those of frames' tasks that it
    does not name, as the rows give them away. broken: why that file cannot be read; empty when it can or is absent."""

    named: Mapping[int, str]
    lost: Mapping[int, str]
    broken: str

    @property
    def words(self) -> dict[int, str]:
        """All of them."""
        return {**self.named, **self.lost}


def examine_tasks(root: Path, episodes: Sequence[tuple[Sequence[int], Sequence[str]]]) -> Tasks:
    """Return the tasks of a set; `episodes`: see `lost_words`."""
    broken = ""
    try:
        named = read_tasks(root)
    except DatasetError as error:
        named, broken = {}, str(error)
    return Tasks(named, lost_words(named, episodes), broken)


def lost_words(known: Mapping[int, str], episodes: Iterable[tuple[Sequence[int], Sequence[str]]]) -> dict[int, str]:
    """Return the words of the tasks that `episodes` have and `known` lacks, by number.

    episodes: for each, the numbers of its frames' tasks, and the words that its row lists. Of a task whose words may be
    one of several, the result is an unknown task with all of them.
    """
    possible: dict[int, list[str]] = {}
    taken = set(known.values())
    for numbers, words in episodes:
        listed = [word for word in words if word not in taken]
        for number in numbers:
            if number in known or not 0 <= number < MAX_TASKS:
                continue
            before = possible.get(number)
            if before is None or len(listed) > _MOST_LISTED:
                possible[number] = before or (listed if len(listed) <= _MOST_LISTED else [])
            else:
                both = [word for word in before if word in listed]
                possible[number] = both or (before if not listed else _joined(before, listed))
    return _settled(possible, taken)


def _joined(first: Sequence[str], second: Sequence[str]) -> list[str]:
    return list(dict.fromkeys([*first, *second]))[:_MOST_LISTED]


def _settled(possible: Mapping[int, Sequence[str]], taken: set[str]) -> dict[int, str]:
    """Return the words of each number: those that remain when no two tasks have the same."""
    found: dict[int, str] = {}
    for _ in range(_ROUNDS):
        before = len(found)
        for number, words in possible.items():
            left = [word for word in words if word not in taken]
            if number not in found and len(left) == 1:
                found[number] = left[0]
                taken.add(left[0])
        if len(found) == before:
            break
    for number, words in possible.items():
        if number not in found:
            found[number] = unknown_task(number, [word for word in words if word not in taken] or words)
    return found
