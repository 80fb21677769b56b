"""A process stopped at its k-th system call that writes: killed there, or told there that the disk is full.

The process is traced (ptrace, seccomp), so what it does is what it does by itself, libraries, threads and all. Counted
are the calls that change files: making, writing, syncing, cutting, linking, renaming and removing them.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import signal
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

TRACEABLE = sys.platform == "linux" and platform.machine() == "x86_64"

_TRACEME, _CONT, _GETREGS, _SETREGS, _SETOPTIONS = 0, 7, 12, 13, 0x4200
_TRACECLONE, _TRACESECCOMP, _EXITKILL = 0x8, 0x80, 0x100000
_EVENT_SECCOMP = 7
_WALL = 0x40000000
_SET_NO_NEW_PRIVS, _SET_SECCOMP, _FILTER = 38, 22, 2
_ALLOW, _TRACE = 0x7FFF0000, 0x7FF00000
_WRITES_TO = {1: "write", 18: "pwrite64", 20: "writev", 74: "fsync", 75: "fdatasync", 77: "ftruncate", 285: "fallocate",
              296: "pwritev"}  # fmt: skip
_COPIES_TO = {40: "sendfile", 326: "copy_file_range"}
_CHANGES = {76: "truncate", 82: "rename", 83: "mkdir", 84: "rmdir", 85: "creat", 86: "link", 87: "unlink",
            88: "symlink", 258: "mkdirat", 263: "unlinkat", 264: "renameat", 265: "linkat", 266: "symlinkat",
            316: "renameat2"}  # fmt: skip
_OPENS = {2: "open", 257: "openat"}
_NEED_NO_ROOM = ("unlink", "unlinkat", "rmdir", "ftruncate")
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
            _stop_at_calls([*_WRITES_TO, *_COPIES_TO, *_CHANGES, *_OPENS])
            work()
            status = 0
        finally:
            os._exit(status)
    os.waitpid(child, 0)
    _ptrace(_SETOPTIONS, child, _TRACESECCOMP | _TRACECLONE | _EXITKILL)
    calls: list[str] = []
    thread, deliver = child, 0
    while True:
        with suppress(ProcessLookupError):  # killed below, and gone already
            _ptrace(_CONT, thread, deliver)
        thread, state = os.waitpid(-1, _WALL)
        while not os.WIFSTOPPED(state):
            if thread == child:
                return Run(tuple(calls), os.WEXITSTATUS(state) if os.WIFEXITED(state) else None)
            thread, state = os.waitpid(-1, _WALL)
        event, deliver = state >> 16, os.WSTOPSIG(state)
        if event or deliver == signal.SIGSTOP:  # a new thread begins with a stop that is not for it
            deliver = 0
        if event == _EVENT_SECCOMP and (name := _writing(child, registers := _registers(thread))) is not None:
            calls.append(name)
            if len(calls) == stop_at and not full_disk:
                os.kill(child, signal.SIGKILL)  # before the call is carried out
            elif len(calls) == stop_at and name not in _NEED_NO_ROOM:
                registers.orig_rax, registers.rax = _NO_SUCH_CALL, 2**64 - errno.ENOSPC
                _ptrace_to(_SETREGS, thread, registers)


def _stop_at_calls(numbers: list[int]) -> None:
    """Let the tracer of this process and of its threads see these system calls, and no others (seccomp)."""
    load, equal, answer = 0x20, 0x15, 0x06
    program = [(load, 0, 0, 0)]  # the call's number
    program += [(equal, len(numbers) - place, 0, number) for place, number in enumerate(numbers)]
    program += [(answer, 0, 0, _ALLOW), (answer, 0, 0, _TRACE)]
    filters = b"".join(struct.pack("HBBI", *instruction) for instruction in program)
    array = ctypes.create_string_buffer(filters, len(filters))
    head = struct.pack("HxxxxxxP", len(program), ctypes.addressof(array))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    for arguments in ((_SET_NO_NEW_PRIVS, 1, 0, 0, 0), (_SET_SECCOMP, _FILTER, ctypes.c_char_p(head), 0, 0)):
        if prctl(*arguments):
            raise OSError(ctypes.get_errno(), "prctl")


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
