from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot.system.bounds import MAX_PICTURE_PIXELS
from robot.system.picture_header import decode_within, picture_size

SIDES = st.integers(1, 70)
SUFFIXES = (".png", ".jpg", ".bmp", ".webp")


def encoded(width: int, height: int, suffix: str) -> bytes:
    return bytes(cv2.imencode(suffix, np.zeros((height, width, 3), np.uint8))[1])


def png_bomb(width: int, height: int) -> bytes:
    """A PNG file of one colour, in which every thousand pixels take a byte."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    squeezed = zlib.compressobj(9)
    row = bytes(1 + 3 * width)
    lines = b"".join([*(squeezed.compress(row) for _ in range(height)), squeezed.flush()])
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", lines) + chunk(b"IEND", b"")


@given(SIDES, SIDES, st.sampled_from(SUFFIXES))
def test_the_header_says_the_size_that_is_decoded(width: int, height: int, suffix: str) -> None:
    data = encoded(width, height, suffix)
    assert picture_size(data) == (width, height)
    assert decode_within(data).shape == (height, width, 3)
    assert decode_within(data, width * height).shape == (height, width, 3)
    with pytest.raises(ValueError, match="says that it has"):
        decode_within(data, width * height - 1)


@given(SIDES, SIDES, st.sampled_from(SUFFIXES), st.randoms(use_true_random=False))
def test_damaged_pictures_are_refused_or_of_the_size_they_say(width: int, height: int, suffix: str, chance) -> None:
    data = bytearray(encoded(width, height, suffix))
    for _ in range(chance.choice([1, 4])):
        data[chance.randrange(min(len(data), 64))] = chance.randrange(256)
    try:
        image = decode_within(bytes(data), 100_000)
    except ValueError:
        return
    assert image.shape[0] * image.shape[1] <= 100_000


@given(st.binary(max_size=200), st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8", b"BM", b"RIFF1234WEBP"]))
def test_what_is_no_picture_is_refused(data: bytes, start: bytes) -> None:
    try:
        decode_within(start + data, 10_000)
    except ValueError as error:
        assert str(error)


def test_a_progressive_and_a_grey_picture_are_measured() -> None:
    grey = bytes(cv2.imencode(".jpg", np.zeros((20, 30), np.uint8))[1])
    slow = bytes(cv2.imencode(".jpg", np.zeros((20, 30, 3), np.uint8), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1])
    for data in (grey, slow):
        assert picture_size(data) == (30, 20)


def test_the_largest_header_of_several_counts() -> None:
    data = encoded(30, 20, ".jpg")
    at = data.index(b"\xff\xc0")
    length = 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    larger = bytearray(data[at : at + length])
    larger[5:9] = struct.pack(">HH", 9000, 9000)
    assert picture_size(data[:at] + bytes(larger) + data[at:]) == (9000, 9000)


def test_a_small_file_of_an_immense_picture_is_not_decoded() -> None:
    data = png_bomb(16_000, 4_000)
    assert len(data) < 300_000 and MAX_PICTURE_PIXELS < 16_000 * 4_000
    with pytest.raises(ValueError, match="says that it has 16000x4000 pixels"):
        decode_within(data)
