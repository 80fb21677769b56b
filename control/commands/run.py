"""The command `worldarm run`: moves the arm until the world looks like a picture."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import tyro

from control.agent import Agent, Subgoals
from control.decision_config import with_changes
from control.decision_options import DecisionOptions, explicit_settings
from control.model.trained_model import PRETRAINED, load_trained
from control.policies import Method, make_agent
from control.runtime.decision_publisher import DecisionPublisher
from control.runtime.run_strip import draw_strip
from control.runtime.session import FIRST_PICTURE_S, Session
from control.runtime.step import Outcome, Step
from perception.camera.goal_source import read_goal
from perception.camera.image_file import save_picture
from perception.camera.interface import Image
from perception.camera.subscriber import FrameSubscriber
from perception.checkpoint.files import load_card
from robot.client.client import Client
from robot.errors import ConfigurationError
from robot.system.files import make_folder
from robot.system.seeds import require_seed
from robot.wire.addresses import COMMAND, DECISIONS, FRAMES
from robot.wire.camera_spec import CameraSpec

STRIP_FILE = "strip.png"


@dataclass(frozen=True)
class RunOptions:
    """What `worldarm run` takes; its fields' help says what each is."""

    goal: Annotated[
        tuple[str, ...],
        tyro.conf.arg(help="pictures to make true one after another, each a file or DATASET:EPISODE:FRAME"),
    ]
    subgoals: Annotated[
        Subgoals, tyro.conf.arg(help="auto: find states that it remembers on the way to a goal that is far")
    ] = "none"
    checkpoint: Annotated[
        Path, tyro.conf.arg(help="folder of the model, or the name of one that comes with worldarm")
    ] = PRETRAINED
    method: Annotated[Method, tyro.conf.arg(help="how to choose actions; all but full are for comparison")] = "full"
    blocks: Annotated[
        int | None, tyro.conf.arg(help="give up after this number of blocks; None goes on until Ctrl-C")
    ] = 40
    seed: Annotated[int, tyro.conf.arg(help="seed of the planner's samples")] = 0
    output: Annotated[Path, tyro.conf.arg(help="folder for the strip of pictures")] = Path("out/run")
    frames_address: Annotated[str, tyro.conf.arg(help="where the camera publishes its pictures")] = FRAMES
    command_address: Annotated[str, tyro.conf.arg(help="where the driver takes commands")] = COMMAND
    decisions_address: Annotated[str, tyro.conf.arg(help="where to publish each decision")] = DECISIONS


def run(
    options: Annotated[RunOptions, tyro.conf.arg(name="")],
    decision: Annotated[
        DecisionOptions, tyro.conf.arg(help="how the agent plans and when it says done")
    ] = DecisionOptions(),
) -> int:
    """Move the arm until the world looks like the goal picture; given several, like each of them in turn.

    Needs a driver and a camera that run. The exit status is 0 when the agent says that the goal is reached, 1 when it
    is not; on Ctrl-C the arm holds.
    """
    if options.blocks is not None and options.blocks < 1:
        raise ConfigurationError(f"--blocks must be at least 1, not {options.blocks}")
    require_seed(options.seed)
    # One thread a decision: a second one gains little on nets this small, and takes the driver's and camera's core.
    torch.set_num_threads(1)
    if not options.goal:
        raise ConfigurationError("--goal needs at least one picture")
    camera = load_card(options.checkpoint).embodiment.camera
    pictures = [read_goal(one, camera, lambda: _sent(options.frames_address)) for one in options.goal]
    trained = load_trained(options.checkpoint)
    config = with_changes(trained.decision_config, explicit_settings(decision))
    agent = make_agent(trained, options.method, options.seed, config, options.subgoals)
    make_folder(options.output)  # before anything moves, not after
    outcome = _pursue(agent, pictures, options)
    print(_summary(outcome), flush=True)
    strip = options.output / STRIP_FILE
    save_picture(strip, draw_strip(pictures[-1], outcome.first, outcome.last, outcome.imagined))
    print(f"pictures in {strip}", flush=True)
    return 0 if outcome.reached else 1


def _pursue(agent: Agent, pictures: Sequence[Image], options: RunOptions) -> Outcome:
    """Move the arm towards one of `pictures` after another, publishing and printing each decision."""
    with ExitStack() as parts:
        decisions = parts.enter_context(DecisionPublisher(options.decisions_address))
        client = parts.enter_context(Client(options.command_address))
        frames = parts.enter_context(FrameSubscriber(options.frames_address))
        session = Session(agent, client, frames, [decisions, ProgressPrinter()])
        print(
            f"run: towards {', then '.join(options.goal)} with {options.checkpoint}, method {options.method}; "
            f"decisions on {decisions.endpoint}; stop with Ctrl-C, then the arm holds",
            flush=True,
        )
        sent, camera = session.sent, agent.embodiment.camera
        if (sent.width, sent.height) != (camera.width, camera.height):
            views = len(camera.views)
            print(
                f"run: camera {sent.name} sends {sent.width}x{sent.height // views}; the model sees the middle of it "
                f"as {camera.width}x{camera.height // views}",
                flush=True,
            )
        # The collector would walk all that torch loaded, for longer than a block may take.
        gc.collect()
        gc.freeze()
        try:
            return session.pursue(pictures, options.blocks)
        finally:
            gc.unfreeze()


class ProgressPrinter:
    """An observer: prints a line for each decision."""

    def on_episode_start(self, goals: Sequence[Image]) -> None:
        """Nothing to print yet."""

    def on_step(self, step: Step) -> None:
        """Print how far the goal is and how long deciding took."""
        decision = step.decision
        after = f" and {decision.remaining_subgoals} goals after it" if decision.remaining_subgoals else ""
        print(
            f"block {step.block:3d}: {decision.distance:5.1f} blocks to go{after}, decided in "
            f"{1e3 * decision.seconds:.0f} ms, "
            f"{step.command_ms:.0f} ms after the picture: {step.status}",
            flush=True,
        )

    def on_episode_end(self, outcome: Outcome | None) -> None:
        """The command itself prints the summary."""


def _sent(frames_address: str) -> CameraSpec:
    """Return what camera sends pictures there. Raises `CameraError` when none does."""
    with FrameSubscriber(frames_address) as frames:
        return frames.latest(FIRST_PICTURE_S).camera


def _summary(outcome: Outcome) -> str:
    median, high = np.percentile(outcome.decision_ms, (50, 99))
    subgoals = "".join(
        f"sub-goal {number}: {'reached' if subgoal.reached else 'given up'} after {subgoal.blocks} blocks\n"
        for number, subgoal in enumerate(outcome.finished_subgoals, start=1)
    )
    return subgoals + (
        f"{'reached' if outcome.reached else 'not reached'}: {outcome.reason}\n"
        f"{outcome.decisions} decisions, median {median:.0f} ms, p99 {high:.0f} ms; {outcome.late} late, "
        f"{outcome.missed} missed"
    )
