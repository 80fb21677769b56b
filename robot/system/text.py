"""Text from elsewhere, made safe to print: a terminal obeys control characters, and a line can hide another."""

from __future__ import annotations


def printable(text: str, longest: int | None = None) -> str:
    """Return `text` with every character that does not print (controls, line breaks, changes of direction) written as
    an escape such as \\x1b, and cut to the `longest` number of characters where one is given."""
    if not text.isprintable():
        text = "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
    return text if longest is None or len(text) <= longest else text[: longest - 1] + "…"
