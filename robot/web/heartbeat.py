"""Whether a page is really there: asked again and again, and answered by the page's own loop of drawing.

A browser answers pings of the connection for pages that sleep or hang too; a question that the page's script has to
answer, between two pictures that it draws, is answered only by one that a person can see.
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
    """Call `heard` with the monotonic time (ns) of each answer of `page`'s until it is closed, in a thread of its own,
    which is returned. An answer that takes longer than `patience_s` tells of a page that was there, and may not be any
    more: it does not count."""

    def ask() -> None:
        while page.client_id in server.get_clients():
            try:
                page.local_storage.get_item("worldarm", timeout=patience_s)
            except TimeoutError:
                continue
            except RuntimeError:
                # Closed, which ends this; or a browser that keeps nothing for pages, and has just said so.
                if page.client_id not in server.get_clients():
                    return
            heard(time.monotonic_ns())
            time.sleep(ASKED_EVERY_S)

    thread = threading.Thread(target=ask, name=f"heartbeat of page {page.client_id}", daemon=True)
    thread.start()
    return thread
