"""Files that appear whole or not at all: written beside their place as `.tmp`, then renamed there in a chosen order."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from robot.errors import DatasetError
from robot.system.files import sync, write_durable

SUFFIX = ".tmp"


class Staging:
    """A batch of files on their way into `root`.

    `add` writes each beside its place; `publish` renames some of them to their places, in the order given; `discard`
    takes back what was not published. With `durable`, contents and renames reach the disk before `publish` returns,
    so the order also holds through a power cut; without it, it holds through anything but that.
    """

    def __init__(self, root: Path, durable: bool) -> None:
        self._root = root
        self._durable = durable
        self._waiting: dict[str, Path] = {}

    def add(self, relative: str, data: bytes) -> None:
        """Write `data` beside `relative`. Raises OSError (disk full, read-only)."""
        final = self._root / relative
        if not final.parent.is_dir():
            make_durable_folder(final.parent, self._durable)
        staged = final.with_name(final.name + SUFFIX)
        self._waiting[relative] = staged
        if self._durable:
            write_durable(staged, data)
        else:
            staged.write_bytes(data)

    def publish(self, *relatives: str) -> None:
        """Rename these to their places, in this order. Raises OSError; those already renamed stay."""
        for relative in relatives:
            os.replace(self._waiting[relative], self._root / relative)
            del self._waiting[relative]
        if self._durable:
            for folder in {(self._root / relative).parent for relative in relatives}:
                sync(folder)

    def discard(self) -> None:
        """Remove what was added and not published."""
        for staged in self._waiting.values():
            staged.unlink(missing_ok=True)
        self._waiting.clear()


def make_durable_folder(folder: Path, durable: bool = True) -> None:
    """Make `folder` and its parents where absent; with `durable`, they reach the disk. Raises OSError."""
    missing = [path for path in (folder, *folder.parents) if not path.is_dir()]
    folder.mkdir(parents=True, exist_ok=True)
    if durable:
        for path in missing:
            sync(path.parent)


def replace_file(root: Path, relative: str, data: bytes, durable: bool = True) -> None:
    """Write one file atomically. Raises OSError, and then leaves the old one as it was."""
    staging = Staging(root, durable)
    try:
        staging.add(relative, data)
        staging.publish(relative)
    finally:
        staging.discard()


def lock_folder(root: Path, shared: bool = False) -> int:
    """Lock a data set against other writers; returns a descriptor that holds the lock until it is closed.

    shared: only read, beside others that do, while nobody writes.
    The kernel drops the lock when the process ends, however it ends. Raises DatasetError when another holds it, or
    when the file system does not lock folders, as network file systems may not.
    """
    try:
        descriptor = os.open(root, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            if not os.path.samestat(os.fstat(descriptor), os.stat(root)):
                raise DatasetError(f"the data set {root} was replaced by another process just now: try again")
        except BaseException:
            os.close(descriptor)
            raise
    except BlockingIOError:
        raise DatasetError(f"another process is writing the data set {root}: wait for it or stop it") from None
    except OSError as error:
        raise DatasetError(
            f"the folder {root} cannot be locked against other writers ({error.strerror}); data sets are written on "
            "a file system that locks folders, as local disks do and network file systems may not"
        ) from error
    return descriptor


@contextmanager
def locked(root: Path, shared: bool = False) -> Iterator[None]:
    """A context in which the data set is locked; see `lock_folder`."""
    descriptor = lock_folder(root, shared)
    try:
        yield
    finally:
        os.close(descriptor)


def leftovers(root: Path) -> Iterator[Path]:
    """Files that a writer had begun when it was cut off."""
    for folder in ("meta", "data", "videos"):
        yield from sorted((root / folder).rglob("*" + SUFFIX))
