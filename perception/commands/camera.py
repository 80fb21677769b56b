"""`worldarm camera`: publish a camera's pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeAlias

from perception.camera.calibration_file import load_calibration
from perception.camera.interface import CameraOptions
from perception.camera.publisher import publish
from perception.camera.source import SourceOptions, open_camera, usual_rate_hz
from robot.errors import ConfigurationError
from robot.system.scheduling import keep_pace
from robot.wire.addresses import FRAMES, STATE

Encoding: TypeAlias = Literal["raw", "jpeg"]


def camera(
    source: str = "sim",
    name: str = "front",
    width: int = 64,
    height: int = 64,
    rate_hz: float | None = None,
    encoding: Encoding = "raw",
    quality: int = 90,
    calibration: Path | None = None,
    capture: tuple[int, int] | None = None,
    loop: bool = True,
    frames_address: str = FRAMES,
    state_address: str = STATE,
    duration_s: float | None = None,
    realtime: bool = False,
) -> None:
    """Publish a camera's pictures until Ctrl-C.

    The middle of the sensor's picture is cut to the shape asked for and resized by area. A device that stalls or is
    unplugged is opened again until it is back; several cameras are several processes, each with a name and an address.

    Args:
        source: The camera: 0 or /dev/video0, a stream's URL, a video or picture file, or a kind by name; `sim` draws
            what the simulated arm's driver says there is.
        name: What the camera is called on the wire and in data sets.
        width: Picture width in pixels.
        height: Picture height in pixels.
        rate_hz: Pictures a second; a video's own, or 30, when left out.
        encoding: How pictures travel: exact, or smaller by far.
        quality: Of JPEG pictures, 1 to 100.
        calibration: File of `worldarm calibrate camera`: undistort by it, and publish the true focal lengths.
        capture: Width and height in which the device itself is to take pictures; the calibration's, or what the device
            likes, when left out.
        loop: Whether a video begins anew at its end.
        frames_address: Where to publish the pictures.
        state_address: Where the driver publishes its state; simulated cameras follow it.
        duration_s: Stop by itself after so many seconds.
        realtime: Run before every ordinary process (SCHED_FIFO), so that a busy machine does not make pictures late.
    """
    if duration_s is not None and not 0 < duration_s < float("inf"):
        raise ConfigurationError(f"a duration of {duration_s:g} s: give more than 0, or leave it out to go on for ever")
    if not 1 <= quality <= 100:
        raise ConfigurationError(f"--quality {quality}: JPEG knows 1 to 100")
    if capture is not None and min(capture) < 1:
        raise ConfigurationError(f"--capture {capture[0]} {capture[1]}: give a width and a height in pixels")
    known = None if calibration is None else load_calibration(calibration)
    rate_hz = usual_rate_hz(source) if rate_hz is None else rate_hz
    options = CameraOptions(name, width, height, rate_hz, state_address)
    opened = open_camera(source, options, SourceOptions(known, capture, loop))
    keep_pace(realtime)
    publish(opened, options, frames_address, duration_s, quality if encoding == "jpeg" else None)
