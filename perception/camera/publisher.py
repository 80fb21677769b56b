"""Reading one camera and publishing what it sees, at a steady rate, until it ends."""

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
from robot.wire import topics
from robot.wire.camera_spec import CameraSpec
from robot.wire.messages import Frame, encode
from robot.wire.publisher import Publisher

PATIENCE_S = 2.0
"""How long a camera may take over one picture, or two of its periods where that is longer."""

# A subscriber that does not keep up misses pictures; it never makes this process wait, nor later ones older.
_QUEUE = 2


def publish(
    camera: Camera,
    options: CameraOptions,
    address: str,
    duration_s: float | None = None,
    jpeg_quality: int | None = None,
) -> None:
    """Start `camera` and publish its pictures at `address` at absolute deadlines, for `duration_s` or for ever, exactly
    or as JPEG of `jpeg_quality`.

    Says first what it bound, then when the camera is away and when it is back, and last how well it kept its pace.
    Raises `CameraError` when the camera cannot start, stops sending for good, or sends other pictures than it said;
    `AddressInUse`.
    """
    with Publisher(address, _QUEUE) as publisher, _started(camera, options, publisher.endpoint):
        spec = camera.spec
        if isinstance(camera, HasSensor):
            print(f"camera {options.name}: {camera.sensor()}", flush=True)
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
                    continue  # the camera has nothing newer; sending it again would pass for a new moment
                publisher.send(
                    topics.FRAME, encode(_frame(picture, sent, spec, jpeg_quality), sent, time.monotonic_ns())
                )
                last_ns = picture.time_ns
                sent += 1
        finally:
            print(f"camera {options.name}: {sent} pictures sent; {pacer.report()}", flush=True)


class _Absence:
    """Says once why the camera called `name` is away, again when the reason changes, and for how long it was."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._reason = ""
        self._since = 0.0

    def because(self, reason: str) -> None:
        """Say that the camera is away for `reason`, where that is news."""
        if not self._reason:
            self._since = time.monotonic()
        if reason != self._reason:
            self._reason = reason
            print(f"camera {self._name} is away: {reason}; it is tried again until it is back", flush=True)

    def over(self) -> None:
        """Say that it is back, where it was away."""
        if self._reason:
            self._reason = ""
            print(f"camera {self._name} is back after {time.monotonic() - self._since:.1f} s", flush=True)


@contextmanager
def _started(camera: Camera, options: CameraOptions, endpoint: str) -> Iterator[None]:
    """Open the camera, having said where its pictures will be, and release it however that ends."""
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
    """Return the message for one picture. Raises `CameraError` for one that is not what `spec` says."""
    image = picture.image
    if image.shape != (spec.height, spec.width, 3) or image.dtype != np.uint8:
        raise CameraError(
            f"camera {spec.name} gave a picture of shape {image.shape}, {image.dtype}; "
            f"it said ({spec.height}, {spec.width}, 3), uint8"
        )
    if jpeg_quality is None:
        return Frame(picture.time_ns, index, spec, "rgb8", image.tobytes())
    return Frame(picture.time_ns, index, spec, "jpeg", _to_jpeg(image, jpeg_quality))


def _to_jpeg(image: Image, quality: int) -> bytes:
    """Return `image` as a JPEG file. Raises `CameraError` when OpenCV cannot."""
    written, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not written:
        raise CameraError(f"a picture of {image.shape[1]}x{image.shape[0]} could not be made a JPEG")
    return bytes(data)
