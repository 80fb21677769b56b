"""Evaluation episodes in real time: driver, camera and agent over their sockets, with the judge listening beside."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType

import numpy as np

from control.interfaces import Decider
from control.runtime.session import Session
from control.runtime.step import Outcome, Step
from perception.camera.interface import Image
from perception.camera.subscriber import FrameSubscriber
from robot.arm.kinematics import Kinematics
from robot.client.client import Client
from robot.client.scene_client import SceneClient
from robot.wire.messages import SceneState
from sim.evaluation.episode import EpisodeRecord, judged
from sim.execution.processes import Addresses, SimulatedProcesses
from sim.tasks.environments import environment_of
from sim.tasks.scene_setup import set_stage
from sim.tasks.task import Goal, Subgoals

JUDGE_PATIENCE_S = 2.0


@dataclass(frozen=True)
class Take:
    """One decision of a real-time episode and how far (m) the world was from the goal when the block began during which
    it was made; for the judge alone."""

    step: Step
    distance_m: float


@dataclass(frozen=True)
class RealEpisode:
    """What the judge noted, every decision, and how the session ended."""

    record: EpisodeRecord
    takes: tuple[Take, ...]
    outcome: Outcome


class RealTime:
    """A context in which the simulated processes run and `run` puts a decider before one goal after another.

    Raises `ConnectionLost` and `CameraError` as the processes' clients do.
    """

    def __init__(self, decider: Decider) -> None:
        self._decider = decider
        self._embodiment = decider.embodiment
        self._processes = SimulatedProcesses(self._embodiment.camera)
        self._stack = ExitStack()

    def __enter__(self) -> RealTime:
        with ExitStack() as stack:
            self.addresses: Addresses = stack.enter_context(self._processes)
            self._frames = stack.enter_context(FrameSubscriber(self.addresses.frames))
            self._scenes = stack.enter_context(SceneClient(self.addresses.state))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def timing(self) -> list[str]:
        """Return what driver and camera said of their timing, once they have ended."""
        return self._processes.timing()

    def run(self, goal: Goal, subgoals: Subgoals = "none") -> RealEpisode:
        """Bring the world to the goal's start, let the agent go for it, and judge."""
        set_stage(self.addresses.command, environment_of(self._embodiment).convention, goal.start)
        with Client(self.addresses.command) as client:
            judge = Judge(goal, Kinematics(client.arm), self._scenes)
            outcome = Session(self._decider, client, self._frames, [judge]).pursue(goal.shown(subgoals), goal.budget)
        return RealEpisode(_record(goal, judge.takes, outcome, judge.final_m), tuple(judge.takes), outcome)


class Judge:
    """An observer: measures how far (m) the world is from `goal` when each block begins, and at last, `final_m`."""

    def __init__(self, goal: Goal, kinematics: Kinematics, scenes: SceneClient) -> None:
        self.takes: list[Take] = []
        self.final_m = goal.start_distance
        self._goal, self._kinematics, self._scenes = goal, kinematics, scenes

    def on_episode_start(self, goals: Sequence[Image]) -> None:
        """The scene was set beforehand."""

    def on_step(self, step: Step) -> None:
        """Measure where the block of `step` began. Raises `ConnectionLost` when the driver reports no scene."""
        scene = self._scenes.near(step.begins_ns, JUDGE_PATIENCE_S)
        self.takes.append(Take(step, _distance(self._goal, self._kinematics, scene)))

    def on_episode_end(self, outcome: Outcome | None) -> None:
        """Measure where it ended, unless an error ended it."""
        if outcome is not None:
            self.final_m = _distance(self._goal, self._kinematics, self._scenes.latest(JUDGE_PATIENCE_S))


def _distance(goal: Goal, kinematics: Kinematics, scene: SceneState) -> float:
    tool = kinematics.position(np.asarray(scene.joints))
    return goal.distance(tool, scene.objects)


def _record(goal: Goal, takes: list[Take], outcome: Outcome, final: float) -> EpisodeRecord:
    # The first block begins where the episode starts; after it, each begins at another's end.
    along = [take.distance_m for take in takes[1:]]
    end = takes[-1].step
    blocks = end.block if end.status == "reached" else end.block + 1
    return judged(goal, along, final, outcome.reached, blocks, outcome.decision_ms, outcome.late + outcome.missed)
