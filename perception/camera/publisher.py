"""Reads one camera and publishes its pictures at a constant rate until it ends."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import numpy as np

from perception.camera.feed import EndOfPictures
from perception.camera.interface import Camera, CameraOptions, HasSensor, Image, Picture
from robot.errors import CameraAway, CameraError
from robot.system.pacing import Pacer
from robot.system.text import printable
from robot.wire import topics
from robot.wire.camera_spec import CameraSpec
from robot.wire.messages import Frame, encode
from robot.wire.publisher import Publisher

PATIENCE_S = 2.0
"""The time limit for one picture; two of the camera's periods where that is longer."""

# A slow subscriber misses pictures; it never delays this process or later pictures.
_QUEUE = 2
_PATIENCE_SHARE = 0.5
"""The share of a period for which a picture may wait for the process that publishes it; after that it is left out."""


def publish(
    camera: Camera,
    options: CameraOptions,
    address: str,
    duration_s: float | None = None,
    jpeg_quality: int | None = None,
) -> None:
    """Start `camera` and publish its pictures at `address` at absolute deadlines, for `duration_s` or for ever,
    uncompressed or as JPEG of `jpeg_quality`.

    It prints the bound address first, then each time the camera is away and back, and last how well it kept its rate.
    Raises `CameraError` when the camera cannot start, stops sending for good, or sends pictures that do not match its
    specification, and `AddressInUse`.
    """
    with Publisher(address, _QUEUE) as publisher, _started(camera, options, publisher.endpoint):
        spec = camera.spec
        if isinstance(camera, HasSensor):
            print(f"camera {options.name}: {printable(camera.sensor())}", flush=True)
        patience_s = max(PATIENCE_S, 2 / options.rate_hz)
        end_ns = None if duration_s is None else time.monotonic_ns() + round(duration_s * 1e9)
        pacer = Pacer(1 / options.rate_hz)
        absence = _Absence(options.name)
        sent = 0
        last_ns = -1
        try:
            while end_ns is None or time.monotonic_ns() < end_ns:
                pacer.wait()
                try:
                    picture = camera.read(patience_s)
                except CameraAway as error:
                    absence.because(str(error))
                    continue
                except EndOfPictures as error:
                    print(f"camera {options.name}: {error}", flush=True)
                    break
                absence.over()
                if picture.time_ns <= last_ns:
                    continue  # the camera has nothing newer; a repeated picture would look like a new one
                payload = encode(_frame(picture, sent, spec, jpeg_quality), sent, time.monotonic_ns())
                publisher.send(topics.FRAME, payload, _PATIENCE_SHARE / options.rate_hz)
                last_ns = picture.time_ns
                sent += 1
        finally:
            print(f"camera {options.name}: {sent} pictures sent; {pacer.report()}", flush=True)


class _Absence:
    """Prints once why the camera `name` is away, again when the reason changes, and afterwards how long it was away."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._reason = ""
        self._since = 0.0

    def because(self, reason: str) -> None:
        """Print that the camera is away for `reason`, when that is new."""
        if not self._reason:
            self._since = time.monotonic()
        if reason != self._reason:
            self._reason = reason
            print(f"camera {self._name} is away: {printable(reason)}; retrying until it is back", flush=True)

    def over(self) -> None:
        """Print that the camera is back, if it was away."""
        if self._reason:
            self._reason = ""
            print(f"camera {self._name} is back after {time.monotonic() - self._since:.1f} s", flush=True)


@contextmanager
def _started(camera: Camera, options: CameraOptions, endpoint: str) -> Iterator[None]:
    """Print the address of the pictures, open the camera, and release it at the end, also after an error."""
    print(
        f"camera {options.name}: {options.width}x{options.height} at {options.rate_hz:g} Hz on {endpoint}, "
        f"topic {topics.FRAME.decode()}; stop with Ctrl-C",
        flush=True,
    )
    try:
        camera.start()
        yield
    finally:
        camera.close()


def _frame(picture: Picture, index: int, spec: CameraSpec, jpeg_quality: int | None) -> Frame:
    """Return the message for one picture. Raises `CameraError` for a picture that does not match `spec`."""
    image = picture.image
    if image.shape != (spec.height, spec.width, 3) or image.dtype != np.uint8:
        raise CameraError(
            f"camera {spec.name} gave a picture of shape {image.shape}, {image.dtype}; "
            f"its specification says ({spec.height}, {spec.width}, 3), uint8"
        )
    if jpeg_quality is None:
        return Frame(picture.time_ns, index, spec, "rgb8", image.tobytes())
    return Frame(picture.time_ns, index, spec, "jpeg", _to_jpeg(image, jpeg_quality))


def _to_jpeg(image: Image, quality: int) -> bytes:
    """Return `image` as a JPEG file. Raises `CameraError` when OpenCV cannot."""
    written, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not written:
        raise CameraError(f"a picture of {image.shape[1]}x{image.shape[0]} could not be encoded as JPEG")
    return bytes(data)
