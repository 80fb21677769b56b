"""The free space of a disk, read about once a second."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

_LOOK_EVERY_S = 1.0


class FreeSpace:
    """The free space of the disk under `folder`; the value is at most about a second old."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._looked = -_LOOK_EVERY_S
        self._bytes = 0

    def free_bytes(self) -> int:
        """Return the number of free bytes. Raises `OSError` when the disk is gone."""
        now = time.monotonic()
        if now - self._looked >= _LOOK_EVERY_S:
            self._bytes, self._looked = shutil.disk_usage(self._folder).free, now
        return self._bytes
