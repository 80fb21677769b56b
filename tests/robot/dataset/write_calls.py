"""A process stopped at its k-th system call that writes: killed there, or told there that the disk is full.

The process is traced (ptrace), so what it does is what it does by itself, libraries and all. Counted are the calls of
its main thread that change files: making, writing, syncing, cutting, linking, renaming and removing them.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass

TRACEABLE = sys.platform == "linux" and platform.machine() == "x86_64"

_TRACEME, _CONT, _GETREGS, _SETREGS, _SYSCALL, _SETOPTIONS = 0, 7, 12, 13, 24, 0x4200
_SYSGOOD, _EXITKILL = 0x1, 0x100000
_WRITES_TO = {1: "write", 18: "pwrite64", 20: "writev", 74: "fsync", 75: "fdatasync", 77: "ftruncate", 285: "fallocate",
              296: "pwritev"}  # fmt: skip
_COPIES_TO = {40: "sendfile", 326: "copy_file_range"}
_CHANGES = {76: "truncate", 82: "rename", 83: "mkdir", 84: "rmdir", 85: "creat", 86: "link", 87: "unlink",
            88: "symlink", 258: "mkdirat", 263: "unlinkat", 264: "renameat", 265: "linkat", 266: "symlinkat",
            316: "renameat2"}  # fmt: skip
_OPENS = {2: "open", 257: "openat"}
_NO_SUCH_CALL = 2**64 - 1


_NAMES = (
    *("r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8", "rax", "rcx", "rdx", "rsi", "rdi"),
    *("orig_rax", "rip", "cs", "eflags", "rsp", "ss", "fs_base", "gs_base", "ds", "es", "fs", "gs"),
)


class _Registers(ctypes.Structure):
    """`struct user_regs_struct` of x86-64."""

    _fields_ = [(name, ctypes.c_ulonglong) for name in _NAMES]


@dataclass(frozen=True)
class Run:
    """How it went: the `calls` that write up to the end, by name, and the exit `status` (None when it was killed)."""

    calls: tuple[str, ...]
    status: int | None


def run_to_call(work: Callable[[], None], stop_at: int | None, full_disk: bool = False) -> Run:
    """Run `work` in a fork of this process up to its call number `stop_at` (from 1), at which it is killed.

    full_disk: that call is not made but fails with ENOSPC, once, where it is one that needs room; the work goes on.
    Without `stop_at` it runs to its end. The status is 1 when the work raised.
    """
    child = os.fork()
    if child == 0:
        status = 1
        try:
            _ptrace(_TRACEME, 0, 0)
            os.kill(os.getpid(), signal.SIGSTOP)
            work()
            status = 0
        finally:
            os._exit(status)
    os.waitpid(child, 0)
    _ptrace(_SETOPTIONS, child, _SYSGOOD | _EXITKILL)
    calls: list[str] = []
    entering, deliver = True, 0
    while True:
        _ptrace(_SYSCALL, child, deliver)
        _, state = os.waitpid(child, 0)
        if os.WIFSIGNALED(state):
            return Run(tuple(calls), None)
        if os.WIFEXITED(state):
            return Run(tuple(calls), os.WEXITSTATUS(state))
        deliver = os.WSTOPSIG(state)
        if deliver != signal.SIGTRAP | 0x80:
            continue
        deliver = 0
        if entering:
            registers = _registers(child)
            name = _writing(child, registers)
            if name is not None:
                calls.append(name)
                if len(calls) == stop_at:
                    if not full_disk:
                        os.kill(child, signal.SIGKILL)  # before the call is carried out
                        os.waitpid(child, 0)
                        return Run(tuple(calls), None)
                    if name not in ("unlink", "unlinkat", "rmdir", "ftruncate"):  # which need no room
                        _fail(child, registers)
                        continue  # its exit has been seen
        entering = not entering


def _fail(child: int, registers: _Registers) -> None:
    """Let the call that `child` is about to make fail for want of space."""
    registers.orig_rax = _NO_SUCH_CALL
    _ptrace_to(_SETREGS, child, registers)
    _ptrace(_SYSCALL, child, 0)
    os.waitpid(child, 0)
    registers = _registers(child)
    registers.rax = 2**64 - errno.ENOSPC
    _ptrace_to(_SETREGS, child, registers)


def _writing(child: int, registers: _Registers) -> str | None:
    """Name of the call that `child` is about to make, if it changes a file."""
    number = int(registers.orig_rax)
    if number in _CHANGES:
        return _CHANGES[number]
    if number in _OPENS:
        flags = registers.rsi if number == 2 else registers.rdx
        return _OPENS[number] if flags & (os.O_CREAT | os.O_TRUNC) else None
    if number in _WRITES_TO:
        return _WRITES_TO[number] if _is_file(child, registers.rdi) else None
    if number in _COPIES_TO:
        return _COPIES_TO[number] if _is_file(child, registers.rdi if number == 40 else registers.rdx) else None
    return None


def _is_file(child: int, descriptor: int) -> bool:
    """Whether it is a file or folder, and not a pipe, a terminal or the like."""
    place = os.readlink(f"/proc/{child}/fd/{descriptor}")
    return place.startswith("/") and not place.startswith(("/dev/", "/proc/"))


def _registers(child: int) -> _Registers:
    registers = _Registers()
    _ptrace_to(_GETREGS, child, registers)
    return registers


def _ptrace(request: int, child: int, data: int) -> None:
    _call(request, child, ctypes.c_void_p(data))


def _ptrace_to(request: int, child: int, registers: _Registers) -> None:
    _call(request, child, ctypes.byref(registers))


def _call(request: int, child: int, data: object) -> None:
    ptrace = ctypes.CDLL(None, use_errno=True).ptrace
    ptrace.restype = ctypes.c_long
    if ptrace(ctypes.c_long(request), ctypes.c_long(child), None, data) == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"ptrace: {os.strerror(number)}")
