"""`worldarm record`: episodes of whatever moves the arm, into a data set; a simulated scene is reset by itself."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue
from typing import Annotated

import tyro

from perception.recording.driven_arm import convention_for
from perception.recording.recorder import Recorder
from perception.recording.saver import Saved
from perception.recording.session import HandsFree, RecordingSession
from perception.recording.simulated_scene import simulated_scene_reset
from perception.recording.sources import camera_addresses
from robot.embodiment.actions import ACTIONS_HELP, ConventionName
from robot.errors import ConfigurationError
from robot.teleop.devices.terminal import Terminal
from robot.wire.addresses import COMMAND
from robot.wire.camera_spec import Images


def record(
    dataset: Annotated[Path, tyro.conf.arg(help="folder of the data set; one that is there is gone on with")],
    task: Annotated[str, tyro.conf.arg(help="what is done in the episodes, in words")],
    camera: Annotated[
        tuple[str, ...],
        tyro.conf.arg(help="where cameras publish: ADDRESS or NAME=ADDRESS each; a model sees through the first"),
    ] = (),
    command_address: Annotated[str, tyro.conf.arg(help="where the driver takes commands")] = COMMAND,
    fps: Annotated[int, tyro.conf.arg(help="rows a second")] = 30,
    images: Annotated[Images, tyro.conf.arg(help="video: small, AV1; png: exact")] = "video",
    actions: Annotated[
        ConventionName,
        tyro.conf.arg(help=ACTIONS_HELP),
    ] = "tabletop",
    episodes: Annotated[int | None, tyro.conf.arg(help="record so many without keys, and end")] = None,
    episode_s: Annotated[float, tyro.conf.arg(help="seconds of an episode then")] = 10.0,
    reset_s: Annotated[float, tyro.conf.arg(help="seconds between two, to reset the scene; 0: leave it")] = 5.0,
    longest_s: Annotated[float, tyro.conf.arg(help="an episode ends by itself after so many seconds")] = 300.0,
    seed: Annotated[int | None, tyro.conf.arg(help="of where a reset puts simulated objects; None: any")] = None,
) -> None:
    """Record episodes of whatever moves the arm: an agent, a teleoperation, a leader.

    Needs a driver and a camera that run. It listens only, but for a reset of a simulated scene, which needs the arm to
    be free. Ctrl-C ends: what was kept is saved, an episode that is under way is forgotten.
    """
    plan = None if episodes is None else HandsFree(episodes, episode_s, reset_s)
    addresses = camera_addresses(camera)
    convention = convention_for(command_address, actions)
    rearrange = simulated_scene_reset(command_address, convention, seed)
    saved: SimpleQueue[Saved] = SimpleQueue()
    with ExitStack() as parts:
        terminal = None
        if plan is None or sys.stdin.isatty():
            try:
                terminal = parts.enter_context(Terminal())
            except ConfigurationError as error:
                raise ConfigurationError(f"{error}; or say --episodes N, and no keys are needed") from error
        recorder = parts.enter_context(
            Recorder(
                dataset, task, command_address, addresses, fps, images, convention, longest_s, rearrange, saved.put
            )
        )
        seen = ", ".join(f"{name} {camera.width}x{camera.height}" for name, camera in recorder.cameras.items())
        opening = f"record: {recorder.arm} seen by {seen} into {dataset}, {fps} rows a second as {images}"
        if terminal is None:
            print(opening, flush=True)
        else:
            terminal.say(opening)
        kept = RecordingSession(recorder, saved, terminal, plan).run()
    print(f"record: {kept} episodes kept in {dataset}", flush=True)
