"""A stand-in for the hub: what its real client asks for to push and pull a data set, over HTTP, kept in memory."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import unquote, urlparse


class Hub:
    """repos: by name, whether private, and the files. commits: how many were made. broken: paths cut off half-way.
    claimed: sizes that it claims of files, in place of their own."""

    def __init__(self) -> None:
        self.private: dict[str, bool] = {}
        self.repos: dict[str, dict[str, bytes]] = {}
        self.tags: dict[str, dict[str, str]] = {}
        self.commits = 0
        self.broken: set[str] = set()
        self.claimed: dict[str, int] = {}
        self.endpoint = ""


@contextmanager
def running_hub() -> Iterator[Hub]:
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            path = unquote(urlparse(self.path).path)
            if path == "/api/repos/create":
                wanted = json.loads(body)
                name = f"{wanted['organization']}/{wanted['name']}" if wanted.get("organization") else wanted["name"]
                told = {"url": f"{hub.endpoint}/datasets/{name}"}
                if name in hub.repos:
                    return self._json({**told, "error": "exists already"}, 409)
                private = bool(wanted.get("private")) or wanted.get("visibility") == "private"
                hub.repos[name], hub.private[name], hub.tags[name] = {}, private, {}
                return self._json(told)
            name, verb, *rest = self._parts(path)
            if verb == "preupload":
                files = [
                    {"path": one["path"], "uploadMode": "regular", "shouldIgnore": False}
                    for one in json.loads(body)["files"]
                ]
                return self._json({"files": files})
            if verb == "commit":
                for line in body.decode().splitlines():
                    entry = json.loads(line)
                    if entry["key"] == "file":
                        hub.repos[name][entry["value"]["path"]] = base64.b64decode(entry["value"]["content"])
                    elif entry["key"] == "deletedFile":
                        del hub.repos[name][entry["value"]["path"]]
                hub.commits += 1
                url = f"{hub.endpoint}/datasets/{name}/commit/{self._sha()}"
                return self._json({"commitUrl": url, "commitOid": self._sha(), "pullRequestUrl": None})
            if verb == "tag":
                hub.tags[name][json.loads(body)["tag"]] = rest[0]
                return self._json({})
            if path == "/api/validate-yaml":
                return self._json({"errors": [], "warnings": []})
            return self._json({"error": path}, 404)

        def do_DELETE(self) -> None:
            name, _, tag = self._parts(unquote(urlparse(self.path).path))
            del hub.tags[name][tag]
            self._json({})

        def do_HEAD(self) -> None:
            self.do_GET(head=True)

        def do_GET(self, head: bool = False) -> None:
            path = unquote(urlparse(self.path).path)
            name, verb, *rest = self._parts(path)
            if name not in hub.repos:
                return self._json({"error": "Repository not found"}, 404, {"X-Error-Code": "RepoNotFound"})
            files = hub.repos[name]
            if verb in ("", "revision"):
                siblings = [{"rfilename": f, "size": hub.claimed.get(f, len(d))} for f, d in files.items()]
                about = {"id": name, "sha": self._sha(), "private": hub.private[name], "siblings": siblings}
                return self._json({**about, "tags": [], "disabled": False, "downloads": 0, "likes": 0})
            if verb == "tree":
                return self._json([{"type": "file", "path": f, "size": len(d), "oid": "0"} for f, d in files.items()])
            if verb == "refs":
                tags = [{"name": t, "ref": f"refs/tags/{t}", "targetCommit": c} for t, c in hub.tags[name].items()]
                return self._json({"branches": [], "converts": [], "tags": tags})
            file = "/".join(rest[1:])
            data = files[file]
            self.send_response(200)
            self.send_header("X-Repo-Commit", self._sha())
            self.send_header("ETag", f'"{hashlib.sha1(data).hexdigest()}"')
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if not head:
                self.wfile.write(data[: len(data) // 2] if file in hub.broken else data)
                self.close_connection = file in hub.broken
            return None

        def _sha(self) -> str:
            return f"{hub.commits:040x}"

        def _parts(self, path: str) -> tuple[str, ...]:
            """Name of the repository, what is asked of it, and of what."""
            words = path.removeprefix("/api").strip("/").split("/")[1:]
            return ("/".join(words[:2]), *(words[2:] or [""]))

        def _json(self, content: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
            data = json.dumps(content).encode()
            self.send_response(status)
            for key, value in (headers or {}).items():
                self.send_header(key, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
