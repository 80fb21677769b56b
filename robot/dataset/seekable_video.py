"""Single frames of a video that is kept open: each takes one seek to the key frame before it and little decoding."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import av
import numpy.typing as npt
from av.video.reformatter import VideoReformatter

from robot.dataset.format.tables import VideoSpan
from robot.dataset.format.video_clock import VideoClock
from robot.dataset.format.video_file import as_picture, decoding, open_video, require_declared
from robot.dataset.format.video_span import find_first, seek_before
from robot.errors import DatasetError

_NEAR = 2  # frames ahead that decoding reaches sooner than a seek, since key frames are this close together


class SeekableVideo:
    """One open video file with `fps` frames a second of at most `pixels` each.

    It holds a file, a decoder and the last picture until `close`.
    """

    def __init__(self, path: Path, fps: float, pixels: int, channels: int = 3) -> None:
        self._path = path
        self._pixels, self._channels = pixels, channels
        self._container, self._stream = open_video(path, pixels)
        # With threads a decoder delays frames, and for single frames they cost more than they gain.
        self._stream.codec_context.thread_count = 1
        self._clock = VideoClock.of(path, self._stream, fps)
        self._firsts: dict[float, int] = {}  # when the first frame of each episode is shown, by its from_timestamp
        self._reformatter = VideoReformatter()
        self._frames: Iterator[av.VideoFrame] = iter(())
        self._step = float(self._clock.step)
        self._last: av.VideoFrame | None = None  # the frame decoded last, and its time
        self._at = 0

    def picture(self, span: VideoSpan, number: int) -> npt.NDArray[Any]:
        """Return frame `number`, from 0, of an episode's span of the file: (H, W, channels); see `as_picture`.

        It is bit for bit the frame of `Dataset.episode`. Raises DatasetError when it is missing.
        """
        try:
            with decoding(self._path):
                frame = self._decoded(self._first(span), number)
                require_declared(self._path, frame, self._pixels)
                return as_picture(frame, self._channels, self._reformatter)
        except DatasetError:
            self._last = None
            raise

    def close(self) -> None:
        """Close the file and release the decoder."""
        self._frames, self._last = iter(()), None
        self._container.close()

    def _first(self, span: VideoSpan) -> int:
        """Return when the first frame of a span is shown, in the stream's time base."""
        if span.from_timestamp not in self._firsts:
            self._last = None  # to find it moves the file's position
            self._firsts[span.from_timestamp] = find_first(self._clock, self._container, self._stream, span)
        return self._firsts[span.from_timestamp]

    def _decoded(self, first: int, number: int) -> av.VideoFrame:
        """Return the frame that follows the one at `first`, in the stream's time base, by `number` frames."""
        wanted = first + round(number * self._step)
        tolerance = self._step / 2
        if self._last is not None and abs(self._at - wanted) < tolerance:
            return self._last
        if self._last is None or not 0 < wanted - self._at < (_NEAR + 0.5) * self._step:
            # A little late, so that rounding never selects the key frame before the right one.
            seek_before(self._clock, self._container, self._stream, wanted + int(self._step / 4))
            self._frames = self._decode_from(wanted + tolerance)
        self._last = None
        for frame in self._frames:
            if frame.pts is None or frame.pts < wanted - tolerance:
                continue
            if frame.pts >= wanted + tolerance:
                break
            self._at, self._last = frame.pts, frame
            return frame
        raise DatasetError(
            f"the video {self._path} has no frame at {float(wanted * self._clock.base):g} s: check the data set"
        )

    def _decode_from(self, before: float) -> Iterator[av.VideoFrame]:
        """Yield the frames from the last key frame before the time `before`.

        A seek may end at an earlier key frame; the frames in between are read, which costs little, but not decoded.
        """
        packets = self._container.demux(self._stream)
        needed: list[av.Packet] = []
        for packet in packets:
            if packet.is_keyframe and packet.pts is not None and packet.pts < before:
                needed.clear()
            needed.append(packet)
            if packet.pts is None or packet.pts >= before - self._step:
                break
        for packet in chain(needed, packets):
            yield from self._stream.decode(packet)
