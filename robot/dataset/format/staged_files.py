"""Files that appear completely or not at all: each is written as NAME.tmp, then renamed, in a chosen order."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from robot.dataset.format.paths import inside
from robot.errors import DatasetError
from robot.system.files import sync, write_durable

SUFFIX = ".tmp"


class Staging:
    """A batch of files to write into `root`.

    `add` writes a file under its temporary name; `publish` renames some of them to their final names, in the order
    given; `discard` removes those that were not published. With `durable`, contents and renames reach the disk before
    `publish` returns, so that the order survives a power cut; without it, the order survives any other crash.
    """

    def __init__(self, root: Path, durable: bool) -> None:
        self._root = root
        self._durable = durable
        self._waiting: dict[str, Path] = {}

    def add(self, relative: str, data: bytes) -> None:
        """Write `data` under the temporary name of `relative`.

        Raises OSError (disk full, read-only), and DatasetError when a link leads out of the set there.
        """
        final = inside(self._root, relative)
        if not final.parent.is_dir():
            make_durable_folder(final.parent, self._durable)
        staged = inside(self._root, relative + SUFFIX)
        self._waiting[relative] = staged
        if self._durable:
            write_durable(staged, data)
        else:
            staged.write_bytes(data)

    def publish(self, *relatives: str) -> None:
        """Rename these files to their final names, in this order. Raises OSError; those already renamed stay."""
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
    """Make `folder` and its absent parents; with `durable`, their entries reach the disk. Raises OSError."""
    missing = [path for path in (folder, *folder.parents) if not path.is_dir()]
    folder.mkdir(parents=True, exist_ok=True)
    if durable:
        for path in missing:
            sync(path.parent)


def replace_file(root: Path, relative: str, data: bytes, durable: bool = True) -> None:
    """Write one file atomically. Raises OSError; the old file then stays as it was."""
    staging = Staging(root, durable)
    try:
        staging.add(relative, data)
        staging.publish(relative)
    finally:
        staging.discard()


def lock_folder(root: Path, shared: bool = False) -> int:
    """Lock a data set against other writers; return a descriptor that holds the lock until it is closed.

    shared: lock for reading; several readers may share the lock, and no writer can take it meanwhile.
    The kernel releases the lock when the process ends, even after a crash. Raises DatasetError when another process
    holds the lock, or when the file system does not lock folders, as some network file systems do not.
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
            f"the folder {root} cannot be locked against other writers ({error.strerror}); use a file system that "
            "locks folders; local disks do, network file systems may not"
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
    """Yield the temporary files that an interrupted writer left."""
    for folder in ("meta", "data", "videos"):
        yield from sorted((root / folder).rglob("*" + SUFFIX))
