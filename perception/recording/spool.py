"""A queue that loses nothing and uses bounded memory: items beyond the bound wait in an unnamed file."""

from __future__ import annotations

import tempfile
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Generic, TypeVar

H = TypeVar("H")

IN_MEMORY_BYTES = 128 * 1024 * 1024


@dataclass(frozen=True)
class _Spilled:
    """The place of an item's payloads in the file: one after another from `offset`, with `sizes` in bytes."""

    offset: int
    sizes: tuple[int, ...]


class Spool(Generic[H]):
    """A first-in-first-out queue for one thread that puts and one that takes. Each item has a head and payloads of
    bytes.

    Payloads beyond `most_bytes` go to a file in `folder`, which disappears with the process, also after a crash.
    """

    def __init__(self, folder: Path, most_bytes: int = IN_MEMORY_BYTES) -> None:
        self._folder = folder
        self._most = most_bytes
        self._items: deque[tuple[H, tuple[bytes, ...] | _Spilled]] = deque()
        self._changed = threading.Condition()
        self._held = 0
        self._file: FileIO | None = None
        self._spilled = 0
        self._end = 0

    def put(self, head: H, payloads: Sequence[bytes] = ()) -> None:
        """Add an item at the end. Raises `OSError`, with nothing added, when the disk has no space for payloads beyond
        the bound."""
        size = sum(map(len, payloads))
        with self._changed:
            kept: tuple[bytes, ...] | _Spilled = tuple(payloads)
            if self._held + size > self._most:
                kept = self._spill(payloads)
            else:
                self._held += size
            self._items.append((head, kept))
            self._changed.notify()

    def take(self, timeout_s: float) -> tuple[H, tuple[bytes, ...]] | None:
        """Remove and return the first item, waiting at most `timeout_s` for one; None when none came. Raises `OSError`
        when its payloads cannot be read back from the file."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while not self._items:
                left_s = deadline - time.monotonic()
                if left_s <= 0 or not self._changed.wait(left_s):
                    return None
            head, kept = self._items.popleft()
            if isinstance(kept, _Spilled):
                return head, self._read(kept)
            self._held -= sum(map(len, kept))
            return head, kept

    @property
    def on_disk(self) -> int:
        """The number of items that wait in the file."""
        return self._spilled

    def __len__(self) -> int:
        return len(self._items)

    def close(self) -> None:
        """Drop all items."""
        with self._changed:
            self._items.clear()
            if self._file is not None:
                self._file.close()
                self._file = None

    def _spill(self, payloads: Sequence[bytes]) -> _Spilled:
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=self._folder, buffering=0)  # noqa: SIM115
        self._file.seek(self._end)
        for payload in payloads:
            written = 0
            while written < len(payload):
                written += self._file.write(payload[written:])
        spilled = _Spilled(self._end, tuple(map(len, payloads)))
        self._end += sum(spilled.sizes)
        self._spilled += 1
        return spilled

    def _read(self, spilled: _Spilled) -> tuple[bytes, ...]:
        assert self._file is not None, "spilled payloads are in the file"
        self._file.seek(spilled.offset)
        payloads = tuple(self._file.read(size) for size in spilled.sizes)
        self._spilled -= 1
        if self._spilled == 0:
            self._file.truncate(0)
            self._end = 0
        return payloads
