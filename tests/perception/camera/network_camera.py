"""A camera on the network: a real HTTP server that sends JPEG pictures one after another (motion JPEG), and that can
stall, be unplugged, and be plugged in again at the same address."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np

BOUNDARY = "frame"
PERIOD_S = 0.04


class NetworkCamera:
    """Sends grey pictures of 160x120 that grow brighter by one level each, from 0 to 255 and again."""

    def __init__(self) -> None:
        self.stalled = threading.Event()
        self.sent = 0
        self._port = 0
        self._server: ThreadingHTTPServer | None = None
        self._unplugged = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/stream.mjpg"

    def plug(self) -> None:
        self._unplugged = threading.Event()
        camera, unplugged = self, self._unplugged

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={BOUNDARY}")
                self.end_headers()
                while not unplugged.wait(PERIOD_S):
                    if camera.stalled.is_set():
                        continue
                    data = jpeg(camera.sent % 256)
                    head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
                    try:
                        self.wfile.write(head.encode() + data + b"\r\n")
                    except OSError:
                        return  # whoever watched has gone
                    camera.sent += 1

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        ThreadingHTTPServer.allow_reuse_address = True
        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        self._server.daemon_threads = True
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def unplug(self) -> None:
        self._unplugged.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


def jpeg(level: int) -> bytes:
    written, data = cv2.imencode(".jpg", np.full((120, 160, 3), level, np.uint8))
    assert written
    return data.tobytes()


def until(condition, patience_s: float = 30.0) -> None:  # type: ignore[no-untyped-def]
    """Wait until `condition()` is true; fail after `patience_s`."""
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.01)
