"""Checks the columns of one episode: their types and shapes, and every picture by decoding it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from robot.dataset.format.paths import inside
from robot.dataset.format.schema import DatasetInfo, Feature
from robot.dataset.format.tables import Episode
from robot.dataset.format.video_span import video_frames
from robot.dataset.reader import column_array
from robot.errors import DatasetError, PictureNotRead
from robot.system.files import sha256_of


def examine_columns(root: Path, info: DatasetInfo, row: Episode, table: pa.Table) -> dict[str, str]:
    """Return which columns of pictures worldarm does not read, with the reason.

    table: the episode's rows of its data file. Raises DatasetError when a column is damaged.
    """
    unread: dict[str, str] = {}
    for name, feature in info.features.items():
        try:
            if feature.dtype == "video":
                _examine_video(root, info, row, name)
                continue
            # Pictures one by one: together they may not fit into memory. A torn one is found here.
            at_once = 1 if feature.is_picture else row.length
            for begin in range(0, row.length, at_once):
                _examine_values(name, feature, column_array(name, feature, table[name].slice(begin, at_once)))
        except PictureNotRead as reason:
            unread[name] = str(reason)
    return unread


def _examine_values(name: str, feature: Feature, values: npt.NDArray[Any]) -> None:
    if values.shape[1:] != (() if feature.shape == (1,) else feature.shape):
        raise DatasetError(f"{name!r} has the shape {values.shape[1:]}, not {feature.shape}")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise DatasetError(f"{name!r} holds a number that is not finite")


def _examine_video(root: Path, info: DatasetInfo, row: Episode, key: str) -> None:
    """Raise DatasetError unless the episode's video `key` decodes to the frames that were stored.

    A codec notices few damaged bytes: it draws other pictures. So the file is also compared with its digest, which sets
    of earlier versions and of other programs do not have.
    """
    span, feature = row.videos[key], info.features[key]
    relative = info.video_file(key, span.chunk, span.file)
    path = inside(root, relative)
    for frame in video_frames(path, span, row.length, info.fps, feature.pixels, feature.channels):
        if frame.shape != feature.shape:
            raise DatasetError(f"the video {key!r} has the shape {frame.shape}, not {feature.shape}")
    if key in row.digests and sha256_of(path) != row.digests[key]:
        raise DatasetError(f"the video {relative} is not the one that was stored: its bytes have changed")
