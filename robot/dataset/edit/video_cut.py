"""Cuts one episode out of a video that holds several, as in other programs' sets; it is copied, not encoded again."""

from __future__ import annotations

import io
from pathlib import Path

import av
import numpy as np

from robot.dataset.format.tables import VideoSpan
from robot.dataset.format.video_clock import VideoClock
from robot.dataset.format.video_file import opened_video
from robot.dataset.format.video_span import find_first, seek_before, video_frames
from robot.errors import DatasetError

_INSTEAD = "so it cannot be cut out without encoding it again: use the program that wrote the data set"


def cut_video(path: Path, span: VideoSpan, length: int, fps: float, pixels: int) -> bytes:
    """Return an MP4 file of the `length` frames of a span, the first at time 0.

    pixels: the most that a frame has, as the data set declares. Raises DatasetError when the video is missing or
    broken, when frames are missing, or when the first frame is not a key frame and so cannot be decoded without those
    before it. Whether the last frames need one after them, only decoding shows: see `require_same_frames`.
    """
    target = io.BytesIO()
    with opened_video(path, pixels) as (source, stream), av.open(target, "w", format="mp4") as made:
        copy = made.add_stream_from_template(stream, opaque=True)  # nothing is encoded
        clock = VideoClock.of(path, stream, fps)
        first = find_first(clock, source, stream, span)
        seek_before(clock, source, stream, first)
        found = 0
        for packet in source.demux(stream):
            if packet.pts is None or packet.dts is None:
                continue
            if clock.number(packet.dts, first) >= length:
                break
            if packet.pts < first or clock.number(packet.pts, first) >= length:
                continue
            if not found and not (packet.is_keyframe and packet.pts == first):
                raise DatasetError(
                    f"the video {path} holds several episodes, and the one at {span.from_timestamp:g} s does not "
                    f"begin with a key frame, {_INSTEAD}"
                )
            packet.pts, packet.dts, packet.stream = packet.pts - first, packet.dts - first, copy
            made.mux(packet)
            found += 1
        clock.require_length(found, length)
    return target.getvalue()


def require_same_frames(path: Path, span: VideoSpan, cut: Path, length: int, fps: float, pixels: int) -> None:
    """Raise DatasetError unless the video `cut` out of a span of the video `path` decodes to the same pictures.

    That shows whether a frame needs one that is not the episode's own, as some encoders' last frames do.
    """
    copied = video_frames(cut, VideoSpan(0, 0, 0.0, length / fps), length, fps, pixels)
    for number, frame in enumerate(video_frames(path, span, length, fps, pixels)):
        try:
            same = np.array_equal(frame, next(copied))
        except DatasetError:
            same = False
        if not same:
            raise DatasetError(
                f"the video {path} holds several episodes, and frame {number} of the one at {span.from_timestamp:g} s "
                f"needs frames of another one, {_INSTEAD}"
            )
