"""`worldarm teleop`: a person moves the arm; from a page, what they do can be recorded."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated

import tyro

from robot.embodiment.actions import ConventionName
from robot.errors import ConfigurationError
from robot.teleop.launch import TeleopOptions, run_teleop
from robot.teleop.recording_interface import Recording
from robot.wire.camera_spec import Images


def teleop(
    options: Annotated[TeleopOptions, tyro.conf.arg(name="")] = TeleopOptions(),
    dataset: Annotated[
        Path | None, tyro.conf.arg(help="web: record into this data set; one that is there is gone on with")
    ] = None,
    task: Annotated[str | None, tyro.conf.arg(help="web: what is done in the episodes, in words")] = None,
    fps: Annotated[int, tyro.conf.arg(help="web: rows a second of what is recorded")] = 30,
    images: Annotated[Images, tyro.conf.arg(help="web: video: small, AV1; png: exact")] = "video",
    actions: Annotated[
        ConventionName, tyro.conf.arg(help="web: what a model will do, as for `worldarm record`")
    ] = "tabletop",
) -> None:
    """Move the arm by hand, simulated or real, slowly at first; what is not held does not move.

    Needs a driver that runs. SPACE stops the arm at once, as STOP does on a page; Ctrl-C ends, and the arm holds.
    """
    if (dataset is None) != (task is None):
        raise ConfigurationError("recording takes both, --dataset DIR and --task 'what is done'")
    recorder: Callable[[], AbstractContextManager[Recording]] | None = None
    if dataset is not None and task is not None:

        def recorder() -> AbstractContextManager[Recording]:
            # Only here: it takes seconds to bring in, and nobody else needs it.
            from sim.record_process import recorder_for

            return recorder_for(dataset, task, options.command_address, options.camera, fps, images, actions)

    run_teleop(options, recorder)
