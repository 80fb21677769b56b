"""Who may open the page. The library that serves it asks nobody, so each request is looked at before it does.

Any web site that a person visits can send requests to this machine's loopback from their browser; so a request has to
name this machine, and a page's connection has to come from that page (against DNS rebinding and cross-site WebSocket
hijacking). Where others reach the port, the browser must have been given the token that the command prints.
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
    """Lets in who names this machine; and who has the `token`, where there is one, kept in a browser as `cookie`."""

    token: str = ""
    cookie: str = "worldarm"

    def refusal(self, request: Request) -> Response | None:
        """Return what to answer in place of what was asked for, None where it may be had."""
        host = request.headers.get("Host", "")
        if not self.token and _name(host) not in _HERE:
            return _answer(http.HTTPStatus.FORBIDDEN, "this page is at 127.0.0.1 or localhost alone")
        origin = request.headers.get("Origin")
        if _upgrades(request) and origin is not None and origin.partition("://")[2] != host:
            return _answer(http.HTTPStatus.FORBIDDEN, "another site's page may not connect here")
        if not self.token or self._same(self._kept(request)):
            return None
        given = parse_qs(request.path.partition("?")[2]).get("token", [""])[0]
        if not _upgrades(request) and self._same(given):
            # Out of the address, so that it is in no bookmark or history that others see.
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
    """Return `response`, which no other site's page may show within itself to have clicks on it."""
    response.headers["Content-Security-Policy"] = "frame-ancestors 'none'"
    response.headers["X-Frame-Options"] = "DENY"
    return response


def _name(host: str) -> str | None:
    """Return the name in a `Host`, without its port; None where it makes no sense."""
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
