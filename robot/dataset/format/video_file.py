"""Opens the video files of others; the size in the header is compared with the declared one before any decoding."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from robot.errors import DatasetError, PictureNotRead
from robot.system.text import printable

_MOST_STREAMS = 8
_BRIGHTNESS_FIRST = ("gray", "yuv4", "yuvj4", "nv")  # formats whose first plane is the brightness
_FORMATS = {3: "rgb24", 4: "rgba"}
_LEAST_LIMIT = 2**20
"""Pixels that a decoder may always take, and half of the picture's beyond: some fill blocks of 64 at its edges."""
_MOST_PARTS = 10**6  # enough to distinguish 30000/1001, the rate of NTSC, from 29.97
_DETAIL = 300  # characters of the video library's message


def open_video(path: Path, pixels: int) -> tuple[InputContainer, VideoStream]:
    """Open the video `path`, whose pictures have `pixels` pixels, and return it with its stream of pictures.

    The decoder itself refuses larger pictures, whatever the headers say. Raises DatasetError when the file is missing
    or broken, or declares larger pictures.
    """
    with decoding(path):
        # Opening may decode a first picture to learn its format, so that the limit is needed here too. Another format
        # than MP4, such as a list of files to play, could name files outside the set.
        limit = {"max_pixels": str(max(_LEAST_LIMIT, pixels + pixels // 2))}
        container = av.open(
            os.path.abspath(path), format="mp4", metadata_errors="replace", stream_options=[limit] * _MOST_STREAMS
        )
        try:
            if not container.streams.video or len(container.streams) > _MOST_STREAMS:
                raise DatasetError(f"the video {path} cannot be decoded: it has no pictures, or too many streams")
            stream = container.streams.video[0]
            context = stream.codec_context
            if context is None:
                raise DatasetError(f"the video {path} cannot be decoded: its codec is not known")
            if context.width * context.height > pixels:
                raise DatasetError(
                    f"the video {path} says that its pictures have {context.width}x{context.height} pixels, more than "
                    f"the {pixels} that the data set declares: check the data set"
                )
            context.options = {**context.options, **limit}
        except BaseException:
            container.close()
            raise
    return container, stream


@contextmanager
def opened_video(path: Path, pixels: int) -> Iterator[tuple[InputContainer, VideoStream]]:
    """A context with an open video; see `open_video`. Errors of the video library in the body become DatasetError."""
    container, stream = open_video(path, pixels)
    with container, decoding(path):
        yield container, stream


@contextmanager
def decoding(path: Path) -> Iterator[None]:
    """A context that turns what the video library raises for the broken file `path` into a DatasetError."""
    try:
        yield
    except FileNotFoundError:
        raise DatasetError(f"the video {path} is missing: check the data set") from None
    except (av.error.FFmpegError, LookupError, ValueError, ArithmeticError, MemoryError) as error:
        detail = printable(str(error) or type(error).__name__, _DETAIL)
        raise DatasetError(f"the video {path} cannot be decoded: {detail}") from error


def require_declared(path: Path, frame: av.VideoFrame, pixels: int) -> None:
    """Raise DatasetError for a decoded frame of more than `pixels` pixels, before it is converted."""
    if frame.width * frame.height > pixels:
        raise DatasetError(
            f"the video {path} has a picture of {frame.width}x{frame.height} pixels, more than the {pixels} that the "
            "data set declares: check the data set"
        )


def as_picture(frame: av.VideoFrame, channels: int, reformatter: VideoReformatter | None = None) -> npt.NDArray[Any]:
    """Return a decoded frame as (H, W, channels): uint8 RGB for three channels; for one, such as depth, its brightness
    as it is stored, uint8, or uint16 where it has more than eight bits.

    reformatter: one to use again, for many single frames. Raises PictureNotRead for other channels.
    """
    if channels == 1 and frame.format.name.startswith(_BRIGHTNESS_FIRST) and "f" not in frame.format.name:
        plane, component = frame.planes[0], frame.format.components[0]
        kind = np.dtype(np.uint8 if component.bits <= 8 else ">u2" if frame.format.is_big_endian else "<u2")
        rows = np.frombuffer(plane, kind).reshape(-1, plane.line_size // kind.itemsize)
        return rows[: frame.height, : frame.width, None].astype(kind.newbyteorder("="))
    if channels not in _FORMATS:
        raise PictureNotRead(f"pictures of {channels} channels in a video are not read")
    if reformatter is None:
        return frame.to_ndarray(format=_FORMATS[channels])
    made: npt.NDArray[Any] = reformatter.reformat(frame, format=_FORMATS[channels], threads=1).to_ndarray()
    return made


def exact_rate(fps: float) -> Fraction:
    """Return the rate that a rounded number such as 29.97 stands for, as video files store it."""
    return Fraction(fps).limit_denominator(_MOST_PARTS)


def time_base(path: Path, stream: VideoStream, fps: float) -> Fraction:
    """Return the unit of a stream's times in seconds. Raises DatasetError when it is not a positive one."""
    base = stream.time_base or 1 / exact_rate(fps)
    if base <= 0:
        raise DatasetError(f"the video {path} cannot be decoded: its times have no unit")
    return base
