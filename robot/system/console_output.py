"""Adapts what a command prints to the terminal or file it prints to: characters that its encoding lacks, and a terminal
too narrow to lay out text in."""

from __future__ import annotations

import codecs
import io
import os
import shutil
import sys
from typing import TextIO

LEAST_COLUMNS = 40
"""Text is laid out for at least this width. A narrower terminal wraps the lines by itself; tyro never ends its layout
below six columns."""

_PLAIN_NAME = "worldarm-plain"
_PLAIN = {
    "×": "x",
    "·": ".",
    "°": " deg",
    "±": "+/-",
    "²": "^2",
    "³": "^3",
    "µ": "u",
    "π": "pi",
    "−": "-",
    "–": "-",
    "→": "->",
    "≤": "<=",
    "≥": ">=",
    "…": "...",
    "“": '"',
    "”": '"',
}


def adapt_output() -> None:
    """Let standard output and error write every text, and let text be laid out for `LEAST_COLUMNS` or more.

    A character that the encoding lacks is written in plain ASCII: × as x, and what has no such form as a question mark.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # None where the descriptor is closed
            stream.reconfigure(errors=_PLAIN_NAME)
    if shutil.get_terminal_size().columns < LEAST_COLUMNS:
        os.environ["COLUMNS"] = str(LEAST_COLUMNS)


def encode_for(stream: TextIO, text: str) -> bytes:
    """Return `text` in the encoding of `stream`, with what it lacks in plain ASCII."""
    return text.encode(stream.encoding, _PLAIN_NAME)


def _plain(error: UnicodeError) -> tuple[str, int]:
    """Return the plain form of the characters that cannot be encoded, and where encoding goes on."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(_PLAIN.get(each, "?") for each in lacking), error.end


codecs.register_error(_PLAIN_NAME, _plain)
