"""Encodes an episode while it is recorded, picture by picture, so that saving it takes little time."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack

import numpy as np
import numpy.typing as npt

from robot.dataset.format.encoding import EncodedEpisode, VideoEncoder, checked_vectors, encode_png
from robot.dataset.format.schema import BOOKKEEPING, Feature
from robot.dataset.format.statistics import PictureSample, vector_statistics
from robot.errors import DatasetError


class EpisodeEncoder:
    """Encodes one episode of a data set with these `features` (without the bookkeeping ones) and `fps`.

    Call `close` when done.
    """

    def __init__(self, features: Mapping[str, Feature], fps: float) -> None:
        self._features = {name: feature for name, feature in features.items() if name not in BOOKKEEPING}
        self._pictures = {name: feature for name, feature in self._features.items() if feature.is_picture}
        self._images: dict[str, list[bytes]] = {n: [] for n, f in self._pictures.items() if f.dtype == "image"}
        self._videos = {
            name: VideoEncoder(feature.shape[0], feature.shape[1], fps)
            for name, feature in self._pictures.items()
            if feature.dtype == "video"
        }
        self._samples = {name: PictureSample() for name in self._pictures}
        self.length = 0

    def add(self, pictures: Mapping[str, npt.NDArray[np.uint8]]) -> None:
        """Encode the next row's picture of each camera: (H, W, 3) uint8 RGB, by feature name.

        Raises DatasetError when a picture's type or shape differs from its feature's.
        """
        for name, feature in self._pictures.items():
            picture = pictures[name]
            if picture.shape != feature.shape or picture.dtype != np.uint8:
                raise DatasetError(f"a picture {name!r} is {picture.dtype} {picture.shape}, and not {feature.shape}")
        for name in self._pictures:
            if name in self._videos:
                self._videos[name].add(pictures[name])
            else:
                self._images[name].append(encode_png(pictures[name]))
            self._samples[name].add(pictures[name])
        self.length += 1

    def finish(self, columns: Mapping[str, npt.NDArray[np.generic]]) -> EncodedEpisode:
        """Return the episode of these pictures and the number `columns`, which have as many rows.

        Raises the errors of `encode_episode`.
        """
        wanted = self._features.keys() - self._pictures.keys()
        if wanted != columns.keys():
            raise DatasetError(f"the episode's columns are {sorted(columns)}, and not {sorted(wanted)}")
        if self.length == 0 or any(len(values) != self.length for values in columns.values()):
            raise DatasetError(f"an episode of {self.length} pictures needs as many rows of numbers, at least one")
        vectors = checked_vectors(self._features, columns)
        statistics = vector_statistics(vectors)
        statistics |= {name: sample.statistics() for name, sample in self._samples.items()}
        return EncodedEpisode(
            self.length,
            vectors,
            {name: tuple(files) for name, files in self._images.items()},
            {name: video.finish() for name, video in self._videos.items()},
            statistics,
        )

    def close(self) -> None:
        """Release the encoders; an episode that was not finished is lost."""
        with ExitStack() as stack:
            for video in self._videos.values():
                stack.callback(video.close)
