"""What the agent's tests share: a tiny untrained checkpoint, and the simulated driver and camera as a user starts
them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch

from control.model.trained_model import TrainedModel, load_trained, new_parts, save_trained
from control.policies import Method, make_agent
from control.runtime.session import Session
from control.runtime.step import Outcome, Step, StepObserver
from perception.camera.image_file import save_picture
from perception.camera.subscriber import FrameSubscriber
from perception.checkpoint.card import SCHEMA, Card, HeadsConfig, PictureErrors, PictureQuantiles, Provenance
from perception.model.encoders import EncoderConfig
from perception.model.world_model import WorldModelConfig
from robot.arm.interface import Vector
from robot.arm.kinematics import Kinematics
from robot.client.client import Client
from robot.embodiment.actions import PLANAR_PUSH
from robot.embodiment.convention import ArmConvention
from robot.embodiment.description import EmbodimentDescription
from robot.embodiment.proprioception import STATE_NAMES
from robot.wire.messages import JointState
from robot.wire.subscription import Subscription
from sim.world.cameras import front_camera
from sim.world.panda import panda_spec
from tests.commands import Running, running
from tests.sim.execution.process_table import SimulatedDriver, simulated_driver
from tests.tiny import critic_says

ANY_PORT = "tcp://127.0.0.1:*"
NEVER, AT_ONCE = -1.0, 1e9
GOAL = np.full((64, 64, 3), 90, np.uint8)
KINEMATICS = Kinematics(panda_spec())


def card(block_change: float = NEVER) -> Card:
    """The card of a model of the simulated arm that has learnt nothing; `block_change` says when it is content."""
    embodiment = EmbodimentDescription(panda_spec().name, front_camera(), PLANAR_PUSH, STATE_NAMES)
    sizes = WorldModelConfig(latent=16, width=32, blocks=1)
    # Nothing is certain at the first look, so that what comes after it is seen; and every picture looks known.
    decision = {"goal_detection": {"sure": 0.0}}
    nowhere = Provenance("none", 0, 0, 0, {}, 0.0, {})
    any_error = PictureQuantiles(2.0, 2.0, 2.0)
    known = PictureErrors(any_error, any_error, 1)
    return Card(SCHEMA, embodiment, sizes, HeadsConfig(0.96), block_change, nowhere, (), decision, known)


def entity_card(block_change: float = NEVER) -> Card:
    """The card of a model of two entity tokens, whose heads may leave one of them out. Since each cell is shared by
    both, one of the two holds any thing. Up to `block_change`, any place is the same place."""
    made = card(block_change)
    encoder = EncoderConfig("entities", {"features": "8"})
    sizes = msgspec.structs.replace(made.world_model, latent=22, keypoints=0, entities=2, encoder=encoder)
    anywhere = {"same_place": 1e6} if block_change > NEVER else {}
    decision = {"goal_detection": {**made.decision["goal_detection"], **anywhere}}
    return msgspec.structs.replace(made, world_model=sizes, heads=HeadsConfig(0.96, masked=True), decision=decision)


def card_for(action: ArmConvention[Any]) -> Card:
    """The same for a model whose actions are those of `action`."""
    made = changed(card(), action=action, state_names=action.state_names)
    sizes = msgspec.structs.replace(
        made.world_model, proprio=len(action.state_names), action=action.size, binary=action.binary
    )
    return msgspec.structs.replace(made, world_model=sizes)


def checkpoint(folder: Path, made: Card | None = None) -> Path:
    """Write an untrained checkpoint."""
    made = made or card()
    torch.manual_seed(0)
    save_trained(folder, TrainedModel(made, critic_says(new_parts(made.world_model, made.heads))))
    return folder


def goal_file(folder: Path) -> Path:
    """Write a goal picture of the right size."""
    path = folder / "goal.png"
    save_picture(path, GOAL)
    return path


def changed(made: Card, **changes: object) -> Card:
    """The card with its embodiment changed."""
    return msgspec.structs.replace(made, embodiment=msgspec.structs.replace(made.embodiment, **changes))


class Steps:
    """An observer from outside the package: keeps what it hears, and does `then` with each step."""

    def __init__(self, then: Callable[[Step], object] | None = None) -> None:
        self.begun = 0
        self.steps: list[Step] = []
        self.ended: list[Outcome | None] = []
        self._then = then

    def on_episode_start(self, goals: Sequence[np.ndarray]) -> None:
        self.begun += 1

    def on_step(self, step: Step) -> None:
        self.steps.append(step)
        if self._then is not None:
            self._then(step)

    def on_episode_end(self, outcome: Outcome | None) -> None:
        self.ended.append(outcome)


@dataclass(frozen=True)
class Stage:
    """The processes that an agent needs."""

    driver: SimulatedDriver
    camera: Running

    @property
    def frames(self) -> str:
        """Where the camera publishes."""
        return self.camera.endpoint

    def words(self, folder: Path, *options: str) -> list[str]:
        """The words of `worldarm run` here, with a checkpoint, a goal and the output in `folder`."""
        return [
            *("run", "--goal", str(goal_file(folder)), "--checkpoint", str(checkpoint(folder / "model"))),
            *("--output", str(folder / "out"), "--command-address", self.driver.command),
            *("--frames-address", self.frames, "--decisions-address", ANY_PORT, *options),
        ]


@contextmanager
def stage(width: int = 64, height: int = 64) -> Iterator[Stage]:
    """Start the simulated driver and its front camera."""
    with simulated_driver() as driver:
        words = ["camera", "--rate-hz", "50", "--width", str(width), "--height", str(height)]
        with running(*words, "--state-address", driver.state, "--frames-address", ANY_PORT) as camera:
            assert "front" in camera.first_line
            yield Stage(driver, camera)


@contextmanager
def session(
    here: Stage,
    folder: Path,
    method: Method = "random",
    made: Card | None = None,
    observers: Sequence[StepObserver] = (),
) -> Iterator[Session]:
    """A session with an untrained agent in this process."""
    agent = make_agent(load_trained(checkpoint(folder / "model", made)), method)
    with ExitStack() as parts:
        client = parts.enter_context(Client(here.driver.command, 5.0))
        frames = parts.enter_context(FrameSubscriber(here.frames))
        yield Session(agent, client, frames, observers)


@contextmanager
def states(address: str) -> Iterator[Subscription[JointState]]:
    """Every state from now on; drain it in the end."""
    with Subscription(address, b"state", JointState, keep=100_000) as following:
        following.wait(10.0)
        yield following


class Watch:
    """Keeps every state of the arm from a thread of its own, as a busy test would lose some."""

    def __init__(self, address: str) -> None:
        self._following = states(address)
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._follow)
        self.seen: list[JointState] = []

    def _follow(self) -> None:
        with self._following as following:
            while not self._done.is_set():
                following.drain()
                time.sleep(0.05)
            self.seen = list(following.history)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()


def tool(state: JointState) -> Vector:
    """Where the state's set-point has the tool (3,) m."""
    return KINEMATICS.position(np.asarray(state.governed))
