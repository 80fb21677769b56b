"""How much room a disk has, looked up now and then."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

_LOOK_EVERY_S = 1.0


class Room:
    """The room on the disk under `folder`; of about a second ago at most."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._looked = -_LOOK_EVERY_S
        self._bytes = 0

    def free_bytes(self) -> int:
        """Return how many bytes are free. Raises OSError when the disk is gone."""
        now = time.monotonic()
        if now - self._looked >= _LOOK_EVERY_S:
            self._bytes, self._looked = shutil.disk_usage(self._folder).free, now
        return self._bytes
