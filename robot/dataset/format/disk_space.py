"""Refuses, before anything is written, what the disk has no room for."""

from __future__ import annotations

import shutil
from pathlib import Path

from robot.errors import RecordingError


def require_free(folder: Path, needed: int) -> None:
    """Raise `RecordingError` when the disk on which `folder` is or would be has fewer than `needed` bytes free."""
    there = next(path for path in (folder.resolve(), *folder.resolve().parents) if path.is_dir())
    free = shutil.disk_usage(there).free
    if free < needed:
        raise RecordingError(f"{folder} needs {needed / 1e6:.0f} MB, and {free / 1e6:.0f} MB are free there")
