"""The history of a data set: which operations changed it after it was recorded, kept in its `meta/info.json`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from robot.dataset.format.schema import DatasetInfo

KEY = "history"


def with_step(info: DatasetInfo, operation: str, **what: Any) -> DatasetInfo:
    """Return `info` with one more step in its history: `operation` and its arguments `what`, in plain JSON."""
    steps = [*info.metadata.get(KEY, ()), {"operation": operation, **what}]
    return replace(info, metadata={**info.metadata, KEY: steps})


def ranges(numbers: Iterable[int]) -> str:
    """Return whole numbers in short form: 0, 1, 2, 5 becomes "0:3,5", the form that `--episodes` accepts."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1]:
            runs[-1][1] += 1
        else:
            runs.append([number, number + 1])
    return ",".join(f"{start}:{stop}" if stop - start > 1 else f"{start}" for start, stop in runs)
