"""Practice: the agent pursues goal pictures, in turn with the scripted policy.

Play never visits the states to which an agent's own mistakes lead, so no data shows how to continue there. In practice
the agent makes its mistakes, and the scripted policy continues from them (after DAgger, Ross et al. 2011, but without
labels: the executed actions are recorded, and learnt from in hindsight).
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
POLICY_BLOCKS = (8, 22)
NOISE_SCALES = (0.0, 0.08, 0.2)
"""The standard deviations of the noise on an agent's actions: without noise it would make the same mistakes in every
episode."""

ONE_THING = 0.5
"""The share of goals in which one thing alone counts."""
MOVED_M = 0.01


class Practice:
    """The agents for practice, and a second world in which their goals are arranged and rendered."""

    def __init__(self, environment: Environment, camera: CameraSpec, checkpoint: Path) -> None:
        """Raises `CheckpointError` when the file is not a checkpoint, or was made for another arm or camera."""
        trained = load_trained(checkpoint)
        trained.card.require(panda_spec().name, camera)
        self._environment = environment
        self._elsewhere = environment.world(camera)
        usual = trained.decision_config.search
        # Half as many samples and half the horizon: more than twice the practice in the same time.
        quick = msgspec.structs.replace(usual, samples=usual.samples // 2, horizon=usual.horizon // 2)
        config = msgspec.structs.replace(trained.decision_config, search=quick)
        self.agents = make_agent(trained, config=config), make_agent(trained, "actor-only")

    def close(self) -> None:
        """Free the second world."""
        self._elsewhere.close()

    def set_goal(self, agent: Agent, rng: np.random.Generator, objects: Sequence[ObjectPose]) -> None:
        """Give `agent` a goal picture of the same objects in another arrangement. If it can leave things out of a goal,
        only one thing that is elsewhere counts in half of the pictures that show one."""
        convention = self._environment.convention
        there = self._environment.rearranged(rng, convention, objects)
        self._elsewhere.reset(convention, there.tool, there.objects)
        picture = self._elsewhere.picture()
        (goal,) = agent.latent_goals([picture])
        if agent.masks_goals and rng.random() < ONE_THING:
            moved = _moved_colours(objects, there.objects)
            seen = [name for name in goal.things if name in moved]
            if seen:
                goal = goal.of_things([str(rng.choice(seen))])
        agent.set_latent_goals([goal], [picture])

    def turns(self, policy: ScriptedPolicy, rng: np.random.Generator) -> Turns:
        """Begin an episode of practice with the scripted policy `policy`."""
        return Turns(self, policy, rng, self._environment.convention.size)


class Turns:
    """The actors of one episode of practice: the scripted policy and an agent in turn, several blocks each."""

    def __init__(self, practice: Practice, policy: ScriptedPolicy, rng: np.random.Generator, size: int) -> None:
        """`size` is the number of entries of an action."""
        self._practice, self._policy, self._rng = practice, policy, rng
        self._noise = CorrelatedNoise(rng, size, float(rng.choice(NOISE_SCALES)))
        self._agent: Agent | None = practice.agents[0] if rng.random() < 0.5 else None
        self._left = 0
        self.clean_action: Vector = np.zeros(size)
        """The last action (A,) before its noise."""

    def act(self, seen: Observation, committed: Vector, tool: ToolTarget, objects: Sequence[ObjectPose]) -> Vector:
        """Return an action (A,) in [−1, 1]. The agent uses the observation `seen` and the running action `committed`
        (A,); the scripted policy uses the set-point `tool` and the poses of the `objects` on the table."""
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
        """Change the actor: to the scripted policy, which chooses a new skill, or to an agent with a new goal."""
        rng = self._rng
        if self._agent is not None:
            self._agent = None
            self._policy.choose_again()
            self._left = int(rng.integers(*POLICY_BLOCKS))
            return
        self._agent = self._practice.agents[rng.integers(2)]
        self._practice.set_goal(self._agent, rng, objects)
        self._left = int(rng.integers(*AGENT_BLOCKS))


def _moved_colours(objects: Sequence[ObjectPose], there: Sequence[ObjectPose]) -> set[str]:
    """Return the colours, the first words of their names, of the `objects` that are elsewhere in the arrangement
    `there`."""
    places = {item.name: np.asarray(item.position) for item in there}
    moved = [item.name for item in objects if np.linalg.norm(places[item.name] - item.position) > MOVED_M]
    return {name.partition("_")[0] for name in moved}
