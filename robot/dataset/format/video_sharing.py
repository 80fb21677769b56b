"""Which episodes share a video file, as in the sets of programs that put several episodes into one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from robot.dataset.format.tables import Episode


def by_video(episodes: Iterable[Episode]) -> dict[tuple[str, int, int], list[Episode]]:
    """Return the episodes of each video file, by its key, chunk and number."""
    found: dict[tuple[str, int, int], list[Episode]] = defaultdict(list)
    for episode in episodes:
        for key, span in episode.videos.items():
            found[key, span.chunk, span.file].append(episode)
    return dict(found)
