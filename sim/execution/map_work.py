"""Distributes independent work items: in this process, in processes of this machine, or on a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from sim.execution.parallel import map_ordered
from sim.execution.ray_cluster import map_on_ray

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_items(
    function: Callable[[Item], Result], items: Iterable[Item], processes: int, ray: str | None
) -> Iterator[Result]:
    """Yield `function(item)` for each item, in the items' order: on the cluster at `ray` when given, else in
    `processes` processes. Raises the errors of `map_on_ray` and `map_ordered`."""
    return map_ordered(function, items, processes) if ray is None else map_on_ray(function, items, ray)
