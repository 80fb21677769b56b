"""What was done to a data set after it was recorded: kept in its `meta/info.json`, so that it can be told later."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from robot.dataset.format.schema import DatasetInfo

KEY = "history"


def with_step(info: DatasetInfo, operation: str, **what: Any) -> DatasetInfo:
    """The same description, one step longer: `operation` and what it was done with, in plain JSON."""
    steps = [*info.metadata.get(KEY, ()), {"operation": operation, **what}]
    return replace(info, metadata={**info.metadata, KEY: steps})


def ranges(numbers: Iterable[int]) -> str:
    """Whole numbers in few words: 0, 1, 2, 5 is "0:3,5"; as `--episodes` takes them."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1]:
            runs[-1][1] += 1
        else:
            runs.append([number, number + 1])
    return ",".join(f"{start}:{stop}" if stop - start > 1 else f"{start}" for start, stop in runs)


def own_metadata(metadata: Mapping[str, Any], shared: Mapping[str, Any]) -> dict[str, Any]:
    """What one set remembers and the set that it becomes part of does not."""
    return {key: value for key, value in metadata.items() if shared.get(key) != value}
