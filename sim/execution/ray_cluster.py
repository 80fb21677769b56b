"""Maps a function over work items on a Ray cluster, in order, so that the result does not depend on the cluster's
size."""

from __future__ import annotations

import os
import signal
import socket
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any, TypeVar

from robot.errors import ConfigurationError, ConnectionLost

Item = TypeVar("Item")
Result = TypeVar("Result")

LOCAL = "local"
"""The address that stands for a temporary cluster on this machine."""
REACHED_WITHIN_S = 5.0
AHEAD = 2
"""Items per core that are in work or wait for an earlier result."""


def map_on_ray(function: Callable[[Item], Result], items: Iterable[Item], address: str) -> Iterator[Result]:
    """Yield `function(item)` for each item, in the items' order, computed by the Ray cluster at `address`: HOST:PORT,
    or `LOCAL`. Its machines must have worldarm and the files that the work reads.

    An exception of the function is raised here and ends the iteration. Raises `ConfigurationError` when Ray is not
    installed or `address` is invalid, and `ConnectionLost` when the cluster cannot be reached or loses its work.
    """
    with _cluster(address) as ray:
        cores = int(ray.cluster_resources().get("CPU", 0))
        if cores < 1:
            raise ConnectionLost(f"the Ray cluster at {address} has no core to compute on")
        remote = ray.remote(num_cpus=1)(_plain(function))
        work = iter(items)
        waiting = deque(remote.remote(item) for item in islice(work, AHEAD * cores))
        while waiting:
            try:
                result = ray.get(waiting.popleft())
            except ray.exceptions.RayTaskError as error:
                raise error.cause from None
            except ray.exceptions.RayError as error:
                raise ConnectionLost(f"the Ray cluster at {address} lost its work: {_line(error)}") from error
            waiting.extend(remote.remote(item) for item in islice(work, 1))
            yield result


def _plain(function: Callable[[Item], Result]) -> Callable[[Item], Result]:
    """Return `function`, which may be a partial, as the plain function that Ray requires."""

    def work(item: Item) -> Result:
        return function(item)

    return work


@contextmanager
def _cluster(address: str) -> Iterator[Any]:
    """A context with Ray connected to the cluster at `address`."""
    # No usage statistics are sent, and accelerators stay visible to work that does not request one.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError as error:
        raise ConfigurationError("--ray needs Ray: install it with pip install 'worldarm[ray]'") from error
    if address != LOCAL:
        _require_reachable(address)
    before = signal.getsignal(signal.SIGTERM)
    try:
        where = {"include_dashboard": False} if address == LOCAL else {"address": address}
        ray.init(**where, log_to_driver=False, logging_level="error")
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise ConnectionLost(f"there is no Ray cluster at {address}: {_line(error)}") from error
    finally:
        signal.signal(signal.SIGTERM, before)  # Ray replaces the handler
    try:
        yield ray
    finally:
        ray.shutdown()


def _require_reachable(address: str) -> None:
    """Raise `ConfigurationError` for an invalid address, and `ConnectionLost` when nothing listens at HOST:PORT: Ray
    itself would try for minutes."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise ConfigurationError(f"--ray {address} is not HOST:PORT, nor {LOCAL}")
    try:
        socket.create_connection((host, int(port)), REACHED_WITHIN_S).close()
    except (OSError, OverflowError) as error:
        raise ConnectionLost(f"there is no Ray cluster at {address}: {_line(error)}") from error


def _line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
