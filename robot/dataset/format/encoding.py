"""Encodes an episode's arrays into what is stored: checked numbers, PNG and AV1 bytes. Any process may do it.

Encoding is the costly part of saving, so workers that generate episodes call `encode_episode` and pass the
result to the process that has the `DatasetWriter`.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt

from robot.dataset.format.picture_shape import CHANNELS
from robot.dataset.format.schema import BOOKKEEPING, Feature
from robot.dataset.format.statistics import Statistics, picture_statistics, vector_statistics
from robot.dataset.format.video_file import exact_rate
from robot.errors import DatasetError, PictureNotRead
from robot.system.av1 import add_av1_stream
from robot.system.bounds import MAX_PICTURE_PIXELS
from robot.system.picture_header import decode_as_stored, decode_within, is_tiff

_KINDS = {"float32": "fiu", "int64": "iu", "bool": "b"}  # numpy kinds that may be converted to each type
_VIDEO_OPTIONS = {"g": "2", "crf": "30", "preset": "12"}


@dataclass(frozen=True)
class EncodedEpisode:
    """One encoded episode of T = `length` frames, checked against the features of its data set."""

    length: int
    vectors: Mapping[str, npt.NDArray[np.generic]]  # (T,) for shape (1,), else (T, n)
    images: Mapping[str, tuple[bytes, ...]] = field(default_factory=dict)  # T PNG files
    videos: Mapping[str, bytes] = field(default_factory=dict)  # one MP4 file
    statistics: Statistics = field(default_factory=dict)


def encode_episode(
    features: Mapping[str, Feature], fps: float, columns: Mapping[str, npt.NDArray[np.generic]]
) -> EncodedEpisode:
    """Check and encode one episode.

    features: the set's features; bookkeeping columns among them are left to the writer.
    columns: name → array with first axis T: (T, n), or (T,) for shape (1,); pictures (T, H, W, 3) uint8 RGB.
    Raises DatasetError when a column is missing, unknown, of another shape or type, or not finite.
    """
    wanted = {name: feature for name, feature in features.items() if name not in BOOKKEEPING}
    if missing := sorted(wanted.keys() - columns.keys()):
        raise DatasetError(f"the episode lacks the columns {', '.join(missing)}")
    if unknown := sorted(columns.keys() - wanted.keys()):
        raise DatasetError(f"the data set has no columns {', '.join(unknown)}")
    lengths = {name: len(columns[name]) if columns[name].ndim else 0 for name in wanted}
    length = min(lengths.values())
    if length == 0:
        raise DatasetError("an episode needs at least one frame")
    if uneven := {name: count for name, count in lengths.items() if count != length}:
        raise DatasetError(f"the columns differ in length: {uneven}, others {length}")
    numbers = {name: columns[name] for name, feature in wanted.items() if not feature.is_picture}
    vectors = checked_vectors(wanted, numbers)
    statistics = vector_statistics(vectors)
    images: dict[str, tuple[bytes, ...]] = {}
    videos: dict[str, bytes] = {}
    for name, feature in wanted.items():
        if not feature.is_picture:
            continue
        frames = _checked_frames(name, feature, columns[name])
        statistics[name] = picture_statistics(frames)
        if feature.dtype == "image":
            images[name] = tuple(encode_png(frame) for frame in frames)
        else:
            videos[name] = encode_video(frames, fps)
    return EncodedEpisode(length, vectors, images, videos, statistics)


def encode_png(frame: npt.NDArray[np.uint8]) -> bytes:
    """Return the PNG file of a frame (H, W, 3) uint8 RGB."""
    written, buffer = cv2.imencode(".png", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))  # the defaults are the fastest
    if not written:
        raise DatasetError(f"a picture of shape {frame.shape} could not be encoded as PNG")
    return buffer.tobytes()


def decode_picture(data: bytes, pixels: int = MAX_PICTURE_PIXELS, channels: int = 3) -> npt.NDArray[Any]:
    """Return the frame (H, W, channels), of at most `pixels`, in a PNG or JPEG file: uint8 RGB for three channels, RGBA
    for four; one channel, such as depth, as it is stored, uint8 or uint16.

    Raises PictureNotRead for other channels and for TIFF, DatasetError when `data` is not such a picture.
    """
    if channels not in CHANNELS or is_tiff(data):
        raise PictureNotRead(f"pictures of {channels} channels{' in TIFF' * is_tiff(data)} are not read")
    try:
        if channels == 3:
            return cv2.cvtColor(decode_within(data, pixels), cv2.COLOR_BGR2RGB)
        stored = np.atleast_3d(decode_as_stored(data, pixels))
    except ValueError as error:
        raise DatasetError(f"a stored picture of {len(data)} bytes cannot be decoded: it {error}") from error
    if stored.shape[2] != channels:
        raise DatasetError(f"a stored picture has {stored.shape[2]} channels, and {channels} are declared")
    return stored if channels == 1 else cv2.cvtColor(stored, cv2.COLOR_BGRA2RGBA)


def encode_video(frames: npt.NDArray[np.uint8], fps: float) -> bytes:
    """Return an MP4 file of frames (T, H, W, 3) uint8 RGB: AV1, constant frame rate, every second frame a key frame."""
    encoder = VideoEncoder(frames.shape[1], frames.shape[2], fps)
    try:
        for frame in frames:
            encoder.add(frame)
        return encoder.finish()
    finally:
        encoder.close()


class VideoEncoder:
    """Encodes pictures one by one into an MP4 file: AV1, constant frame rate, every second frame a key frame.

    It uses one thread and the fastest preset: episodes are short, and the machine also drives an arm.
    """

    def __init__(self, height: int, width: int, fps: float) -> None:
        rate = exact_rate(fps)
        self._time_base = 1 / rate
        self._count = 0
        self._closed = False
        self._target = io.BytesIO()
        self._container = av.open(self._target, mode="w", format="mp4")
        self._stream = add_av1_stream(self._container, rate, width, height, _VIDEO_OPTIONS)

    def add(self, pixels: npt.NDArray[np.uint8]) -> None:
        """Encode the next frame, (H, W, 3) uint8 RGB."""
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
        frame.pts, frame.time_base = self._count, self._time_base
        self._container.mux(self._stream.encode(frame))
        self._count += 1

    def finish(self) -> bytes:
        """Return the file with all frames."""
        self.close()
        return self._target.getvalue()

    def close(self) -> None:
        """Release the encoder, finished or not; a second call does nothing."""
        if not self._closed:
            self._closed = True
            if self._count:  # the encoder prints a warning when a video is not finished
                self._container.mux(self._stream.encode(None))
            self._container.close()


def checked_vectors(
    features: Mapping[str, Feature], columns: Mapping[str, npt.NDArray[np.generic]]
) -> dict[str, npt.NDArray[np.generic]]:
    """Return the number columns of an episode as they are stored. Raises the errors of `encode_episode`."""
    return {name: _checked_vector(name, features[name], values) for name, values in columns.items()}


def _checked_vector(name: str, feature: Feature, values: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    size = feature.shape[0]
    if values.shape[1:] != (size,) and not (size == 1 and values.ndim == 1):
        raise DatasetError(f"the column {name!r} must have the shape (T, {size}); it is {values.shape}")
    if values.dtype.kind not in _KINDS[feature.dtype]:
        raise DatasetError(f"the column {name!r} must be {feature.dtype}; it is {values.dtype}")
    with np.errstate(over="ignore"):  # a number too large for float32 becomes infinite and is refused below
        stored = np.ascontiguousarray(values, dtype=feature.dtype)
    if not np.isfinite(stored).all():
        raise DatasetError(f"the column {name!r} holds a number that is not finite")
    return stored.reshape(-1) if size == 1 else stored


def _checked_frames(name: str, feature: Feature, frames: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    if frames.dtype != np.uint8 or frames.shape[1:] != feature.shape:
        raise DatasetError(
            f"the pictures {name!r} must be uint8 of shape (T, {', '.join(map(str, feature.shape))}); "
            f"they are {frames.dtype} of shape {frames.shape}"
        )
    return frames.astype(np.uint8, copy=False)
