"""The processes that share one training: one by default, several when started by torchrun."""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch
from torch import distributed

from perception.training.malloc import keep_freed_memory
from robot.errors import ConfigurationError


@dataclass(frozen=True)
class Workers:
    """This process, number `rank` of `count`, which computes on `device`."""

    rank: int
    count: int
    device: torch.device

    @property
    def leads(self) -> bool:
        """Whether this process prints and saves."""
        return self.rank == 0

    def wait(self) -> None:
        """Wait until all processes have come here."""
        if self.count > 1:
            distributed.barrier()


def join(device: str) -> Workers:
    """Join the process group that torchrun describes in the environment; without torchrun, train in this process alone.

    Raises `ConfigurationError` when there is no such device.
    """
    if device not in ("cpu", "cuda"):
        raise ConfigurationError(f"no device {device!r}: use cpu or cuda")
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigurationError("no CUDA device is visible to torch here; use --device cpu")
    rank = int(os.environ.get("RANK", "0"))
    count = int(os.environ.get("WORLD_SIZE", "1"))
    place = torch.device("cpu")
    keep_freed_memory()
    if device == "cuda":
        place = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(place)
    if count > 1 and not distributed.is_initialized():
        distributed.init_process_group("nccl" if device == "cuda" else "gloo")
    return Workers(rank, count, place)


def leave(workers: Workers) -> None:
    """Leave the process group."""
    if workers.count > 1 and distributed.is_initialized():
        distributed.destroy_process_group()
