"""Runs a piece of code as a file's victim: in a process of its own, with little memory and little time."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

MEMORY_MB = 700
"""How much more than an idle process the victim may take; a bomb of these tests takes gigabytes."""
SECONDS = 60

_FRAME = """
import resource, sys
{imports}
from robot.errors import WorldarmError
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    {code}
    print("done")
except WorldarmError as error:
    print(f"{{type(error).__name__}}: {{' '.join(str(error).split())}}")
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def told_by(imports: str, code: str, most_mb: int = MEMORY_MB) -> str:
    """Return "done", or the error of worldarm in one line, of `code`, a statement after `imports`. Fails when it raises
    anything else, or takes more memory than `most_mb` beyond the imports."""
    ended = subprocess.run(
        [sys.executable, "-c", _FRAME.format(imports=imports, code=code)],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        cwd=Path(__file__).parents[1],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (12 << 30, 12 << 30)),
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    said, taken_mb = ended.stdout.splitlines()[-2:]
    assert int(taken_mb) <= most_mb, f"{taken_mb} MB: {said}"
    return said
