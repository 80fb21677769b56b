"""A ring of records on disk that survives its writer: every record written before a SIGKILL stays on disk.

The files are memory-mapped, so that a record costs one copy and no system call, and the kernel keeps the copied data
when the process dies. When the machine loses power, the last half minute may be lost. Every record has a checksum over
its segment's serial number and its own bytes, so that a damaged record, or one left from an earlier turn of the ring,
is detected.
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
"""Magic bytes, serial number, and the checksum of both."""
_RECORD = struct.Struct("<II")
"""Length and checksum of the record that follows."""


class RingBusy(ConfigurationError):
    """Another process writes to the ring."""


class RingWriter:
    """Writes records to the ring in `folder`, which has `SEGMENTS` files of `segment_bytes` each; it continues after
    the records of an earlier process.

    Raises `RingBusy` when another process writes there, and `ConfigurationError` when the folder cannot be used: the
    disk is full, the folder is read-only, or it holds a ring of another size.
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
            os.utime(self._lock)  # its time shows which log was opened last
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
        self._at = self._size  # full, so that the first record begins a new segment

    def fits(self, length: int) -> bool:
        """Return whether a record of `length` bytes fits into the present segment."""
        return self._at + _RECORD.size + length <= self._size

    def turn(self) -> None:
        """Begin the next segment; it replaces the oldest one."""
        self._number = (self._number + 1) % SEGMENTS
        self._serial += 1
        segment = self._maps[self._number]
        # The end mark is written before the serial number, so that a reader never finds old records under a new number.
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
        """Close the files."""
        for segment in self._maps:
            segment.close()
        self._maps = []
        if self._lock >= 0:
            os.close(self._lock)  # closing releases the lock
            self._lock = -1

    def _map(self, path: Path) -> mmap.mmap:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            held = os.fstat(file).st_size
            if held not in (0, self._size):
                raise ConfigurationError(
                    f"{self.folder} holds a ring of another size; choose another folder, or delete that one"
                )
            # Allocates the blocks now, so that a full disk is reported before any motion, and never during one.
            os.posix_fallocate(file, 0, self._size)
            return mmap.mmap(file, self._size, flags=mmap.MAP_SHARED | mmap.MAP_POPULATE)
        finally:
            os.close(file)


def is_ring(folder: Path) -> bool:
    """Return whether `folder` holds a ring."""
    return any(folder.glob(f"{_PREFIX}*{_SUFFIX}"))


def read_ring(folder: Path, last: int = SEGMENTS) -> Iterator[list[bytes]]:
    """Yield the records of every segment in `folder`, or of the `last` segments, the oldest first; a damaged last
    record of a segment is left out. It may be called while the ring is written. Raises `OSError`."""
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
    """Return the serial number of a segment; None when the segment was never used."""
    head = content[: _HEADER.size]
    if len(head) < _HEADER.size:
        return None
    _, serial, _ = _HEADER.unpack(head)
    return int(serial) if head == _header(serial) else None


def _checksum(serial: int, record: bytes) -> int:
    return zlib.crc32(record, serial & 0xFFFFFFFF)
