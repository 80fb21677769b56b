"""The hardware settings of a training. They are stored because results differ between machines."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from perception.training.compiler import require_compiler
from perception.training.distributed import Workers
from perception.training.run_folder import Settings
from perception.training.world_model import Precision, compute_dtype

MACHINE_SETTINGS = frozenset(("processes", "device", "precision", "compiled"))
"""Names of the stored settings that describe the machine."""


@dataclass(frozen=True)
class Machine:
    """The processes that share a training, the data type in which they multiply matrices, and whether the world model's
    training is compiled to machine code first."""

    workers: Workers
    dtype: torch.dtype
    compiled: bool

    def settings(self) -> Settings:
        """Return the settings to store."""
        precision: Precision = "bf16" if self.dtype == torch.bfloat16 else "float32"
        settings: Settings = {
            "processes": self.workers.count,
            "device": self.workers.device.type,
            "precision": precision,
        }
        return {**settings, "compiled": 1} if self.compiled else settings


def open_machine(workers: Workers, precision: Precision, compiled: bool) -> Machine:
    """Return the machine with these settings. Raises `ConfigurationError` when compiling was requested but no compiler
    works."""
    if compiled:
        require_compiler()
    return Machine(workers, compute_dtype(precision, workers.device), compiled)
