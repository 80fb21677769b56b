"""Text from elsewhere, made safe to print: a terminal obeys control characters, and a line can hide another."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec


def printable(text: str, longest: int | None = None) -> str:
    """Return `text` with every character that does not print (controls, line breaks, changes of direction) written as
    an escape such as \\x1b, and cut to the `longest` number of characters where one is given."""
    if not text.isprintable():
        text = "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
    return text if longest is None or len(text) <= longest else text[: longest - 1] + "…"


def escape_fields(decoded: msgspec.Struct, names: Iterable[str], longest: int | None = None) -> None:
    """Make the fields `names` of a struct printable: each is a text or a tuple of texts. For `__post_init__`, so that
    nothing behind the decoding ever holds what a terminal obeys."""
    for name in names:
        value: str | tuple[str, ...] = getattr(decoded, name)
        if isinstance(value, str):
            safe: str | tuple[str, ...] = printable(value, longest)
        else:
            safe = tuple(printable(each, longest) for each in value)
        if safe != value:
            msgspec.structs.force_setattr(decoded, name, safe)
