"""`worldarm snap`: save one picture from a camera, for instance the goal for the arm."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro

from perception.camera.image_file import SUFFIXES, save_picture
from perception.camera.subscriber import FrameSubscriber
from robot.errors import ConfigurationError
from robot.system.files import require_writable
from robot.wire.addresses import FRAMES


def snap(
    output: Annotated[Path, tyro.conf.arg(help="output file: .png is exact, .jpg is not")],
    camera: Annotated[str, tyro.conf.arg(help="address of the camera process")] = FRAMES,
    overwrite: Annotated[bool, tyro.conf.arg(help="replace an existing file")] = False,
    timeout_s: Annotated[float, tyro.conf.arg(help="how long to wait for the picture, seconds")] = 5.0,
) -> None:
    """Take one picture from a camera process, as the agent receives it, and write it to a file.

    Such a picture is a goal for `worldarm run`: arrange the objects as they should be, take the picture, and put the
    objects back.
    """
    if output.suffix.lower() not in SUFFIXES:
        raise ConfigurationError(f"--output {output}: end the name in one of {', '.join(SUFFIXES)}")
    if not 0 < timeout_s <= 3600:
        raise ConfigurationError(f"--timeout-s must be above 0 and at most 3600, not {timeout_s:g}")
    if output.exists() and not overwrite:
        raise ConfigurationError(f"{output} exists already: choose another name, or give --overwrite")
    require_writable(output)
    with FrameSubscriber(camera) as frames:
        frame = frames.latest(timeout_s)
    save_picture(output, frame.image)
    print(f"snap: {output}, {frame.camera.width}x{frame.camera.height} from the camera {frame.camera.name}")
