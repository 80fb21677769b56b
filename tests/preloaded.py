"""Processes of the product's commands that share what importing costs: forks of one process that has imported it all.

To import what a command needs takes up to four seconds of a core; a fork of a process that has it, hundredths of one.
What is about starting itself (`tests/test_cli.py`) starts an interpreter.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import importlib
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO

import msgspec

_ROOT = Path(__file__).parents[1]
_MOST_BYTES = 2**18
_MODULES = ("pybullet", "viser", "tests.robot.driver.command")
_INHERITED = (signal.SIGINT, signal.SIGHUP, signal.SIGTERM)
_servers: dict[int, socket.socket] = {}


class _Request(msgspec.Struct):
    words: list[str]
    env: dict[str, str]
    cwd: str
    at_terminal: bool
    ignored: Sequence[int]


class Preloaded:
    """A running `python WORDS`, where the words are `-m MODULE …` or `SCRIPT …`, with pipes for its three streams, or
    at the `terminal` that is given, in a session of its own.

    Its methods are those of `subprocess.Popen`.
    """

    stdin: IO[str]
    stdout: IO[str]
    stderr: IO[str]

    def __init__(
        self, words: Sequence[str], env: Mapping[str, str], cwd: Path = _ROOT, terminal: int | None = None
    ) -> None:
        self.args = list(words)
        self.returncode: int | None = None
        self._end, theirs = socket.socketpair()
        ignored = [number for number in _INHERITED if signal.getsignal(number) == signal.SIG_IGN]
        request = _Request(self.args, dict(env), str(cwd), terminal is not None, ignored)
        with theirs, ExitStack() as given:
            if terminal is None:
                (in_read, in_write), (out_read, out_write), (err_read, err_write) = (os.pipe() for _ in range(3))
                streams = [in_read, out_write, err_write]
                for each in streams:
                    given.callback(os.close, each)
                self.stdin = os.fdopen(in_write, "w")
                self.stdout, self.stderr = os.fdopen(out_read), os.fdopen(err_read)
            else:
                streams = [terminal] * 3
            socket.send_fds(_server(), [msgspec.json.encode(request)], [*streams, theirs.fileno()])
        self.pid = int(self._end.recv(100))

    def poll(self) -> int | None:
        """Return the exit status, or None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0.0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit status once it has ended. Raises `subprocess.TimeoutExpired`."""
        if self.returncode is None:
            waiting = select.poll()  # `select.select` takes no descriptor above 1023
            waiting.register(self._end, select.POLLIN)
            if not waiting.poll(None if timeout is None else 1e3 * timeout):
                raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
            self.returncode = os.waitstatus_to_exitcode(int(self._end.recv(100)))
            self._end.close()
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Close its input, and return what it writes to its two streams until it ends."""
        deadline = None if timeout is None else time.monotonic() + timeout
        with contextlib.suppress(BrokenPipeError):
            self.stdin.close()
        found: dict[IO[str], str] = {}

        def read(stream: IO[str]) -> None:
            found[stream] = "" if stream.closed else stream.read()

        threads = [threading.Thread(target=read, args=(each,), daemon=True) for each in (self.stdout, self.stderr)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(None if deadline is None else max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
        self.wait(None if deadline is None else max(0.0, deadline - time.monotonic()))
        result = found[self.stdout], found[self.stderr]
        self.stdout.close()
        self.stderr.close()
        return result

    def send_signal(self, number: int) -> None:
        """Send a signal; nothing happens when it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)


def run(words: Sequence[str], env: Mapping[str, str], seconds: float) -> subprocess.CompletedProcess[str]:
    """Run `python WORDS` to its end. Raises `subprocess.TimeoutExpired`, with the process killed, after `seconds`."""
    process = Preloaded(words, env)
    try:
        out, err = process.communicate(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return subprocess.CompletedProcess(process.args, process.wait(), out, err)


def _server() -> socket.socket:
    """The connection to this process's server, started by the first who asks."""
    if os.getpid() not in _servers:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        environment = {**os.environ, "PYTHONPATH": str(_ROOT)}
        with theirs:
            words = [sys.executable, "-m", "tests.preloaded", str(theirs.fileno())]
            # PyBullet greets on standard output.
            subprocess.Popen(words, cwd=_ROOT, env=environment, pass_fds=[theirs.fileno()], stdout=subprocess.DEVNULL)
        _servers[os.getpid()] = ours
    return _servers[os.getpid()]


def _serve(requests: socket.socket) -> _Request:
    """Fork for each request, and return what was requested in the fork. Ends the process when nobody asks any more."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    gc.collect()
    gc.freeze()
    while True:
        request, handles, _, _ = socket.recv_fds(requests, _MOST_BYTES, 4)
        if not request:
            os._exit(0)
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            requests.close()
            _wait_for_fork(handles)
            return msgspec.json.decode(request, type=_Request)
        for each in handles:
            os.close(each)


def _wait_for_fork(handles: Sequence[int]) -> None:
    """Fork again: return in the fork, with its streams in place; report its number and its end to who asked for it."""
    *streams, status = handles
    child = os.fork()
    if child == 0:
        for number, each in enumerate(streams):
            os.dup2(each, number)
        for each in handles:
            os.close(each)
        return
    for each in streams:
        os.close(each)
    for number in range(3):
        os.close(number)  # who reads what the fork writes is to see its end
    try:
        os.write(status, str(child).encode())
        _, how = os.waitpid(child, 0)
        os.write(status, str(how).encode())
    finally:
        os._exit(0)


def _become(request: _Request) -> None:
    """Run what was requested as an interpreter of its own would."""
    for number in _INHERITED:
        usual = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
        signal.signal(number, signal.SIG_IGN if number in request.ignored else usual)
    if request.at_terminal:
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    # Those of the server were made for its own streams.
    encoding = sys.stdout.encoding
    sys.stdin = os.fdopen(0, encoding=encoding, closefd=False)
    sys.stdout = os.fdopen(1, "w", 1 if os.isatty(1) else -1, encoding=encoding, closefd=False)
    sys.stderr = os.fdopen(2, "w", 1, encoding=encoding, errors="backslashreplace", closefd=False)
    os.environ.clear()
    os.environ.update(request.env)
    os.chdir(request.cwd)
    is_module = request.words[0] == "-m"
    first = request.cwd if is_module else str(Path(request.words[0]).parent)
    given = [each for each in request.env.get("PYTHONPATH", "").split(os.pathsep) if each]
    sys.path[:] = list(dict.fromkeys((first, *given, *(each for each in sys.path if each != str(_ROOT)))))
    importlib.invalidate_caches()
    sys.argv[:] = request.words[1:] if is_module else request.words
    if is_module:
        runpy.run_module(request.words[1], run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(request.words[0], run_name="__main__")


if __name__ == "__main__":
    from worldarm import COMMANDS

    for module in (*(where.partition(":")[0] for where, _ in COMMANDS.values()), *_MODULES):
        importlib.import_module(module)
    _become(_serve(socket.socket(fileno=int(sys.argv[1]))))
