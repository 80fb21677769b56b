"""Which keys a terminal's bytes are: whole, split, and nonsense."""

from hypothesis import given
from hypothesis import strategies as st

from robot.teleop.devices.terminal_keys import ESCAPE_NS, KeyDecoder


def test_keys_and_sequences_are_known_by_name() -> None:
    decoder = KeyDecoder()
    assert decoder.feed(b"wW \x04", 0) == ["w", "w", " ", "\x04"]
    assert decoder.feed(b"\x1b[A\x1bOB\x1b[1;2C\x1b[D\x1b[5~\x1b[6~", 0) == [
        *("up", "down", "right", "left", "page up", "page down")
    ]
    assert decoder.feed("é\x1b[15~\x1bq+".encode(), 0) == ["+"]


def test_a_sequence_that_comes_in_parts_is_one_key() -> None:
    decoder = KeyDecoder()
    assert decoder.feed(b"\x1b", 0) == []
    assert decoder.feed(b"[", ESCAPE_NS // 2) == []
    assert decoder.feed(b"5~", ESCAPE_NS) == ["page up"]


def test_an_escape_that_nothing_follows_is_the_escape_key() -> None:
    decoder = KeyDecoder()
    assert decoder.feed(b"w\x1b", 0) == ["w"]
    assert decoder.feed(b"", ESCAPE_NS - 1) == []
    assert decoder.feed(b"", ESCAPE_NS) == ["escape"]
    assert decoder.feed(b"\x1b\x1b", ESCAPE_NS) == ["escape"]
    assert decoder.feed(b"", 3 * ESCAPE_NS) == ["escape"]


@given(st.lists(st.binary(max_size=40), max_size=8))
def test_nonsense_is_dropped_and_the_stop_key_is_heard_after_it(parts: list[bytes]) -> None:
    decoder = KeyDecoder()
    now = 0
    for part in parts:
        decoder.feed(part, now)
        now += ESCAPE_NS // 3
    now += ESCAPE_NS
    decoder.feed(b"", now)
    assert decoder.feed(b" ", now) == [" "]
