"""A ring of records on disk that survives its writer: every record written before a SIGKILL stays on disk.

The kernel keeps what was written when the process dies. When the machine loses power, the last half minute may be lost.
Every record has a checksum over its segment's serial number and its own bytes, so that a damaged record, or one left
from an earlier turn of the ring, is detected. The files are not memory-mapped: one that is cut short by another program
would then end the process that writes.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import threading
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

from robot.errors import ConfigurationError
from robot.system.bounds import MAX_SEGMENT_BYTES
from robot.system.files import read_bounded

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
        self._files: list[int] = []
        self._renew = False
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigurationError(f"{folder} cannot be written: {error.strerror}") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.utime(self._lock)  # its time shows which log was opened last
            for number in range(SEGMENTS):
                self._files.append(self._opened(number))
            serials = [_serial(os.pread(file, _HEADER.size, 0)) or 0 for file in self._files]
        except OSError as error:
            self.close()
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                raise RingBusy(f"{folder} is written to by another process; choose another folder") from error
            raise ConfigurationError(f"{folder} cannot be written: {error.strerror}") from error
        except BaseException:
            self.close()
            raise
        self._serial = max(serials)
        self._number = serials.index(self._serial)
        self._at = self._size  # full, so that the first record begins a new segment

    def fits(self, length: int) -> bool:
        """Return whether a record of `length` bytes fits into the present segment."""
        return not self._renew and self._at + _RECORD.size + length <= self._size

    def turn(self) -> None:
        """Begin the next segment; it replaces the oldest one. Raises `OSError`."""
        self._renew = False
        self._number = (self._number + 1) % SEGMENTS
        self._serial += 1
        # The end mark is written before the serial number, so that a reader never finds old records under a new number.
        self._put(self._number, _HEADER.size, bytes(_RECORD.size))
        self._put(self._number, 0, _header(self._serial))
        self._at = _HEADER.size

    def write(self, record: bytes) -> None:
        """Append `record`, which must fit. Raises `OSError`."""
        end = self._at + _RECORD.size + len(record)
        mark = bytes(_RECORD.size) if end + _RECORD.size <= self._size else b""
        head = _RECORD.pack(len(record), _checksum(self._serial, record))
        self._put(self._number, self._at, head + record + mark)
        self._at = end

    def close(self) -> None:
        """Close the files."""
        for file in self._files:
            os.close(file)
        self._files = []
        if self._lock >= 0:
            os.close(self._lock)  # closing releases the lock
            self._lock = -1

    def _put(self, number: int, at: int, data: bytes) -> None:
        """Write `data` to the file of a segment. A file that another program cut short or deleted is made anew, and the
        next record begins another segment. Raises `OSError`."""
        found = os.fstat(self._files[number])
        if found.st_size < self._size or not found.st_nlink:
            os.close(self._files[number])
            self._files[number] = self._opened(number, exact=False)
            self._renew = True
            self._cut_short()
        while data:
            written = os.pwrite(self._files[number], data, at)
            at, data = at + written, data[written:]

    def _cut_short(self) -> None:
        """React to a file that was cut short or deleted."""

    def _opened(self, number: int, exact: bool = True) -> int:
        """Open the file of a segment at its full size. With `exact`, raise `ConfigurationError` for another size."""
        file = os.open(
            self.folder / f"{_PREFIX}{number}{_SUFFIX}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
        )
        try:
            if exact and os.fstat(file).st_size not in (0, self._size):
                raise ConfigurationError(
                    f"{self.folder} holds a ring of another size; choose another folder, or delete that one"
                )
            # Allocates the blocks now, so that a full disk is reported before any motion, and never during one.
            os.posix_fallocate(file, 0, self._size)
        except BaseException:
            os.close(file)
            raise
        return file


class BackgroundRing(RingWriter):
    """A `RingWriter` whose files are written by a thread, so that a slow or failing disk never delays the caller: what
    is written is on its way to the kernel within `_PAUSE_S`.

    When the disk fails, what cannot be written is lost, and `told` receives a sentence about it, in that thread.
    """

    _PAUSE_S = 0.01
    _MOST_WAITING = 20_000

    def __init__(self, folder: Path, segment_bytes: int, told: Callable[[str], None]) -> None:
        self._waiting: deque[tuple[int, int, bytes]] = deque(maxlen=self._MOST_WAITING)
        self._told = told
        self._failing = False
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="flight log", daemon=True)
        super().__init__(folder, segment_bytes)
        self._thread.start()

    def close(self) -> None:
        """Write what waits, and close the files."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join()
        super().close()

    def _put(self, number: int, at: int, data: bytes) -> None:
        self._waiting.append((number, at, data))

    def _run(self) -> None:
        last = False
        while not last:
            last = self._ending.wait(self._PAUSE_S)
            while self._waiting:
                number, at, data = self._waiting.popleft()
                try:
                    super()._put(number, at, data)
                except OSError as error:
                    self._fail(error)
                else:
                    self._renew = self._renew or self._failing  # what is in this segment has a gap
                    self._failing = False

    def _fail(self, error: OSError) -> None:
        if not self._failing:
            self._told(f"the flight log in {self.folder} cannot be written: {error.strerror}; the arm goes on without")
        self._failing = True

    def _cut_short(self) -> None:
        self._told(f"the flight log in {self.folder} was cut short by another program; it goes on in a new segment")


def is_ring(folder: Path) -> bool:
    """Return whether `folder` holds a ring."""
    return any(folder.glob(f"{_PREFIX}*{_SUFFIX}"))


def read_ring(folder: Path, last: int = SEGMENTS) -> Iterator[list[bytes]]:
    """Yield the records of every segment in `folder`, or of the `last` segments, the oldest first; a damaged last
    record of a segment is left out. It may be called while the ring is written. Raises `OSError`, and
    `ConfigurationError` for a segment that is not a file or far larger than any."""
    segments = []
    for path in sorted(folder.glob(f"{_PREFIX}*{_SUFFIX}"), key=_serial_of)[-last:]:
        content = read_bounded(path, MAX_SEGMENT_BYTES)
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
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return _serial(os.pread(descriptor, _HEADER.size, 0)) or 0
    finally:
        os.close(descriptor)


def _header(serial: int) -> bytes:
    return _HEADER.pack(_MAGIC, serial, zlib.crc32(struct.pack("<Q", serial), zlib.crc32(_MAGIC)))


def _serial(content: bytes) -> int | None:
    """Return the serial number of a segment; None when the segment was never used."""
    head = content[: _HEADER.size]
    if len(head) < _HEADER.size:
        return None
    _, serial, _ = _HEADER.unpack(head)
    return int(serial) if head == _header(serial) else None


def _checksum(serial: int, record: bytes) -> int:
    return zlib.crc32(record, serial & 0xFFFFFFFF)
