"""`worldarm record`: record episodes of the arm into a data set; a simulated scene is reset automatically."""

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
    dataset: Annotated[Path, tyro.conf.arg(help="folder of the data set; an existing one is extended")],
    task: Annotated[str, tyro.conf.arg(help="description of the task, in words")],
    camera: Annotated[
        tuple[str, ...],
        tyro.conf.arg(help="addresses of the cameras: ADDRESS or NAME=ADDRESS each; a model uses the first"),
    ] = (),
    command_address: Annotated[str, tyro.conf.arg(help="command address of the driver")] = COMMAND,
    fps: Annotated[int, tyro.conf.arg(help="rows per second")] = 30,
    images: Annotated[Images, tyro.conf.arg(help="video: small, AV1; png: exact")] = "video",
    actions: Annotated[
        ConventionName,
        tyro.conf.arg(help=ACTIONS_HELP),
    ] = "tabletop",
    episodes: Annotated[int | None, tyro.conf.arg(help="record this many episodes without keys, then end")] = None,
    episode_s: Annotated[float, tyro.conf.arg(help="with --episodes: duration of an episode, seconds")] = 10.0,
    reset_s: Annotated[
        float, tyro.conf.arg(help="with --episodes: seconds between two, to reset the scene; 0: do not")
    ] = 5.0,
    longest_s: Annotated[float, tyro.conf.arg(help="longest duration of an episode, seconds")] = 300.0,
    seed: Annotated[
        int | None, tyro.conf.arg(help="random seed of the objects' poses after a reset; None: random")
    ] = None,
) -> None:
    """Record episodes while an agent, a teleoperation or a leader moves the arm.

    It needs a running driver and camera, and only listens to them. The exception is the reset of a simulated scene,
    which needs the lease to be free. On Ctrl-C, kept episodes are saved and an episode in progress is discarded.
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
                raise ConfigurationError(f"{error}; or give --episodes N, which needs no keys") from error
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
