"""Access control of the page: each request is checked before the serving library, which has no access control, sees it.

Any web site that a person visits can send requests to this machine's loopback from the person's browser. So a request
must name this machine as its host, and a WebSocket connection must come from the page itself (against DNS rebinding and
cross-site WebSocket hijacking). Where other machines reach the port, the browser must also have the token that the
command prints.
"""

from __future__ import annotations

import hmac
import http
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlsplit

from websockets.datastructures import Headers
from websockets.http11 import Request, Response

_HERE = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True)
class Guard:
    """Admits requests that name this machine and, where there is a `token`, have it; browsers keep it in `cookie`."""

    token: str = ""
    cookie: str = "worldarm"

    def refusal(self, request: Request) -> Response | None:
        """Return the response that refuses `request`, None when the request is admitted."""
        host = request.headers.get("Host", "")
        if not self.token and _name(host) not in _HERE:
            return _answer(http.HTTPStatus.FORBIDDEN, "open this page as http://127.0.0.1 or http://localhost")
        origin = request.headers.get("Origin")
        if _upgrades(request) and origin is not None and origin.partition("://")[2] != host:
            return _answer(http.HTTPStatus.FORBIDDEN, "another site's page may not connect here")
        if not self.token or self._same(self._kept(request)):
            return None
        given = parse_qs(request.path.partition("?")[2]).get("token", [""])[0]
        if not _upgrades(request) and self._same(given):
            # Remove the token from the address, so that it is in no bookmark or history.
            answer = _answer(http.HTTPStatus.SEE_OTHER, "")
            answer.headers["Location"] = "/"
            answer.headers["Set-Cookie"] = f"{self.cookie}={self.token}; HttpOnly; SameSite=Strict; Path=/"
            return answer
        return _answer(http.HTTPStatus.UNAUTHORIZED, "open the address that the command printed, with its token")

    def _kept(self, request: Request) -> str:
        try:
            jar = SimpleCookie("; ".join(request.headers.get_all("Cookie")))
        except CookieError:
            return ""
        return jar[self.cookie].value if self.cookie in jar else ""

    def _same(self, word: str) -> bool:
        return hmac.compare_digest(word.encode(), self.token.encode())


def unframed(response: Response) -> Response:
    """Return `response` with headers that forbid other sites to embed it (against clickjacking)."""
    response.headers["Content-Security-Policy"] = "frame-ancestors 'none'"
    response.headers["X-Frame-Options"] = "DENY"
    return response


def _name(host: str) -> str | None:
    """Return the name in a `Host` header, without its port; None when it is malformed."""
    try:
        return None if "@" in host else urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def _upgrades(request: Request) -> bool:
    return request.headers.get("Upgrade", "").lower() == "websocket"


def _answer(status: http.HTTPStatus, words: str) -> Response:
    body = f"{words}\n".encode()
    headers = Headers({"Content-Type": "text/plain; charset=utf-8", "Content-Length": str(len(body))})
    return Response(status.value, status.phrase, headers, body)
