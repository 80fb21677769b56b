"""A real browser without a screen, for what only a real one can tell."""

from __future__ import annotations

import os
import shlex
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from robot.errors import ConfigurationError

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_OPTIONS = (
    "--no-sandbox",  # in a container there may be none
    # Three dimensions without a graphics card, and no more: to lay the page out so as well takes twice as long.
    "--enable-unsafe-swiftshader",
)


@contextmanager
def browser(executable: str | None = None) -> Iterator[Browser]:
    """Start Chromium, `executable` or the system's own, and end it. Raises `ConfigurationError` when there is none."""
    found = executable or next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        raise ConfigurationError("no Chromium is installed: on Debian, apt install chromium; or give --browser PATH")
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"driving a browser needs the Python package '{error.name}': pip install playwright"
        ) from error
    with ExitStack() as parts, sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=parts.enter_context(_ordinary(found)), args=list(_OPTIONS))
        try:
            yield started
        finally:
            started.close()


@contextmanager
def _ordinary(executable: str) -> Iterator[str]:
    """Yield what to start in place of `executable`, so that it may not raise its priority, as for an ordinary user.

    Started by root, Chromium draws at nice -8. Without a graphics card it then keeps a driver waiting for 0.1 s at a
    time, whose arm ramps to rest.
    """
    limiter = shutil.which("setpriv")
    if os.geteuid() != 0 or limiter is None:
        yield executable
        return
    with tempfile.TemporaryDirectory(prefix="worldarm-") as folder:
        script = Path(folder) / "browser"
        words = shlex.join([limiter, "--inh-caps=-sys_nice", "--bounding-set=-sys_nice", executable])
        script.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        script.chmod(0o700)
        yield str(script)
