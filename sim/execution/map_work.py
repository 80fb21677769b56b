"""Where work is done that falls into independent items: here, in processes of this machine, or on a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from sim.execution.parallel import map_ordered
from sim.execution.ray_cluster import map_on_ray

Item = TypeVar("Item")
Result = TypeVar("Result")


def spread(
    function: Callable[[Item], Result], items: Iterable[Item], processes: int, ray: str | None
) -> Iterator[Result]:
    """Yield `function(item)` for each item, in the items' order: on the cluster at `ray` when one is given, and else in
    `processes` processes. Raises as `map_on_ray` and `map_ordered` do."""
    return map_ordered(function, items, processes) if ray is None else map_on_ray(function, items, ray)
