"""Cuts one episode out of a video that holds several, as in other programs' sets; it is copied, not encoded again."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path

import av

from robot.dataset.format.tables import VideoSpan
from robot.dataset.format.video_file import opened_video, time_base
from robot.errors import DatasetError


def cut_video(path: Path, span: VideoSpan, length: int, fps: float, pixels: int) -> bytes:
    """Return an MP4 file of the `length` frames of a span, the first at time 0; they decode to the same pictures.

    pixels: the most that a frame has, as the data set declares. Raises DatasetError when the video is missing or
    broken, when frames are missing, or when the first frame is not a key frame and so cannot be decoded without those
    before it.
    """
    target = io.BytesIO()
    begin = Fraction(span.from_timestamp).limit_denominator(10**6)
    with opened_video(path, pixels) as (source, stream), av.open(target, "w", format="mp4") as made:
        copy = made.add_stream_from_template(stream, opaque=True)  # nothing is encoded
        base = time_base(path, stream, fps)
        shift = round(begin / base)
        source.seek(shift, stream=stream)
        found = 0
        for packet in source.demux(stream):
            if packet.pts is None or packet.dts is None:
                continue
            number = round((packet.pts * base - begin) * fps)
            if number >= length and round((packet.dts * base - begin) * fps) >= length:
                break
            if not 0 <= number < length:
                continue
            if not found and not packet.is_keyframe:
                raise DatasetError(
                    f"the video {path} holds several episodes, and the one at {span.from_timestamp:g} s does not "
                    "begin with a key frame, so it cannot be cut out without encoding it again: use the program "
                    "that wrote the data set"
                )
            packet.pts, packet.dts, packet.stream = packet.pts - shift, packet.dts - shift, copy
            made.mux(packet)
            found += 1
    if found != length:
        raise DatasetError(f"the video {path} has {found} frames, and its episode {length}: check the data set")
    return target.getvalue()
