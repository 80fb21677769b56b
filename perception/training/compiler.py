"""Checks whether PyTorch can compile a training to machine code here."""

from __future__ import annotations

import os
import shutil
import sys

from robot.errors import ConfigurationError


def require_compiler() -> None:
    """Raise `ConfigurationError` without a C++ compiler: the one that CXX names or, without CXX, the system's."""
    name = os.environ.get("CXX") or ("clang++" if sys.platform == "darwin" else "g++")
    if shutil.which(name) is None:
        raise ConfigurationError(
            f"--compile needs a C++ compiler, and there is no {name} here; install one, name yours in CXX, or leave "
            "the option out: training is then slower, and the model is as good"
        )
