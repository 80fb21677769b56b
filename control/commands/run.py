"""`worldarm run`: moves the arm until the camera's picture matches the goal picture."""

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
from control.goals.latent_goal import LatentGoal
from control.goals.moves import Move
from control.model.trained_model import PRETRAINED, load_trained
from control.policies import Method, make_agent
from control.runtime.decision_publisher import DecisionPublisher
from control.runtime.run_strip import draw_strip
from control.runtime.session import FIRST_PICTURE_S, Session
from control.runtime.step import Outcome, Step
from perception.camera.goal_source import read_goal
from perception.camera.image_file import save_picture
from perception.camera.interface import Image
from perception.camera.subscriber import FrameSubscriber, ReceivedFrame, seen_as
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
    """The options of `worldarm run`."""

    goal: Annotated[
        tuple[str, ...],
        tyro.conf.arg(help="goal pictures, reached in this order; each is a file or DATASET:EPISODE:FRAME"),
    ] = ()
    only: Annotated[
        tyro.conf.UseAppendAction[tuple[str, ...]],
        tyro.conf.arg(
            help="a thing of the goal pictures that matters, named by its colour, for example red_cube; all others "
            "and the arm may be elsewhere; can be given several times"
        ),
    ] = ()
    move: Annotated[
        str | None,
        tyro.conf.arg(
            help="a thing to be moved, named by its colour, for example red_cube: a goal without a picture, "
            "with --to or --on"
        ),
    ] = None
    to: Annotated[
        str | None,
        tyro.conf.arg(help="where to --move it: X,Y in m in the arm's base frame, for example 0.45,0.1"),
    ] = None
    on: Annotated[str | None, tyro.conf.arg(help="the thing on which to put what is to --move, named likewise")] = None
    subgoals: Annotated[
        Subgoals,
        tyro.conf.arg(
            help="auto: insert remembered states as sub-goals on the way to a distant goal; things (for models with "
            "entities): put one thing after another in its place, the nearest first, and go back to one that is "
            "displaced again"
        ),
    ] = "none"
    checkpoint: Annotated[
        Path, tyro.conf.arg(help="folder of the model, or the name of one that comes with worldarm")
    ] = PRETRAINED
    method: Annotated[
        Method, tyro.conf.arg(help="how to choose actions; the methods other than full are for comparison")
    ] = "full"
    blocks: Annotated[
        int | None, tyro.conf.arg(help="give up after this number of blocks; None goes on until Ctrl-C")
    ] = 40
    any_goal: Annotated[
        bool, tyro.conf.arg(help="pursue a goal picture even if it looks like nothing that the model knows")
    ] = False
    seed: Annotated[int, tyro.conf.arg(help="seed of the planner's samples")] = 0
    output: Annotated[Path, tyro.conf.arg(help="folder for the strip of pictures")] = Path("out/run")
    frames_address: Annotated[str, tyro.conf.arg(help="address at which the camera publishes pictures")] = FRAMES
    command_address: Annotated[str, tyro.conf.arg(help="address at which the driver takes commands")] = COMMAND
    decisions_address: Annotated[str, tyro.conf.arg(help="address at which to publish each decision")] = DECISIONS


def run(
    options: Annotated[RunOptions, tyro.conf.arg(name="")],
    decision: Annotated[
        DecisionOptions, tyro.conf.arg(help="how the agent plans, and when a goal counts as reached")
    ] = DecisionOptions(),
) -> int:
    """Move the arm until the camera's picture matches the goal picture, or each of several goal pictures in order, or
    until one thing is where it should be (--move).

    A driver and a camera must be running. If the picture matches as the arm rests, nothing moves. A goal picture that
    looks like nothing the model knows is refused before anything moves. The exit status is 0 when the agent reports
    that the goal is reached, and 1 otherwise. On Ctrl-C the arm holds.
    """
    if options.blocks is not None and options.blocks < 1:
        raise ConfigurationError(f"--blocks must be at least 1, not {options.blocks}")
    require_seed(options.seed)
    # A second thread gains little with networks this small, and takes a core from the driver and the camera.
    torch.set_num_threads(1)
    move = _move(options)
    camera = load_card(options.checkpoint).embodiment.camera
    source = _Source(options.frames_address)
    pictures = (
        [source.picture(camera)] if move is not None else [read_goal(one, camera, source.sent) for one in options.goal]
    )
    trained = load_trained(options.checkpoint)
    config = with_changes(trained.decision_config, explicit_settings(decision))
    agent = make_agent(trained, options.method, options.seed, config, options.subgoals)
    task = _task(agent, options, pictures, move)
    make_folder(options.output)  # before anything moves, not after
    outcome = _pursue(agent, task, options, source.seen)
    print(_summary(outcome), flush=True)
    strip = options.output / STRIP_FILE
    save_picture(strip, draw_strip(task.shown, outcome))
    print(f"pictures in {strip}", flush=True)
    return 0 if outcome.reached else 1


def _move(options: RunOptions) -> Move | None:
    """Return the move that the options ask for; None when they give goal pictures. Raises `ConfigurationError` when
    they give neither, or both."""
    if options.move is None:
        if options.to is not None or options.on is not None:
            raise ConfigurationError("--to and --on say where a thing is moved; name the thing by --move")
        if not options.goal:
            raise ConfigurationError("--goal needs at least one picture; or name a thing by --move")
        return None
    if options.goal or options.only:
        raise ConfigurationError("--move is a goal of its own: give it without --goal and --only")
    return Move.of(options.move, options.to, options.on)


@dataclass(frozen=True)
class _Task:
    """What is pursued: the task in `words`, its `goals`, the `pictures` that they come from, and the one that is
    `shown` as the goal."""

    words: str
    goals: Sequence[LatentGoal]
    pictures: Sequence[Image]
    shown: Image


def _task(agent: Agent, options: RunOptions, pictures: Sequence[Image], move: Move | None) -> _Task:
    if move is None:
        goals = agent.latent_goals(pictures, options.only)
        return _Task(", then ".join(options.goal), goals, pictures, pictures[-1])
    goal = agent.moved_goal(pictures[0], move)
    # No picture shows this goal, so the model draws it.
    return _Task(str(move), [goal], pictures, agent.draw(goal.latent))


def _pursue(agent: Agent, task: _Task, options: RunOptions, seen: CameraSpec | None) -> Outcome:
    """Pursue the goals of `task` in order; publish and print each decision. The pictures were read for the camera
    `seen`; any camera when None."""
    with ExitStack() as parts:
        decisions = parts.enter_context(DecisionPublisher(options.decisions_address))
        client = parts.enter_context(Client(options.command_address))
        frames = parts.enter_context(FrameSubscriber(options.frames_address, seen))
        session = Session(agent, client, frames, [decisions, ProgressPrinter()], options.any_goal)
        _announce(session, agent, task, options, decisions.endpoint)
        # Otherwise a garbage collection would traverse everything that torch loaded, which takes longer than a block.
        gc.collect()
        gc.freeze()
        try:
            return session.pursue(
                task.pictures, options.blocks, lambda: agent.set_latent_goals(task.goals, task.pictures)
            )
        finally:
            gc.unfreeze()


def _announce(session: Session, agent: Agent, task: _Task, options: RunOptions, endpoint: str) -> None:
    """Print what is about to be done, and what a user should know of it."""
    print(
        f"run: towards {task.words} with {options.checkpoint}, method {options.method}; "
        f"decisions on {endpoint}; stop with Ctrl-C, then the arm holds",
        flush=True,
    )
    for number, goal in enumerate(task.goals, start=1):
        if goal.wanted is not None:
            tokens = ", ".join(str(token) for token in goal.wanted.nonzero().flatten().tolist())
            print(
                f"run: in goal {number} these matter: {', '.join(goal.things)} (tokens {tokens} of 0 to "
                f"{len(goal.wanted) - 1})",
                flush=True,
            )
    if agent.trained.card.picture_errors is None:
        print(
            f"run: the card of {options.checkpoint} cannot tell goal pictures that the model knows from others; "
            "`worldarm check --calibrate` adds what it needs",
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


class ProgressPrinter:
    """A step observer that prints a line for each decision."""

    def on_episode_start(self, goals: Sequence[Image]) -> None:
        """Print nothing."""

    def on_step(self, step: Step) -> None:
        """Print the distance to the goal and the time that deciding took."""
        decision = step.decision
        after = f" and {decision.remaining_subgoals} goals after it" if decision.remaining_subgoals else ""
        out = f", not in place: {', '.join(decision.out_of_place)}" if decision.out_of_place else ""
        print(
            f"block {step.block:3d}: {decision.distance:5.1f} blocks to go{after}{out}, decided in "
            f"{1e3 * decision.seconds:.0f} ms, "
            f"{step.command_ms:.0f} ms after the picture: {step.status}",
            flush=True,
        )

    def on_episode_end(self, outcome: Outcome | None) -> None:
        """Print nothing: the command prints the summary."""


class _Source:
    """The camera that sends pictures at `frames_address`; `seen` is its specification, None until it was asked for."""

    def __init__(self, frames_address: str) -> None:
        self._address = frames_address
        self.seen: CameraSpec | None = None

    def sent(self) -> CameraSpec:
        """Return the camera's specification. Raises `CameraError` when there is none."""
        return self._latest().camera

    def picture(self, camera: CameraSpec) -> Image:
        """Return the present picture, in the size of the model's `camera`. Raises `CameraError` when there is none."""
        return seen_as(self._latest(), camera).image.copy()

    def _latest(self) -> ReceivedFrame:
        with FrameSubscriber(self._address, self.seen) as frames:
            frame = frames.latest(FIRST_PICTURE_S)
        self.seen = frame.camera
        return frame


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
        + (f"; the driver was held up {outcome.held_up} times and dropped the plan" if outcome.held_up else "")
    )
