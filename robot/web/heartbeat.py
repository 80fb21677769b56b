"""Checks that a page is visible and responsive, by requests that the page's drawing loop answers.

A browser answers WebSocket pings also for pages that sleep or hang. A request that the page's script answers between
two drawn frames is answered only by a page that a person can see.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import viser

ASKED_EVERY_S = 0.1


def watch(
    server: viser.ViserServer, page: viser.ClientHandle, patience_s: float, heard: Callable[[int], None]
) -> threading.Thread:
    """Call `heard` with the monotonic time (ns) of each answer of `page` until it is closed, in a new thread, which is
    returned. An answer that takes longer than `patience_s` does not count: the page may be gone by then."""

    def ask() -> None:
        while page.client_id in server.get_clients():
            try:
                page.local_storage.get_item("worldarm", timeout=patience_s)
            except TimeoutError:
                continue
            except RuntimeError:
                # The page was closed, which ends the loop; or the browser refuses to store values for pages.
                if page.client_id not in server.get_clients():
                    return
            heard(time.monotonic_ns())
            time.sleep(ASKED_EVERY_S)

    thread = threading.Thread(target=ask, name=f"heartbeat of page {page.client_id}", daemon=True)
    thread.start()
    return thread
