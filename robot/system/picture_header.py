"""Decodes picture files of others; the size is read from the header before anything is decoded.

A picture of one colour shrinks ten-thousandfold, so the size of a file says nothing about the memory it takes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from robot.system.bounds import MAX_PICTURE_PIXELS, MAX_PICTURE_SIDE

_NO_PICTURE = "is not a picture, or not a complete picture: use a whole PNG or JPEG file"
_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8"
_TIFF = (b"II*\0", b"MM\0*")
_STANDALONE = {0x01, *range(0xD0, 0xD9)}  # JPEG markers without a length
_FRAMES = {0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}  # JPEG markers with the size
_SCAN = 0xDA


def picture_size(data: bytes) -> tuple[int, int] | None:
    """Return the width and height in pixels that the header of a PNG, JPEG, BMP or WebP file states; None for other
    data, and for a header that is cut off."""
    try:
        if data.startswith(_PNG):
            return _two(data, ">II", 16) if data[12:16] == b"IHDR" else None
        if data.startswith(_JPEG):
            return _largest(_jpeg_frames(data))
        if data.startswith(b"BM"):
            early = struct.unpack_from("<I", data, 14)[0] == 12
            width, height = _two(data, "<HH" if early else "<ii", 18)
            return abs(width), abs(height)
        if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
            return _webp_size(data)
    except (struct.error, IndexError):
        return None
    return None


def is_tiff(data: bytes) -> bool:
    """Return whether `data` is a TIFF file, as some programs store depth; it is not decoded here."""
    return data.startswith(_TIFF)


def decode_within(data: bytes, most_pixels: int = MAX_PICTURE_PIXELS) -> NDArray[np.uint8]:
    """Return the picture (H, W, 3) uint8 BGR in a PNG, JPEG, BMP or WebP file, of at most `most_pixels`.

    Raises the errors of `decode_as_stored`.
    """
    return np.asarray(_decode(data, most_pixels, cv2.IMREAD_COLOR), np.uint8)


def decode_as_stored(data: bytes, most_pixels: int = MAX_PICTURE_PIXELS) -> NDArray[Any]:
    """Return the picture in such a file with the channels and the type that it has: (H, W), or (H, W, C) BGR or BGRA;
    uint8 or uint16.

    Raises `ValueError`, with the reason in words that continue "it …", when it is larger or cannot be decoded.
    """
    return _decode(data, most_pixels, cv2.IMREAD_UNCHANGED)


def _decode(data: bytes, most_pixels: int, how: int) -> NDArray[Any]:
    size = picture_size(data)
    if size is None:
        raise ValueError(_NO_PICTURE)
    width, height = size
    if width < 1 or height < 1:
        raise ValueError(f"says that it has {width}x{height} pixels")
    if width * height > most_pixels or max(size) > MAX_PICTURE_SIDE:
        raise ValueError(
            f"says that it has {width}x{height} pixels; at most {most_pixels} are decoded here, and "
            f"{MAX_PICTURE_SIDE} a side"
        )
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), how)
    except cv2.error as error:
        raise ValueError(f"cannot be decoded: {error.err}") from error
    if image is None:
        raise ValueError(_NO_PICTURE)
    return np.asarray(image)


def _jpeg_frames(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield the size in every frame header before the first scan; a decoder may take any of them."""
    at = len(_JPEG)
    while at + 1 < len(data):
        at = data.find(b"\xff", at)
        if at < 0 or at + 1 == len(data):
            return
        marker = data[at + 1]
        if marker in (0xFF, 0x00):
            at += 1
            continue
        at += 2
        if marker in _STANDALONE:
            continue
        if marker == _SCAN:
            return
        if marker in _FRAMES:
            height, width = _two(data, ">HH", at + 3)
            yield width, height
        at += max(2, struct.unpack_from(">H", data, at)[0])


def _largest(sizes: Iterator[tuple[int, int]]) -> tuple[int, int] | None:
    return max(sizes, key=lambda size: size[0] * size[1], default=None)


def _webp_size(data: bytes) -> tuple[int, int] | None:
    kind = data[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if kind == b"VP8L":
        bits = int(struct.unpack_from("<I", data, 21)[0])
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        width, height = _two(data, "<HH", 26)
        return width & 0x3FFF, height & 0x3FFF
    return None


def _two(data: bytes, layout: str, at: int) -> tuple[int, int]:
    first, second = struct.unpack_from(layout, data, at)
    return int(first), int(second)
