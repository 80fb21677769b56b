"""`worldarm camera`: publish a camera's pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import tyro

from perception.camera.calibration_file import load_calibration
from perception.camera.interface import CameraOptions
from perception.camera.publisher import publish
from perception.camera.source import SourceOptions, open_camera, usual_rate_hz
from robot.errors import ConfigurationError
from robot.system.scheduling import keep_pace
from robot.wire.addresses import COMMAND, FRAMES, STATE

Encoding: TypeAlias = Literal["raw", "jpeg"]


@dataclass(frozen=True)
class CameraCommandOptions:
    """The options of `worldarm camera`; each field's help describes it."""

    source: Annotated[
        str,
        tyro.conf.arg(
            help="the camera: 0 or /dev/video0, a stream's URL, a video or picture file, or a registered name; `sim` "
            "renders the scene that the simulated arm's driver publishes"
        ),
    ] = "sim"
    name: Annotated[str, tyro.conf.arg(help="name of the camera on the wire and in data sets")] = "front"
    width: Annotated[int, tyro.conf.arg(help="picture width in pixels")] = 64
    height: Annotated[int, tyro.conf.arg(help="picture height in pixels")] = 64
    rate_hz: Annotated[float | None, tyro.conf.arg(help="pictures per second; None: a video's own rate, or 30")] = None
    encoding: Annotated[
        Encoding, tyro.conf.arg(help="encoding of published pictures: raw, exact; jpeg, much smaller")
    ] = "raw"
    quality: Annotated[int, tyro.conf.arg(help="quality of JPEG pictures, 1 to 100")] = 90
    calibration: Annotated[
        Path | None,
        tyro.conf.arg(
            help="file of `worldarm calibrate camera`: undistort pictures and publish the true focal lengths"
        ),
    ] = None
    capture: Annotated[
        tuple[int, int] | None,
        tyro.conf.arg(
            help="width and height in which the device itself takes pictures; None: the calibration's, or the device's "
            "own choice"
        ),
    ] = None
    loop: Annotated[bool, tyro.conf.arg(help="repeat a video from its end")] = True
    frames_address: Annotated[str, tyro.conf.arg(help="where to publish the pictures")] = FRAMES
    command_address: Annotated[
        str,
        tyro.conf.arg(help="where the driver takes commands: simulated cameras ask there where it publishes its state"),
    ] = COMMAND
    state_address: Annotated[
        str | None,
        tyro.conf.arg(help="where the driver publishes its state, for simulated cameras; None: ask at the command one"),
    ] = None
    duration_s: Annotated[float | None, tyro.conf.arg(help="end after this many seconds; None: run until Ctrl-C")] = (
        None
    )
    realtime: Annotated[
        bool,
        tyro.conf.arg(help="run with real-time priority (SCHED_FIFO), so that a busy machine delays no picture"),
    ] = False


def camera(options: Annotated[CameraCommandOptions, tyro.conf.arg(name="")] = CameraCommandOptions()) -> None:
    """Publish a camera's pictures until Ctrl-C.

    The centre of the sensor's picture is cropped to the requested shape and resized by area. A device that stalls or is
    unplugged is reopened until it is back, and a simulated camera waits for a driver that has ended. Each camera needs
    its own process, name and address.
    """
    duration_s, quality, capture = options.duration_s, options.quality, options.capture
    if duration_s is not None and not 0 < duration_s < float("inf"):
        raise ConfigurationError(
            f"a duration of {duration_s:g} s: give more than 0, or leave it out to run until Ctrl-C"
        )
    if not 1 <= quality <= 100:
        raise ConfigurationError(f"--quality {quality}: give a number from 1 to 100")
    if capture is not None and min(capture) < 1:
        raise ConfigurationError(f"--capture {capture[0]} {capture[1]}: give a width and a height in pixels")
    known = None if options.calibration is None else load_calibration(options.calibration)
    rate_hz = usual_rate_hz(options.source) if options.rate_hz is None else options.rate_hz
    driver = (STATE, options.command_address) if options.state_address is None else (options.state_address, None)
    wanted = CameraOptions(options.name, options.width, options.height, rate_hz, *driver)
    opened = open_camera(options.source, wanted, SourceOptions(known, capture, options.loop))
    keep_pace(options.realtime)
    publish(opened, wanted, options.frames_address, duration_s, quality if options.encoding == "jpeg" else None)
