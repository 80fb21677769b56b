"""Output files: checked early for whether they can be written, and then written completely or not at all."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from robot.errors import ConfigurationError, RecordingError


def state_folder() -> Path:
    """Return the folder for what worldarm keeps between two runs; it may not exist yet."""
    state = os.environ.get("XDG_STATE_HOME", "")
    return Path(state if os.path.isabs(state) else Path.home() / ".local" / "state") / "worldarm"


def make_folder(folder: Path) -> None:
    """Make `folder` if it is absent, and check that files can be written to it.

    Raises `ConfigurationError` when they cannot, so that this is known before any work is done for its contents.
    """
    _try(folder, folder)


def require_writable(path: Path) -> None:
    """Make the folder of the file `path` and check that the file can be written there, without changing it.

    Raises `ConfigurationError` when it cannot.
    """
    if path.is_dir():
        raise ConfigurationError(f"{path} cannot be written: it is a folder")
    if not _is_device(path):
        _try(path.parent, path)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 digest of a file in hexadecimal digits. Raises `OSError` when it cannot be read."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def read_bounded(path: Path, longest: int) -> bytes:
    """Return the contents of the regular file `path`, of at most `longest` bytes, without ever waiting. Raises
    `OSError`, and `ConfigurationError` for a pipe, a device, a folder or a larger file."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise ConfigurationError(f"{path} is not a file: put one there, or delete it")
        content = file.read(longest + 1)
    if len(content) > longest:
        raise ConfigurationError(f"{path} is larger than {longest / 2**20:g} MB, more than such a file ever needs")
    return content


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """A context for writing `path` atomically: it yields a temporary path beside it, with the same suffix.

    When the body ends, the temporary file is synced to disk and replaces `path`; when the body raises, the previous
    file stays. Raises `RecordingError` when it cannot be written (disk full, read-only folder). A device or a pipe is
    written directly.
    """
    if _is_device(path):
        yield path
        return
    final = path.resolve()  # a link stays a link
    beside = final.with_name(f".{final.stem}.tmp{final.suffix}")
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield beside
            sync(beside)
            beside.replace(final)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise RecordingError(f"{path} cannot be written: {error.strerror or error}") from error


def write_json(path: Path, content: object) -> None:
    """Write `content`, which msgspec can encode, as indented JSON. Raises `RecordingError` when it cannot be
    written."""
    with atomic_write(path) as beside:
        beside.write_bytes(msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n")


def write_durable(path: Path, data: bytes) -> None:
    """Write the file `path`, whose folder exists, and make its contents durable. Raises OSError.

    A crash may leave a partial file: use it only for files that another file names afterwards.
    """
    path.write_bytes(data)
    sync(path)


def sync(path: Path) -> None:
    """Make a file's contents, or a folder's entries (its renames), durable. Raises `OSError`."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _try(folder: Path, asked: Path) -> None:
    """Check that one byte can be written to `folder`: a full disk would still accept an empty file."""
    probe = folder / f".{os.getpid()}.tmp"
    try:
        if not folder.exists():
            folder.mkdir(parents=True, exist_ok=True)
        try:
            probe.write_bytes(b"?")
        finally:
            probe.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigurationError(f"{asked} cannot be written: {error.strerror}") from error


def _is_device(path: Path) -> bool:
    return path.exists() and not path.is_file() and not path.is_dir()
