"""A way to stop an arm from its own machine that shares nothing with the network: one datagram to a Unix socket.

It needs no connection, no key and no free file descriptor of the driver, so that it gets through however busy the
driver's other sockets are. The folder of the sockets belongs to the user of the driver alone.
"""

from __future__ import annotations

import os
import socket
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from robot.errors import ConfigurationError
from robot.system.text import printable
from robot.wire import sockets
from robot.wire.limits import MAX_REASON_LENGTH

_STOPPED, _UNABLE = b"stopped", b"unable"
_MAX_BYTES = 4 * MAX_REASON_LENGTH
_EVERYWHERE = "any"


class LocalStop:
    """The driver's end, for the command socket at `endpoint`. Raises `ConfigurationError` when it cannot be made."""

    def __init__(self, endpoint: str) -> None:
        self._path = _path(endpoint)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            _make_private(self._path.parent)
            self._path.unlink(missing_ok=True)  # of a driver that was killed: the port is this driver's now
            self._socket.bind(str(self._path))
        except OSError as error:
            self._socket.close()
            raise ConfigurationError(
                f"{self._path} cannot be made, by which `worldarm stop` reaches a busy driver: {error.strerror}"
            ) from error

    def asked(self, able: bool) -> str | None:
        """Return the reason of a stop that was asked for, None when there is none, without waiting. A driver that is
        not `able` to stop the arm says so; None is returned then."""
        try:
            data, sender = self._socket.recvfrom(_MAX_BYTES)
        except BlockingIOError:
            return None
        with suppress(OSError):  # who asked may have gone; the arm stops all the same
            self._socket.sendto(_STOPPED if able else _UNABLE, sender)
        if not able:
            return None
        return printable(data.decode(errors="replace"), MAX_REASON_LENGTH) or "stopped on this machine"

    def close(self) -> None:
        """Remove the socket."""
        self._path.unlink(missing_ok=True)
        self._socket.close()


def stop_locally(address: str, reason: str, timeout_s: float = 1.0) -> bool:
    """Stop the driver whose command socket is at `address`, if it runs on this machine as this user; return whether it
    confirmed that within `timeout_s`. Raises `ConfigurationError` for an invalid address."""
    where = sockets.parse(address)
    if not where.loopback or where.port in ("*", "0"):
        return False
    for path in (_path(address), _path(where._replace(host="0.0.0.0").endpoint)):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as asking:
            asking.settimeout(timeout_s)
            with suppress(OSError):  # no such driver, or one of another user
                asking.bind("")  # Linux gives it a name, to which the answer comes
                asking.sendto(reason.encode()[:_MAX_BYTES], str(path))
                if asking.recv(len(_STOPPED)) == _STOPPED:
                    return True
    return False


def _path(endpoint: str) -> Path:
    """Return the socket of the driver whose command socket is at `endpoint`."""
    where = sockets.parse(endpoint)
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    folder = (
        Path(runtime) / "worldarm"
        if os.path.isabs(runtime) and os.path.isdir(runtime)
        else Path(tempfile.gettempdir()) / f"worldarm-{os.getuid()}"
    )
    host = _EVERYWHERE if where.everywhere else where.host.replace(":", "_")
    return folder / f"stop-{host}-{where.port}"


def _make_private(folder: Path) -> None:
    """Make `folder` for this user alone. Raises `OSError`, also when it is another user's."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise PermissionError(13, f"{folder} is not a folder of this user alone")
