"""Evaluation episodes in real time: driver, camera and agent communicate over sockets, and the judge listens."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType

import numpy as np

from control.interfaces import Decider
from control.runtime.outcome import outcome_of
from control.runtime.session import Session
from control.runtime.step import Outcome, Step
from perception.camera.interface import Image
from perception.camera.subscriber import FrameSubscriber
from robot.arm.kinematics import Kinematics
from robot.client.client import Client
from robot.client.scene_client import SceneClient
from robot.errors import Refused, ThingNotFound
from robot.wire.messages import SceneState
from sim.evaluation.episode import EpisodeRecord, begin, counted, judged, not_found
from sim.execution.processes import Addresses, SimulatedProcesses
from sim.tasks.environments import environment_of
from sim.tasks.scene_setup import set_up_start
from sim.tasks.task import Goal, Subgoals

JUDGE_PATIENCE_S = 2.0


@dataclass(frozen=True)
class JudgedDecision:
    """One decision of a real-time episode, and the world's `scene` and distance (m) from the goal at the start of the
    block during which it was made; for the judge and for films only."""

    step: Step
    distance_m: float
    scene: SceneState


@dataclass(frozen=True)
class RealEpisode:
    """The judge's record, every decision, the session's outcome, the scene at the end, and the `fault` of the arm that
    ended the episode, if any, in the driver's words."""

    record: EpisodeRecord
    decisions: tuple[JudgedDecision, ...]
    outcome: Outcome
    final: SceneState
    fault: str = ""


class RealTime:
    """A context in which the simulated processes run; `run` evaluates the decider on one goal.

    Raises `ConnectionLost` when a process does not answer, and `CameraError` when no pictures come.
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
        """Return the timing reports of driver and camera, after they have ended."""
        return self._processes.timing()

    def run(self, goal: Goal, subgoals: Subgoals = "none") -> RealEpisode:
        """Set up the goal's start, run the decider on the goal, and judge the result. A fault of the arm, such as a
        joint that is blocked because the decider presses the hand on a thing, ends the episode, and is cleared.

        Raises as `Session.pursue`, and `ThingNotFound` for a decider that does not find the goal's things in its
        picture."""
        set_up_start(self.addresses.command, environment_of(self._embodiment).convention, goal.start)
        with Client(self.addresses.command) as client:
            judge = Judge(goal, Kinematics(client.arm), self._scenes)
            # Any goal: a level may show what no training data does.
            session = Session(self._decider, client, self._frames, [judge], any_goal=True)
            fault = ""
            try:
                outcome = session.pursue(
                    goal.shown(subgoals), goal.budget, lambda: begin(self._decider, goal, subgoals)
                )
            except Refused as refusal:
                if refusal.reason != "fault" or not judge.decisions:
                    raise
                fault = refusal.detail
                client.reset()
                judge.measure_end()
                steps = [decision.step for decision in judge.decisions]
                outcome = outcome_of(steps, steps[-1].frame.image, goal.budget)
        record = counted(_record(goal, judge.decisions, outcome, judge.final_m), goal, judge.final.objects)
        return RealEpisode(record, tuple(judge.decisions), outcome, judge.final, fault)

    def measure(self, goal: Goal, subgoals: Subgoals = "none") -> EpisodeRecord:
        """Return the record of `run`, also for a decider that does not find the goal's things in its picture."""
        began = time.perf_counter()
        try:
            return self.run(goal, subgoals).record
        except ThingNotFound:
            return not_found(goal, 1e3 * (time.perf_counter() - began))


class Judge:
    """An observer that measures the distance (m) from `goal` at the start of each block and at the end (`final_m`), and
    keeps the scene at these times (`final` at the end).

    Raises `ConnectionLost` when the driver at `scenes` sends none.
    """

    def __init__(self, goal: Goal, kinematics: Kinematics, scenes: SceneClient) -> None:
        self.decisions: list[JudgedDecision] = []
        self.final_m = goal.start_distance
        self.final = scenes.latest(JUDGE_PATIENCE_S)
        self._goal, self._kinematics, self._scenes = goal, kinematics, scenes

    def on_episode_start(self, goals: Sequence[Image]) -> None:
        """Nothing to do: the scene was set up before."""

    def on_step(self, step: Step) -> None:
        """Measure the distance at the block's start. Raises `ConnectionLost` when the driver sends no scene."""
        scene = self._scenes.near(step.begins_ns, JUDGE_PATIENCE_S)
        self.decisions.append(JudgedDecision(step, _distance(self._goal, self._kinematics, scene), scene))

    def on_episode_end(self, outcome: Outcome | None) -> None:
        """Measure the final distance, unless an error ended the episode."""
        if outcome is not None:
            self.measure_end()

    def measure_end(self) -> None:
        """Measure the final distance now."""
        self.final = self._scenes.latest(JUDGE_PATIENCE_S)
        self.final_m = _distance(self._goal, self._kinematics, self.final)


def _distance(goal: Goal, kinematics: Kinematics, scene: SceneState) -> float:
    tool = kinematics.position(np.asarray(scene.joints))
    return goal.distance(tool, scene.objects)


def _record(goal: Goal, decisions: list[JudgedDecision], outcome: Outcome, final: float) -> EpisodeRecord:
    # The first block begins at the episode's start; each later one begins at the end of the one before.
    along = [decision.distance_m for decision in decisions[1:]]
    end = decisions[-1].step
    blocks = end.block if end.status == "reached" else end.block + 1
    return judged(goal, along, final, outcome.reached, blocks, outcome.decision_ms, outcome.late + outcome.missed)
