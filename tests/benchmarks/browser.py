"""A real browser without a screen, for what only a real one can tell."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
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
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, args=list(_OPTIONS))
        try:
            yield started
        finally:
            started.close()
