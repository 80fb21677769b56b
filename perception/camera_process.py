"""The process that reads one camera and publishes what it sees, for as long as anyone may want it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from perception.camera import Camera, CameraOptions, MakeCamera, Picture
from robot.addresses import FRAMES, STATE
from robot.camera_spec import CameraSpec
from robot.clock import Pacer
from robot.errors import CameraError, ConfigurationError
from robot.messages import Frame, encode
from robot.publisher import Publisher
from robot.registry import CAMERAS, load

TOPIC = b"frame"
PATIENCE_S = 2.0
"""How long a camera may take over one picture, or two of its periods where that is longer."""

# A subscriber that does not keep up misses pictures; it never makes this process wait, nor later ones older.
_QUEUE = 2


def camera(
    source: str = "sim",
    name: str = "front",
    width: int = 64,
    height: int = 64,
    rate_hz: float = 30.0,
    frames_address: str = FRAMES,
    state_address: str = STATE,
    duration_s: float | None = None,
) -> None:
    """Publish a camera's pictures until Ctrl-C.

    Args:
        source: Which kind of camera; `sim` draws what the simulated arm's driver says there is.
        name: What the camera is called on the wire and in data sets.
        width: Picture width in pixels.
        height: Picture height in pixels.
        rate_hz: Pictures a second.
        frames_address: Where to publish the pictures.
        state_address: Where the driver publishes its state; simulated cameras follow it.
        duration_s: Stop by itself after so many seconds.
    """
    if duration_s is not None and not 0 < duration_s < float("inf"):
        raise ConfigurationError(f"a duration of {duration_s:g} s: give more than 0, or leave it out to go on for ever")
    options = CameraOptions(name, width, height, rate_hz, state_address)
    make_camera: MakeCamera = load(CAMERAS, source)
    publish(make_camera(options), options, frames_address, duration_s)


def publish(camera: Camera, options: CameraOptions, address: str, duration_s: float | None = None) -> None:
    """Start `camera` and publish its pictures at `address` at absolute deadlines, for `duration_s` or for ever.

    Says first what it bound, and last how well it kept its pace. Raises `CameraError` when the camera cannot
    start, stops sending, or sends other pictures than it said; `AddressInUse`.
    """
    with Publisher(address, _QUEUE) as publisher, _started(camera, options, publisher.endpoint):
        spec = camera.spec
        patience_s = max(PATIENCE_S, 2 / options.rate_hz)
        end_ns = None if duration_s is None else time.monotonic_ns() + round(duration_s * 1e9)
        pacer = Pacer(1 / options.rate_hz)
        sent = 0
        last_ns = -1
        try:
            while end_ns is None or time.monotonic_ns() < end_ns:
                pacer.wait()
                picture = camera.read(patience_s)
                if picture.time_ns <= last_ns:
                    continue  # the camera has nothing newer; sending it again would pass for a new moment
                publisher.send(TOPIC, encode(_frame(picture, sent, spec), sent, time.monotonic_ns()))
                last_ns = picture.time_ns
                sent += 1
        finally:
            print(f"camera {options.name}: {sent} pictures sent; {pacer.report()}", flush=True)


@contextmanager
def _started(camera: Camera, options: CameraOptions, endpoint: str) -> Iterator[None]:
    """Open the camera, having said where its pictures will be, and release it however that ends."""
    print(
        f"camera {options.name}: {options.width}x{options.height} at {options.rate_hz:g} Hz on {endpoint}, "
        f"topic {TOPIC.decode()}; stop with Ctrl-C",
        flush=True,
    )
    try:
        camera.start()
        yield
    finally:
        camera.close()


def _frame(picture: Picture, index: int, spec: CameraSpec) -> Frame:
    """Return the message for one picture. Raises `CameraError` for one that is not what `spec` says."""
    image = picture.image
    if image.shape != (spec.height, spec.width, 3) or image.dtype != np.uint8:
        raise CameraError(
            f"camera {spec.name} gave a picture of shape {image.shape}, {image.dtype}; "
            f"it said ({spec.height}, {spec.width}, 3), uint8"
        )
    return Frame(picture.time_ns, index, spec, "rgb8", image.tobytes())
