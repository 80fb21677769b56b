"""Finds an episode's frames among the times at which a video shows its frames.

They are counted from the frame that is shown nearest to the episode's `from_timestamp`. Programs compute that one from
durations, and it drifts off the times of the video itself.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from av.video.stream import VideoStream

from robot.dataset.format.tables import VideoSpan
from robot.dataset.format.video_file import exact_rate, time_base
from robot.errors import DatasetError

_EQUALLY_NEAR = Fraction(1, 50)  # of a frame


@dataclass(frozen=True)
class VideoClock:
    """The times of the video `path`: its unit `base`, s, and the `step` from a frame to the next, in that unit."""

    path: Path
    base: Fraction
    step: Fraction

    @classmethod
    def of(cls, path: Path, stream: VideoStream, fps: float) -> VideoClock:
        """Return the clock of a stream with `fps` frames a second. Raises DatasetError when its times have no unit."""
        base = time_base(path, stream, fps)
        return cls(path, base, 1 / (base * exact_rate(fps)))

    def begin(self, span: VideoSpan) -> Fraction:
        """Return when a span begins by its row, in units of `base`."""
        return Fraction(span.from_timestamp) / self.base

    def number(self, time: int, first: int) -> int:
        """Return the number of the frame that is shown at `time`, from that of an episode's first frame on."""
        return round((time - first) / self.step)

    def nearest(self, times: Sequence[int], span: VideoSpan, at_start: bool = True) -> int:
        """Return the index of the frame that is shown nearest to where a span begins, of those at the sorted `times`.

        at_start: whether the first of them is the first of the video; a span may begin any time before that one. Raises
        DatasetError when none is within half a frame, or two are equally near.
        """
        begin = self.begin(span)
        after = bisect_left(times, begin)
        if after == 0 and at_start and times:
            return 0
        near = sorted((abs(times[k] - begin) / self.step, k) for k in (after - 1, after) if 0 <= k < len(times))
        if len(near) == 2 and near[1][0] - near[0][0] < _EQUALLY_NEAR:
            raise DatasetError(
                f"the video {self.path} shows two frames equally near to {span.from_timestamp:g} s, where an episode "
                "should begin: have the program that wrote the data set write its from_timestamp again"
            )
        if not near or near[0][0] > Fraction(1, 2):
            raise DatasetError(
                f"the video {self.path} shows no frame at {span.from_timestamp:g} s, where an episode should begin: "
                "check the data set"
            )
        return near[0][1]

    def require_number(self, time: int, first: int, expected: int) -> None:
        """Raise DatasetError unless the frame at `time` has the number `expected`."""
        number = self.number(time, first)
        if number > expected:
            raise DatasetError(f"the video {self.path} lacks its frame {expected}: check the data set")
        if number < expected:
            raise DatasetError(
                f"the video {self.path} shows two frames in the time of its frame {number}: check the data set"
            )

    def require_length(self, there: int, length: int) -> None:
        """Raise DatasetError unless `length` frames are there."""
        if there != length:
            raise DatasetError(f"the video {self.path} has {there} of the {length} frames of its episode")
