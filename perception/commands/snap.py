"""`worldarm snap`: one picture of what a camera sees now, such as the goal that the arm is to bring about."""

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
    output: Annotated[Path, tyro.conf.arg(help="the file: .png is exact, .jpg is not")],
    camera: Annotated[str, tyro.conf.arg(help="where the camera publishes its pictures")] = FRAMES,
    overwrite: Annotated[bool, tyro.conf.arg(help="take the place of a file that is there")] = False,
    timeout_s: Annotated[float, tyro.conf.arg(help="how long to wait for the picture")] = 5.0,
) -> None:
    """Take one picture from a camera process, as the agent sees it, and write it to a file.

    A goal for `worldarm run` is such a picture: arrange things as they should be, take it, and put things back.
    """
    if output.suffix.lower() not in SUFFIXES:
        raise ConfigurationError(f"--output {output}: end the name in one of {', '.join(SUFFIXES)}")
    if not 0 < timeout_s <= 3600:
        raise ConfigurationError(f"--timeout-s must be above 0 and at most 3600, not {timeout_s:g}")
    if output.exists() and not overwrite:
        raise ConfigurationError(f"{output} is there already: choose another name, or say --overwrite")
    require_writable(output)
    with FrameSubscriber(camera) as frames:
        frame = frames.latest(timeout_s)
    save_picture(output, frame.image)
    print(f"snap: {output}, {frame.camera.width}x{frame.camera.height} from the camera {frame.camera.name}")
