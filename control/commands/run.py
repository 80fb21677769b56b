"""The command `worldarm run`: moves the arm until the world looks like a picture."""

from __future__ import annotations

import gc
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import tyro

from control.agent import Subgoals
from control.model.trained_model import PRETRAINED, load_trained
from control.policies import Method, make_agent
from control.runtime.decision_publisher import DecisionPublisher
from control.runtime.run_strip import draw_strip
from control.runtime.session import FIRST_PICTURE_S, Outcome, Session, Step
from perception.camera.goal_source import read_goal
from perception.camera.image_file import save_picture
from perception.camera.subscriber import FrameSubscriber
from perception.checkpoint.files import load_card
from robot.client.client import Client
from robot.errors import ConfigurationError
from robot.system.files import make_folder
from robot.system.seeds import require_seed
from robot.wire.addresses import COMMAND, DECISIONS, FRAMES
from robot.wire.camera_spec import CameraSpec

STRIP_FILE = "strip.png"


def run(
    goal: Annotated[
        tuple[str, ...],
        tyro.conf.arg(help="pictures to make true one after another, each a file or DATASET:EPISODE:FRAME"),
    ],
    subgoals: Annotated[
        Subgoals, tyro.conf.arg(help="auto: find states that it remembers on the way to a goal that is far")
    ] = "none",
    checkpoint: Annotated[
        Path, tyro.conf.arg(help="folder of the model, or the name of one that comes with worldarm")
    ] = PRETRAINED,
    method: Annotated[Method, tyro.conf.arg(help="how to choose actions; all but full are for comparison")] = "full",
    blocks: Annotated[int | None, tyro.conf.arg(help="give up after so many blocks; None goes on until Ctrl-C")] = 40,
    seed: Annotated[int, tyro.conf.arg(help="seed of the planner's samples")] = 0,
    output: Annotated[Path, tyro.conf.arg(help="folder for the strip of pictures")] = Path("out/run"),
    frames_address: Annotated[str, tyro.conf.arg(help="where the camera publishes its pictures")] = FRAMES,
    command_address: Annotated[str, tyro.conf.arg(help="where the driver takes commands")] = COMMAND,
    decisions_address: Annotated[str, tyro.conf.arg(help="where to publish each decision")] = DECISIONS,
) -> int:
    """Move the arm until the world looks like the goal picture; given several, like each of them in turn.

    Needs a driver and a camera that run. The exit status is 0 when the agent says that the goal is reached, 1 when it
    is not; on Ctrl-C the arm holds.
    """
    if blocks is not None and blocks < 1:
        raise ConfigurationError(f"--blocks must be at least 1, not {blocks}")
    require_seed(seed)
    # One thread a decision: a second one gains little on nets this small, and takes the driver's and camera's core.
    torch.set_num_threads(1)
    if not goal:
        raise ConfigurationError("--goal needs at least one picture")
    camera = load_card(checkpoint).embodiment.camera
    pictures = [read_goal(one, camera, lambda: _sent(frames_address)) for one in goal]
    agent = make_agent(load_trained(checkpoint), method, seed, subgoals=subgoals)
    make_folder(output)  # before anything moves, not after
    with ExitStack() as parts:
        decisions = parts.enter_context(DecisionPublisher(decisions_address))
        client = parts.enter_context(Client(command_address))
        frames = parts.enter_context(FrameSubscriber(frames_address))
        session = Session(agent, client, frames, decisions)
        print(
            f"run: towards {', then '.join(goal)} with {checkpoint}, method {method}; decisions on "
            f"{decisions.endpoint}; stop with Ctrl-C, then the arm holds",
            flush=True,
        )
        sent = session.sent
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
            outcome = session.pursue(pictures, blocks, _tell)
        finally:
            gc.unfreeze()
    print(_summary(outcome), flush=True)
    strip = output / STRIP_FILE
    save_picture(strip, draw_strip(pictures[-1], outcome.first, outcome.last, outcome.imagined))
    print(f"pictures in {strip}", flush=True)
    return 0 if outcome.reached else 1


def _sent(frames_address: str) -> CameraSpec:
    """Return what camera sends pictures there. Raises `CameraError` when none does."""
    with FrameSubscriber(frames_address) as frames:
        return frames.latest(FIRST_PICTURE_S).camera


def _tell(step: Step) -> None:
    decision = step.decision
    after = f" and {decision.ahead} goals after it" if decision.ahead else ""
    print(
        f"block {step.block:3d}: {decision.distance:5.1f} blocks to go{after}, decided in "
        f"{1e3 * decision.seconds:.0f} ms, "
        f"{step.command_ms:.0f} ms after the picture: {step.status}",
        flush=True,
    )


def _summary(outcome: Outcome) -> str:
    median, high = np.percentile(outcome.decision_ms, (50, 99))
    legs = "".join(
        f"sub-goal {number}: {'reached' if leg.reached else 'given up'} after {leg.blocks} blocks\n"
        for number, leg in enumerate(outcome.legs, start=1)
    )
    return legs + (
        f"{'reached' if outcome.reached else 'not reached'}: {outcome.reason}\n"
        f"{outcome.decisions} decisions, median {median:.0f} ms, p99 {high:.0f} ms; {outcome.late} late, "
        f"{outcome.missed} missed"
    )
