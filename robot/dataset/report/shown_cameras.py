"""Which cameras of an episode can be shown: worldarm does not read pictures of every kind."""

from __future__ import annotations

from collections.abc import Mapping

from robot.dataset.format.columns import camera_of
from robot.dataset.reader import Dataset
from robot.errors import PictureNotRead
from robot.system.text import printable

_SHOWN = 200


def shown_cameras(dataset: Dataset, index: int) -> tuple[list[str], dict[str, str]]:
    """Return the columns of an episode whose pictures are read, and those whose pictures are not, with the reason.

    The first picture decides. Raises DatasetError when the episode is absent or damaged.
    """
    shown, unread = [], {}
    for name, feature in dataset.features.items():
        if not feature.is_picture:
            continue
        try:
            next(dataset.frames(index, name), None)
            shown.append(name)
        except PictureNotRead as reason:
            unread[name] = str(reason)
    return shown, unread


def not_shown(unread: Mapping[str, str]) -> list[str]:
    """Return a line for each column whose pictures are not read, as `shown_cameras` returns them."""
    return [
        f"the camera {printable(camera_of(name), _SHOWN)} is not shown: {reason}" for name, reason in unread.items()
    ]
