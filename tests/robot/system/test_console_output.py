from __future__ import annotations

import fcntl
import io
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot.system.console_output import adapt_output, encode_for
from tests.commands import ROOT, environment

ENCODINGS = ("ascii", "latin-1", "cp1252", "koi8-r", "utf-8", "shift_jis")
COMMAND = """
import sys, types, worldarm
from tqdm import tqdm

def work(share: float = 0.5) -> None:
    '''Show a progress bar and print 64×64 pictures, 20° → 30°, ±0.1 mm.'''
    for _ in tqdm(range(3), desc="20° → 30°", file=sys.stdout):
        pass
    print("64×64, 20° → 30°, ±0.1 mm, \\udcff")
    print("64×64", file=sys.stderr)

sys.modules["stranger"] = types.SimpleNamespace(work=work)
worldarm.COMMANDS["work"] = ("stranger:work", "")
sys.exit(worldarm.main(sys.argv[1:]))
"""


@settings(max_examples=60, deadline=None)
@given(text=st.text(st.characters(exclude_categories=())), encoding=st.sampled_from(ENCODINGS))
def test_every_text_is_written_in_every_encoding(text: str, encoding: str) -> None:
    buffer = io.BytesIO()
    before = sys.stdout
    sys.stdout = io.TextIOWrapper(buffer, encoding=encoding, newline="")
    try:
        adapt_output()
        print(text, end="", flush=True)
        assert encode_for(sys.stdout, text) == buffer.getvalue()
        shown = buffer.getvalue().decode(encoding)
    finally:
        sys.stdout.detach()
        sys.stdout = before
    if all(_known(each, encoding) for each in text):
        assert shown == text.encode(encoding).decode(encoding)


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("ascii", "64x64, 20 deg -> 30 deg, +/-0.1 mm, ?"),
        ("latin-1", "64×64, 20° -> 30°, ±0.1 mm, ?"),
        ("utf-8", "64×64, 20° → 30°, ±0.1 mm, ?"),
    ],
)
def test_a_command_prints_what_its_output_lacks_in_plain_ascii(encoding: str, shown: str) -> None:
    result = _run("work", encoding=encoding)
    assert result.returncode == 0, result.stderr
    assert result.stdout.decode(encoding).splitlines()[-1] == shown
    assert b"64" in result.stderr and b"Error" not in result.stderr


def test_the_help_of_a_command_is_shown_in_ascii() -> None:
    result = _run("work", "--help", encoding="ascii")
    assert (result.returncode, result.stderr) == (0, b"")
    assert "print 64x64 pictures, 20 deg -> 30 deg, +/-0.1 mm." in result.stdout.decode("ascii")


@pytest.mark.parametrize("columns", [0, 1, 5])
@pytest.mark.parametrize("words", [("work",), ("work", "--help"), ("work", "--no-such-option")])
def test_a_narrow_terminal_does_not_delay_a_command(columns: int, words: tuple[str, ...]) -> None:
    reading, terminal = pty.openpty()
    try:
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        ended = subprocess.run(
            [sys.executable, "-c", COMMAND, *words],
            cwd=ROOT,
            env={name: value for name, value in environment().items() if name != "COLUMNS"},
            stdin=terminal,
            stdout=terminal,
            stderr=subprocess.PIPE,
            timeout=60,
        )
    finally:
        os.close(terminal)
        os.close(reading)
    assert ended.returncode == (2 if words[-1] == "--no-such-option" else 0), ended.stderr
    assert b"Traceback" not in ended.stderr


def test_a_command_runs_without_standard_output() -> None:
    result = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", sys.executable, "-c", COMMAND, "--help"],
        cwd=ROOT,
        env=environment(),
        stderr=subprocess.PIPE,
        timeout=60,
    )
    assert (result.returncode, result.stderr) == (0, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_output_that_cannot_be_written_is_one_line() -> None:
    with open("/dev/full", "wb") as full:
        result = subprocess.run(
            [sys.executable, "-c", COMMAND, "--help"],
            cwd=ROOT,
            env=environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=60,
        )
    assert result.returncode == 1
    assert result.stderr == b"worldarm: the output cannot be written: No space left on device\n"


def _run(*words: str, encoding: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", COMMAND, *words],
        cwd=ROOT,
        env={**environment(), "PYTHONIOENCODING": encoding, "COLUMNS": "120"},
        capture_output=True,
        timeout=60,
    )


def _known(character: str, encoding: str) -> bool:
    try:
        character.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True
