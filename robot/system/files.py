"""What a command leaves behind: found out early whether it can be written, and then written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from robot.errors import ConfigurationError, RecordingError


def make_folder(folder: Path) -> None:
    """Make `folder` if it is absent, and see that it takes files.

    Raises `ConfigurationError` when it does not, so that this is known before any work is spent on its contents.
    """
    _try(folder, folder)


def require_writable(path: Path) -> None:
    """Make the folder of the file `path` and see that the file can be written there, without touching it.

    Raises `ConfigurationError` when it cannot.
    """
    if path.is_dir():
        raise ConfigurationError(f"{path} cannot be written: it is a folder")
    if not _is_device(path):
        _try(path.parent, path)


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A context that yields where to write what shall be `path`: beside it, with the same suffix.

    When the body ends, the file is on the disk and takes its place; when the body raises, the file that was there
    before stays. Raises `RecordingError` when it cannot be written (disk full, read-only folder). A device or a pipe
    has no beside and is written to as it is.
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
    """Write `content`, of msgspec's types, as indented JSON. Raises `RecordingError` when it cannot be written."""
    with whole(path) as beside:
        beside.write_bytes(msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n")


def sync(path: Path) -> None:
    """Make a file's contents, or a folder's own entries (its renames), durable. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _try(folder: Path, asked: Path) -> None:
    """Write a byte to `folder`: a full disk would still let an empty file be made."""
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
