"""The page's server: viser's, at an address that no other process uses, behind access control that is tested first."""

from __future__ import annotations

import contextlib
import http.client
import io
import secrets
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any

import viser
import websockets.asyncio.server
from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from robot.errors import AddressInUse, ConfigurationError
from robot.web.access_guard import Guard, unframed

_PATIENCE_S = 5.0
_TOKEN_BYTES = 16
_starting = threading.Lock()


class _Quiet(viser.ViserServer):
    """viser's server, without its feature to publish the page through a third party's host on the internet."""

    def request_share_url(self, verbose: bool = True) -> str | None:
        """Return None: the page has no public address."""
        return None


class PageServer:
    """Serves a page at `host` and `port` (0: the system chooses one). `viser` is the server to fill, `url` the address
    to open.

    On this machine's loopback everyone may open the page who can run a browser here; elsewhere the token in `url` is
    required. Raises `AddressInUse` when another process has the port, and `ConfigurationError` when `host` is not an
    address of this machine, or when the access control does not work with this version of viser.
    """

    def __init__(self, host: str, port: int, label: str) -> None:
        bound = _bound(host, port)
        at, port = bound.getsockname()[:2]
        loopback = at == "::1" or at.startswith("127.")
        guard = Guard("" if loopback else secrets.token_urlsafe(_TOKEN_BYTES), f"worldarm-{port}")
        self.port = port
        # viser itself would take the next port when this one is in use, and has no access control.
        with _starting, _serving_guarded(bound, guard), contextlib.redirect_stdout(io.StringIO()):
            self.viser = _Quiet(host=host, port=port, label=label, verbose=False)
        try:
            _try(at, port, guard)
        except BaseException:
            self.close()
            raise
        named = socket.gethostname() if at in ("0.0.0.0", "::") else f"[{at}]" if ":" in at else at
        self.url = f"http://{named}:{port}/{f'?token={guard.token}' if guard.token else ''}"
        self.open_to_others = not loopback

    def close(self) -> None:
        """Close all connections and release the port."""
        with contextlib.redirect_stdout(io.StringIO()):
            self.viser.stop()

    def __enter__(self) -> PageServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _bound(host: str, port: int) -> socket.socket:
    if not 0 <= port <= 65535:
        raise ConfigurationError(f"--port must be from 0 to 65535, not {port}")
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        where = f"{host}:{port}"
        if error.errno == 98:  # EADDRINUSE
            raise AddressInUse(
                f"{where} is held by another process; stop that one, or choose another --port"
            ) from error
        raise ConfigurationError(f"{where} cannot be bound: {error.strerror or error}") from error


@contextlib.contextmanager
def _serving_guarded(bound: socket.socket, guard: Guard) -> Any:
    """A context in which every websockets server uses the socket `bound` and the access control `guard`."""
    serve = websockets.asyncio.server.serve

    def guarded(handler: Any, host: Any, port: Any, *, process_request: Callable[..., Any], **options: Any) -> Any:
        def asked(connection: ServerConnection, request: Request) -> Response | None:
            answer = guard.refusal(request) or process_request(connection, request)
            return unframed(answer) if answer is not None else None

        return serve(handler, sock=bound, process_request=asked, **options)

    websockets.asyncio.server.serve = guarded  # type: ignore[misc, assignment]
    try:
        yield
    finally:
        websockets.asyncio.server.serve = serve  # type: ignore[misc]


def _try(host: str, port: int, guard: Guard) -> None:
    """Raise `ConfigurationError` unless unauthorised requests are refused: another viser might bypass the guard."""
    for headers in ({"Host": "stranger.example"}, {"Upgrade": "websocket", "Origin": "http://stranger.example"}):
        asked = http.client.HTTPConnection({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port, _PATIENCE_S)
        try:
            asked.request("GET", "/", headers=headers)
            status = asked.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            raise ConfigurationError(f"the page at {host}:{port} does not answer: {error}") from error
        finally:
            asked.close()
        if status not in (401, 403):
            raise ConfigurationError(
                f"this viser ({viser.__version__}) admits unauthorised requests ({status}); install a supported one: "
                "pip install 'worldarm[web]'"
            )
