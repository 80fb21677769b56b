"""Decodes a terminal's bytes into names of keys."""

from __future__ import annotations

from collections.abc import Iterator

ESCAPE_NS = 50_000_000
"""How long after an escape byte the rest of a key's sequence may come; if nothing comes, it was the escape key."""
_LONGEST = 16
_ESC = 0x1B
_FINAL = {
    "A": "up",
    "B": "down",
    "C": "right",
    "D": "left",
}
_NUMBERED = {"5": "page up", "6": "page down"}


class KeyDecoder:
    """Decodes bytes as they come, complete sequences or parts of them; unknown sequences are dropped."""

    def __init__(self) -> None:
        self._waiting = bytearray()
        self._since_ns = 0

    def feed(self, data: bytes, now_ns: int) -> list[str]:
        """Return the keys that `data`, read at the monotonic `now_ns`, completes: single characters in lower case,
        "up", "down", "left", "right", "page up", "page down" and "escape"."""
        if data:
            self._since_ns = now_ns
            self._waiting += data
        keys = list(self._complete())
        if self._waiting and now_ns - self._since_ns >= ESCAPE_NS:
            # No sequence follows: it was the escape key itself, and then the keys pressed after it.
            rest = bytes(self._waiting[1:])
            self._waiting.clear()
            keys += ["escape", *(chr(byte).lower() for byte in rest if byte < 0x80 and byte != _ESC)]
        return keys

    def _complete(self) -> Iterator[str]:
        """Yield all complete keys among the waiting bytes; what remains begins with an escape byte."""
        waiting = self._waiting
        while waiting:
            if waiting[0] != _ESC:
                byte = waiting.pop(0)
                if byte < 0x80:  # other bytes belong to characters that no key here has
                    yield chr(byte).lower()
                continue
            if len(waiting) > 1 and waiting[1] == _ESC:
                del waiting[0]
                yield "escape"
                continue
            end = _end(waiting)
            if end is None:
                if len(waiting) > _LONGEST:
                    waiting.clear()
                return
            sequence = waiting[1:end].decode("latin-1")
            del waiting[:end]
            key = _FINAL.get(sequence[-1]) if sequence[0] in "[O" and len(sequence) > 1 else None
            if key is None and sequence[0] == "[" and sequence[-1] == "~":
                key = _NUMBERED.get(sequence[1:-1].split(";")[0])
            if key is not None:
                yield key


def _end(waiting: bytearray) -> int | None:
    """Return where the sequence at the beginning of `waiting` ends (ECMA-48); None while it is incomplete."""
    if len(waiting) < 2:
        return None
    if waiting[1] == ord("O"):
        return 3 if len(waiting) >= 3 else None
    if waiting[1] != ord("["):
        return 2  # Alt and a key: not used here
    for index in range(2, len(waiting)):
        if not 0x20 <= waiting[index] <= 0x3F:
            return index + 1
    return None
