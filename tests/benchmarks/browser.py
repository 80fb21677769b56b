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
from robot.system.scheduling import NICE

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
        started = playwright.chromium.launch(executable_path=parts.enter_context(_yielding(found)), args=list(_OPTIONS))
        try:
            yield started
        finally:
            started.close()


@contextmanager
def _yielding(executable: str) -> Iterator[str]:
    """Yield what to start in place of `executable`, so that the browser yields the processor to the arm's processes.

    Without a graphics card it draws on all cores. At the priority of the driver it keeps one tick in eight waiting on
    two cores; started by root it even draws at nice -8. The arm then ramps to rest in mid-drag. Where Linux shares time
    between sessions first (autogroup), a process's own nice value says nothing to those of other sessions.
    """
    limiter = shutil.which("setpriv") if os.geteuid() == 0 else None
    words = [limiter, "--inh-caps=-sys_nice", "--bounding-set=-sys_nice"] if limiter else []
    command = shlex.join(["nice", "-n", str(NICE), *words, executable])
    with tempfile.TemporaryDirectory(prefix="worldarm-") as folder:
        script = Path(folder) / "browser"
        session = "/proc/self/autogroup"
        script.write_text(f'#!/bin/sh\n[ ! -w {session} ] || echo {NICE} > {session}\nexec {command} "$@"\n')
        script.chmod(0o700)
        yield str(script)
