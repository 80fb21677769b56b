"""Folders that appear completely or not at all: built under a temporary name, then renamed or exchanged.

An existing folder stays as it was until the last step, so that a crash or a full disk at any instant leaves it intact.
The temporary folder of a killed process is removed by the next command, or by a repair.
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
    """Return the temporary folder, on the same file system, in which `final` is built."""
    place = final.resolve()  # a link stays a link
    return place.with_name(f".{place.name}.tmp")


def require_new(final: Path) -> None:
    """Raise DatasetError when `final` exists already."""
    if final.is_symlink() or final.exists():
        raise DatasetError(f"{final} exists already: choose another folder, or move it away first")


@contextmanager
def new_folder(final: Path, lock: bool = True) -> Iterator[Path]:
    """A context that yields an empty folder to fill, which becomes `final`, durably, once the body ends.

    When the body raises, nothing is left. Without `lock` the file system need not support locks, and the caller ensures
    that no other process makes the same folder. Raises DatasetError when `final` exists or another process has it
    locked; RecordingError when it cannot be written.
    """
    require_new(final)
    with _as_recording_error(final, "cannot be written"), _staged(final, lock) as folder:
        yield folder
        sync_folders(folder)
        require_new(final)
        os.rename(folder, final.resolve())
        sync(folder.parent)


@contextmanager
def replaced_folder(final: Path) -> Iterator[Path]:
    """A context that yields an empty folder to fill, which replaces the folder `final` once the body ends.

    The two are exchanged in one step, so that a reader finds the old one or the new one; the old one is then removed.
    When the body raises, the old one stays. Raises the errors of `new_folder`, and RecordingError also when the file
    system cannot exchange folders.
    """
    with _as_recording_error(final, "cannot be changed, and is as it was"), _staged(final) as folder:
        yield folder
        sync_folders(folder)
        exchange(folder, final.resolve())
        with _as_recording_error(final, f"is changed, but what it was before is still in {folder}"):
            sync(folder.parent)
            shutil.rmtree(folder)


def exchange(first: Path, second: Path) -> None:
    """Exchange two folders of one file system in one step (`renameat2`). Raises OSError."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        raise OSError(errno.ENOSYS, "this system cannot exchange two folders in one step")
    if rename(_AT_FDCWD, os.fsencode(first), _AT_FDCWD, os.fsencode(second), _RENAME_EXCHANGE):
        number = ctypes.get_errno()
        if number in (errno.ENOSYS, errno.EINVAL):
            raise OSError(number, "this file system cannot exchange two folders in one step")
        raise OSError(number, os.strerror(number))


def clear_beside(final: Path) -> bool:
    """Remove the temporary folder that a killed process left for `final`; return whether there was one.

    Raises DatasetError when a process is still writing it, OSError when it cannot be removed.
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
    """Yield the empty temporary folder for `final`, locked with `lock`, and remove what remains of it at the end."""
    folder = beside(final)
    if folder.is_symlink():
        raise DatasetError(f"{folder}, in which {final} is built, is a link: remove it")
    make_durable_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    held = lock_folder(folder) if lock else os.open(folder, os.O_RDONLY)
    try:
        for entry in list(folder.iterdir()):  # of a killed process
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
        yield folder
    finally:
        # Unless another process has a folder of this name by now. On a failing disk removing may fail too; the next
        # command or a repair then removes it.
        if folder.exists() and os.path.samestat(os.fstat(held), os.stat(folder)):
            shutil.rmtree(folder, ignore_errors=True)
        os.close(held)


@contextmanager
def _as_recording_error(final: Path, what: str) -> Iterator[None]:
    """A context that turns an OSError into a RecordingError about `final`."""
    try:
        yield
    except OSError as error:
        raise RecordingError(f"{final} {what}: {error.strerror or error}") from error
