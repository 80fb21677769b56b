"""`make fuzz`: atheris, a fuzzer that follows the coverage, on each target for a while.

    .venv/bin/python -m tests.fuzz.run              # all targets, FUZZ_SECONDS each (default 120)
    .venv/bin/python -m tests.fuzz.run TARGET       # one

It begins with the target's corpus and what earlier runs found, which is kept under `.fuzz/`, crashes too. Mend the
reader, then move the crash to `tests/fuzz/corpus/TARGET/`, where the tests replay it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

FOUND = Path(".fuzz")
MEMORY = Path("/dev/shm")
LONGEST = 64 * 1024
"""Bytes of an input; the longest request has a quarter of them."""


def main(words: list[str]) -> int:
    """Fuzz the targets that `words` name, or each one; return how many crashed."""
    from tests.fuzz.targets import TARGETS

    crashed = []
    for name in words or TARGETS:
        # The fuzzer ends its process at once, which leaves that process no moment to remove its files.
        with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
            command = [sys.executable, "-c", f"from tests.fuzz.run import fuzz; fuzz({name!r})"]
            if subprocess.run(command, env={**os.environ, "TMPDIR": folder}).returncode:
                crashed.append(name)
    print(f"fuzz: {', '.join(crashed)} crashed: the inputs are in {FOUND}" if crashed else "fuzz: no target crashed")
    return len(crashed)


def fuzz(name: str) -> None:
    """Fuzz one target in this process, which ends with it."""
    import atheris

    with atheris.instrument_imports(include=["robot", "perception", "msgspec", "json"]):
        from tests.fuzz.targets import CORPUS, TARGETS, feed

    target = TARGETS[name]
    found = FOUND / name
    found.mkdir(parents=True, exist_ok=True)
    print(f"fuzz: {name}", flush=True)
    options = [
        f"-max_total_time={os.environ.get('FUZZ_SECONDS', '120')}",
        f"-max_len={LONGEST}",
        f"-artifact_prefix={FOUND}/{name}-",
        "-timeout=20",  # of the clock, as the machine may be busy; `feed` counts the processor's time
        "-rss_limit_mb=8192",
        "-verbosity=0",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], *options, str(found), str(CORPUS / name)], lambda data: feed(target, data))
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
