"""Whole folders that appear at once or not at all: built beside their place, then renamed or exchanged.

What is there stays as it was until the last step, so a crash or a full disk at any instant leaves it whole. What a
killed process leaves beside it is cleared away by the next one, or by a repair.
"""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from robot.dataset.format.staged_files import lock_folder, make_durable_folder
from robot.errors import DatasetError, RecordingError
from robot.system.files import sync

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def beside(final: Path) -> Path:
    """The folder in which what shall be `final` is built, on the same file system."""
    place = final.resolve()  # a link stays a link
    return place.with_name(f".{place.name}.tmp")


def require_new(final: Path) -> None:
    """Raise DatasetError when something is at `final` already, or when it has no name that a folder can have."""
    if final.is_symlink() or final.exists():
        raise DatasetError(f"{final} exists already: choose another folder, or move it away first")


@contextmanager
def new_folder(final: Path, lock: bool = True) -> Iterator[Path]:
    """A context that yields an empty folder to fill, which is on the disk as `final` once the body ends.

    When the body raises, nothing is left. Without `lock` the file system need not lock folders, and the caller sees to
    it that no other process makes the same folder. Raises DatasetError when `final` exists or another process has it
    locked; RecordingError when it cannot be written.
    """
    require_new(final)
    with _told(final, "cannot be written"), _staged(final, lock) as folder:
        yield folder
        sync_folders(folder)
        require_new(final)
        os.rename(folder, final.resolve())
        sync(folder.parent)


@contextmanager
def replaced_folder(final: Path) -> Iterator[Path]:
    """A context that yields an empty folder to fill, which takes the place of the folder `final` once the body ends.

    The two are exchanged in one step, so that a reader finds the old one or the new one; the old one is then removed.
    When the body raises, the old one stays. Raises as `new_folder`, RecordingError also where the file system cannot
    exchange folders.
    """
    with _told(final, "cannot be changed, and is as it was"), _staged(final) as folder:
        yield folder
        sync_folders(folder)
        exchange(folder, final.resolve())
        with _told(final, f"is changed, but what it was before is still in {folder}"):
            sync(folder.parent)
            shutil.rmtree(folder)


def exchange(first: Path, second: Path) -> None:
    """Let two folders of one file system change places in one step (`renameat2`). Raises OSError."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        raise OSError(errno.ENOSYS, "this system cannot exchange two folders in one step")
    if rename(_AT_FDCWD, os.fsencode(first), _AT_FDCWD, os.fsencode(second), _RENAME_EXCHANGE):
        number = ctypes.get_errno()
        if number in (errno.ENOSYS, errno.EINVAL):
            raise OSError(number, "this file system cannot exchange two folders in one step")
        raise OSError(number, os.strerror(number))


def clear_beside(final: Path) -> bool:
    """Remove what a killed process left beside `final`; whether there was something.

    Raises DatasetError when a process is at work there, OSError when it cannot be removed.
    """
    folder = beside(final)
    if not os.path.isdir(folder):
        return False
    lock = lock_folder(folder)
    try:
        shutil.rmtree(folder)
    finally:
        os.close(lock)
    return True


def sync_folders(root: Path) -> None:
    """Make the entries of `root` and all folders below it durable; their files must be so already. Raises OSError."""
    for folder, _, _ in os.walk(root):
        sync(Path(folder))


@contextmanager
def _staged(final: Path, lock: bool = True) -> Iterator[Path]:
    """Yield the empty folder beside `final`, locked with `lock`, and see that nothing of it stays there."""
    folder = beside(final)
    make_durable_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    held = lock_folder(folder) if lock else os.open(folder, os.O_RDONLY)
    try:
        for entry in list(folder.iterdir()):  # of a killed process
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
        yield folder
    finally:
        # Not what has taken its name since: another process's folder. On a failing disk even removing may fail; the
        # next command or a repair clears it.
        if folder.exists() and os.path.samestat(os.fstat(held), os.stat(folder)):
            shutil.rmtree(folder, ignore_errors=True)
        os.close(held)


@contextmanager
def _told(final: Path, what: str) -> Iterator[None]:
    """A context in which what the system refuses is told as a RecordingError."""
    try:
        yield
    except OSError as error:
        raise RecordingError(f"{final} {what}: {error.strerror or error}") from error
