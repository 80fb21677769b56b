"""Finds out which frames of a video file belong to which of its episodes, and which to none; nothing is decoded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from robot.dataset.format.paths import inside
from robot.dataset.format.schema import DatasetInfo
from robot.dataset.format.tables import Episode
from robot.dataset.format.video_clock import VideoClock
from robot.dataset.format.video_file import opened_video
from robot.dataset.format.video_sharing import by_video
from robot.errors import DatasetError


@dataclass(frozen=True)
class Placement:
    """Where the episodes of a video file are in it, by their indices.

    begins_s: when the first frame of each is shown, s. wrong: why the frames of an episode are not all there, or not
    its own. surplus: the number of frames that belong to no episode.
    """

    begins_s: dict[int, float] = field(default_factory=dict)
    wrong: dict[int, str] = field(default_factory=dict)
    surplus: int = 0


def place_in_video(path: Path, episodes: Sequence[Episode], key: str, fps: float, pixels: int) -> Placement:
    """Return where the `episodes`, all that have their video `key` in the file `path`, are in it.

    pixels: the most that a frame has, as the data set declares. Raises DatasetError when the file is missing or broken.
    """
    with opened_video(path, pixels) as (container, stream):
        clock = VideoClock.of(path, stream, fps)
        times = sorted(
            packet.pts
            for packet in container.demux(stream)
            if packet.size and packet.pts is not None and not packet.is_discard
        )
    firsts: dict[int, int] = {}
    wrong: dict[int, str] = {}
    for episode in episodes:
        try:
            firsts[episode.index] = _first(clock, times, episode, key)
        except DatasetError as error:
            wrong[episode.index] = str(error)
    there = sorted((episode for episode in episodes if episode.index in firsts), key=lambda one: firsts[one.index])
    for before, after in pairwise(there):
        if firsts[after.index] < firsts[before.index] + before.length:
            wrong[before.index] = wrong[after.index] = (
                f"by their from_timestamp, the episodes {before.index} and {after.index} have frames of the video "
                f"{path} in common: have the program that wrote the data set write the times of its videos again"
            )
    return Placement(
        {index: float(times[first] * clock.base) for index, first in firsts.items()},
        wrong,
        len(times) - sum(episode.length for episode in there),
    )


def misplaced(root: Path, info: DatasetInfo, rows: Iterable[Episode]) -> tuple[dict[int, str], list[str]]:
    """Return why the frames of an episode's videos are not its own, by its index, and remarks about frames of none.

    A video that cannot be opened is left out: to decode it shows why.
    """
    wrong: dict[int, str] = {}
    remarks: list[str] = []
    for (key, chunk, file), sharing in by_video(rows).items():
        relative = info.video_file(key, chunk, file)
        try:
            found = place_in_video(inside(root, relative), sharing, key, info.fps, info.features[key].pixels)
        except DatasetError:
            continue
        wrong |= found.wrong
        if found.surplus > 0:
            remarks.append(f"{relative}: {found.surplus} frames belong to no episode, and are not used")
    return wrong, remarks


def _first(clock: VideoClock, times: Sequence[int], episode: Episode, key: str) -> int:
    """Return the index of an episode's first frame. Raises DatasetError when one of its frames is not there."""
    first = clock.nearest(times, episode.videos[key])
    shown = times[first : first + episode.length]
    for number, time in enumerate(shown):
        clock.require_number(time, times[first], number)
    clock.require_length(len(shown), episode.length)
    return first
