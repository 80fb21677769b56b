"""Reads the frames of one episode from a video file, which may hold several episodes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.video.stream import VideoStream

from robot.dataset.format.tables import VideoSpan
from robot.dataset.format.video_clock import VideoClock
from robot.dataset.format.video_file import as_picture, opened_video, require_declared
from robot.errors import DatasetError
from robot.system.bounds import MAX_PICTURE_PIXELS

_REORDERED = 32  # frames; no codec stores a frame farther than this from its place in time


def decode_video(
    path: Path, span: VideoSpan, length: int, fps: float, pixels: int = MAX_PICTURE_PIXELS, channels: int = 3
) -> npt.NDArray[Any]:
    """Return the `length` frames of a span of a video file, (T, H, W, channels), of at most `pixels` each.

    Raises the errors of `video_frames`.
    """
    frames = list(video_frames(path, span, length, fps, pixels, channels))
    if len({frame.shape for frame in frames}) > 1:
        raise DatasetError(f"the video {path} changes to pictures of another size in the middle: check the data set")
    return np.stack(frames)


def video_frames(
    path: Path, span: VideoSpan, length: int, fps: float, pixels: int, channels: int = 3
) -> Iterator[npt.NDArray[Any]]:
    """Yield the `length` frames of a span of a video file, in order, (H, W, channels) each; see `as_picture`.

    pixels: the most that a frame has, as the data set declares. Raises DatasetError when the file is missing, has
    larger frames, cannot be decoded, or lacks one of the frames.
    """
    with opened_video(path, pixels) as (container, stream):
        clock = VideoClock.of(path, stream, fps)
        first = find_first(clock, container, stream, span)
        seek_before(clock, container, stream, first)
        there = 0
        for frame in container.decode(stream):
            if frame.pts is None or frame.pts < first:
                continue
            if there == length or clock.number(frame.pts, first) >= length:
                break
            clock.require_number(frame.pts, first, there)
            require_declared(path, frame, pixels)
            if frame.is_corrupt:
                raise DatasetError(f"the video {path} is damaged at its frame {there}: check the data set")
            yield as_picture(frame, channels)
            there += 1
        clock.require_length(there, length)


def find_first(clock: VideoClock, container: InputContainer, stream: VideoStream, span: VideoSpan) -> int:
    """Return when the first frame of a span is shown, in the stream's time base; nothing is decoded.

    Raises DatasetError when no frame is near the span's `from_timestamp`.
    """
    begin = clock.begin(span)
    at_start = seek_before(clock, container, stream, int(begin))
    times = []
    for packet in container.demux(stream):
        if not packet.size or packet.pts is None or packet.dts is None:
            continue
        if not packet.is_discard:
            times.append(packet.pts)
        if packet.dts > begin + clock.step:  # no later packet is shown before its own decoding time
            break
    times.sort()
    return times[clock.nearest(times, span, at_start)]


def seek_before(clock: VideoClock, container: InputContainer, stream: VideoStream, time: int) -> bool:
    """Seek to a key frame from which the frame shown at `time` can be decoded; return whether it is the video's first.

    A file's index has the times of decoding, so that a seek may end at a key frame that is shown later.
    """
    for back in (0, _REORDERED):
        offset = time - int(back * clock.step)
        container.seek(offset, stream=stream)
        packet = next(container.demux(stream), None)
        if packet is not None and packet.pts is not None and packet.is_keyframe and packet.pts <= time:
            container.seek(offset, stream=stream)
            return False
    container.seek(min(0, stream.start_time or 0) - int(_REORDERED * clock.step), stream=stream)
    return True
