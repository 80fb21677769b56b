"""Practice: the agent goes for pictures, and the scripted policy takes turns with it.

Play never visits the states that an agent's own mistakes lead to, and there nobody has shown what to do. In practice
the agent makes its mistakes, and the hand goes on from them (after DAgger, Ross et al. 2011, but without labels: what
was done is recorded as it was done, and learnt from in hindsight).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from control.agent import Agent
from control.model.trained_model import load_trained
from control.policies import make_agent
from robot.arm.interface import ObjectPose, Vector
from robot.embodiment.observation import Observation
from robot.embodiment.tool_displacement import ToolTarget
from robot.wire.camera_spec import CameraSpec
from sim.policies.interface import CorrelatedNoise, ScriptedPolicy
from sim.tasks.environments import Environment
from sim.world.panda import panda_spec

AGENT_BLOCKS = (8, 26)
HAND_BLOCKS = (8, 22)
NOISE_SCALES = (0.0, 0.08, 0.2)
"""How far an agent's actions are off on purpose: one that always does the same errs always in the same places."""


class Practice:
    """An agent to practise with, and a second world where its goals are arranged and seen."""

    def __init__(self, environment: Environment, camera: CameraSpec, checkpoint: Path) -> None:
        """Raises `CheckpointError` when the checkpoint is none, or was made for another arm or camera."""
        trained = load_trained(checkpoint)
        trained.card.require(panda_spec().name, camera)
        self._environment = environment
        self._elsewhere = environment.world(camera)
        usual = trained.decision.search
        # Half as many futures, half as far: twice and more the practice in the same time.
        quick = msgspec.structs.replace(usual, samples=usual.samples // 2, horizon=usual.horizon // 2)
        config = msgspec.structs.replace(trained.decision, search=quick)
        self.agents = make_agent(trained, config=config), make_agent(trained, "actor-only")

    def close(self) -> None:
        """Free the second world."""
        self._elsewhere.close()

    def goal(self, rng: np.random.Generator, objects: Sequence[ObjectPose]) -> np.ndarray:
        """Return a picture (H, W, 3) uint8 RGB of the same objects, arranged otherwise."""
        convention = self._environment.convention
        there = self._environment.rearranged(rng, convention, objects)
        self._elsewhere.reset(convention, there.tool, there.objects)
        return self._elsewhere.picture()

    def turns(self, policy: ScriptedPolicy, rng: np.random.Generator) -> Turns:
        """Begin an episode of practice with the `policy`."""
        return Turns(self, policy, rng, self._environment.convention.size)


class Turns:
    """Who acts in one episode of practice: the hand and the agent, one after the other, some blocks each."""

    def __init__(self, practice: Practice, policy: ScriptedPolicy, rng: np.random.Generator, size: int) -> None:
        """`size` is the number of entries of an action."""
        self._practice, self._policy, self._rng = practice, policy, rng
        self._noise = CorrelatedNoise(rng, size, float(rng.choice(NOISE_SCALES)))
        self._agent: Agent | None = practice.agents[0] if rng.random() < 0.5 else None
        self._left = 0
        self.clean_action: Vector = np.zeros(size)
        """What the last action (A,) would have been without noise."""

    def act(self, seen: Observation, committed: Vector, tool: ToolTarget, objects: Sequence[ObjectPose]) -> Vector:
        """Return an action (A,) in [−1, 1]: `seen` and the running action `committed` (A,) are for the agent, the
        set-point `tool` and the poses of the `objects` on the table for the hand."""
        if self._left == 0:
            self._change(objects)
        self._left -= 1
        if self._agent is None:
            action = self._policy.act(tool, objects)
            self.clean_action = self._policy.clean_action
            return action
        decision = self._agent.decide(seen, committed)
        if decision.reached:
            self._left = 0
        binary = list(self._agent.trained.card.world_model.binary)
        noise = self._noise.draw().copy()
        noise[binary] = 0.0
        self.clean_action = decision.action
        return np.clip(decision.action + noise, -1.0, 1.0)

    def _change(self, objects: Sequence[ObjectPose]) -> None:
        """Hand over: to the hand, which looks anew at what it finds, or to an agent with a new goal."""
        rng = self._rng
        if self._agent is not None:
            self._agent = None
            self._policy.rethink()
            self._left = int(rng.integers(*HAND_BLOCKS))
            return
        self._agent = self._practice.agents[rng.integers(2)]
        self._agent.set_goal(self._practice.goal(rng, objects))
        self._left = int(rng.integers(*AGENT_BLOCKS))
