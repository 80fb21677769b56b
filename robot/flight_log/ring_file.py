"""A ring of records on disk that outlives the process that writes it: what SIGKILL finds written stays written.

The files are mapped, so that a record costs a copy and no system call; the kernel keeps what was copied when the
process dies, whatever the reason. (When the machine itself loses power, the last half minute may be lost.) Every
record carries a checksum over its segment's serial number and its own bytes: a torn one, or what an earlier turn of
the ring left behind, is never taken for a record.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from robot.errors import ConfigurationError

SEGMENTS = 8
LOCK_FILE = "lock"
_PREFIX = "segment-"
_SUFFIX = ".ring"
_MAGIC = b"WARING01"
_HEADER = struct.Struct("<8sQI")
"""Magic, serial number, checksum of the two."""
_RECORD = struct.Struct("<II")
"""Length and checksum of what follows."""


class RingBusy(ConfigurationError):
    """Another process writes to the ring."""


class RingWriter:
    """Writes records to the ring in `folder`, of `SEGMENTS` files of `segment_bytes` each; goes on after what an
    earlier process left there.

    Raises `RingBusy` when another process writes there, and `ConfigurationError` when the folder cannot be had: the
    disk is full, it is read-only, or holds a ring of another size.
    """

    def __init__(self, folder: Path, segment_bytes: int) -> None:
        self.folder = folder
        self._size = segment_bytes
        self._maps: list[mmap.mmap] = []
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigurationError(f"{folder} cannot be written: {error.strerror}") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.utime(self._lock)  # which of several was last begun
            self._maps = [self._map(folder / f"{_PREFIX}{number}{_SUFFIX}") for number in range(SEGMENTS)]
        except OSError as error:
            self.close()
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                raise RingBusy(f"{folder} is written to by another process; choose another folder") from error
            raise ConfigurationError(f"{folder} cannot be written: {error.strerror}") from error
        except BaseException:
            self.close()
            raise
        serials = [_serial(segment) or 0 for segment in self._maps]
        self._serial = max(serials)
        self._number = serials.index(self._serial)
        self._at = self._size  # full: the first record begins a segment of its own

    def fits(self, length: int) -> bool:
        """Whether a record of `length` bytes still goes into the present segment."""
        return self._at + _RECORD.size + length <= self._size

    def turn(self) -> None:
        """Begin the next segment, in place of the oldest one."""
        self._number = (self._number + 1) % SEGMENTS
        self._serial += 1
        segment = self._maps[self._number]
        # Ended before it is named: a reader never finds old records under a new serial number.
        segment[_HEADER.size : _HEADER.size + _RECORD.size] = bytes(_RECORD.size)
        segment[: _HEADER.size] = _header(self._serial)
        self._at = _HEADER.size

    def write(self, record: bytes) -> None:
        """Append `record`, which must fit."""
        begin, end = self._at + _RECORD.size, self._at + _RECORD.size + len(record)
        segment = self._maps[self._number]
        segment[begin:end] = record
        if end + _RECORD.size <= self._size:
            segment[end : end + _RECORD.size] = bytes(_RECORD.size)
        segment[self._at : begin] = _RECORD.pack(len(record), _checksum(self._serial, record))
        self._at = end

    def close(self) -> None:
        """Let go of the files."""
        for segment in self._maps:
            segment.close()
        self._maps = []
        if self._lock >= 0:
            os.close(self._lock)  # which unlocks it
            self._lock = -1

    def _map(self, path: Path) -> mmap.mmap:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            held = os.fstat(file).st_size
            if held not in (0, self._size):
                raise ConfigurationError(
                    f"{self.folder} holds a ring of another size; choose another folder, or delete that one"
                )
            # Real blocks now, so that a full disk is known before anything moves, and never in mid-motion.
            os.posix_fallocate(file, 0, self._size)
            return mmap.mmap(file, self._size, flags=mmap.MAP_SHARED | mmap.MAP_POPULATE)
        finally:
            os.close(file)


def is_ring(folder: Path) -> bool:
    """Whether a ring was ever begun in `folder`."""
    return any(folder.glob(f"{_PREFIX}*{_SUFFIX}"))


def read_ring(folder: Path, last: int = SEGMENTS) -> Iterator[list[bytes]]:
    """Yield the records of every segment in `folder`, the oldest first, or of the `last` ones; a segment's torn last
    record is left out. May be called while the ring is written. Raises OSError."""
    segments = []
    for path in sorted(folder.glob(f"{_PREFIX}*{_SUFFIX}"), key=_serial_of)[-last:]:
        content = path.read_bytes()
        serial = _serial(content)
        if serial is not None:
            segments.append((serial, content))
    segments.sort(key=lambda each: each[0])
    for serial, content in segments:
        yield list(_records(serial, content))


def _records(serial: int, content: bytes) -> Iterator[bytes]:
    at = _HEADER.size
    while at + _RECORD.size <= len(content):
        length, checksum = _RECORD.unpack_from(content, at)
        at += _RECORD.size
        record = content[at : at + length]
        if length == 0 or len(record) < length or _checksum(serial, record) != checksum:
            return
        yield record
        at += length


def _serial_of(path: Path) -> int:
    with path.open("rb") as file:
        return _serial(file.read(_HEADER.size)) or 0


def _header(serial: int) -> bytes:
    return _HEADER.pack(_MAGIC, serial, zlib.crc32(struct.pack("<Q", serial), zlib.crc32(_MAGIC)))


def _serial(content: bytes | mmap.mmap) -> int | None:
    """Return the serial number of a segment; None when it was never begun."""
    head = content[: _HEADER.size]
    if len(head) < _HEADER.size:
        return None
    _, serial, _ = _HEADER.unpack(head)
    return int(serial) if head == _header(serial) else None


def _checksum(serial: int, record: bytes) -> int:
    return zlib.crc32(record, serial & 0xFFFFFFFF)
