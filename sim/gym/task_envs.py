"""The tasks as Gymnasium environments: `import sim.gym.task_envs` registers them for `gymnasium.make`.

One step is one block, with the timing of the real arm: an action is sent during the block before its own, and takes
effect when that block ends. Goals are drawn apart from the benchmark's, so that a model trained here can be measured on
the benchmark.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from robot.errors import ConfigurationError
from sim.evaluation.episode import distance_left
from sim.tasks.environments import ENVIRONMENTS, EnvironmentName
from sim.tasks.goals import GOAL_SEED_SPACE, TRAINING_SEED_SPACE, budget, make_goal
from sim.tasks.task import Goal, Task
from sim.world.block_runner import BlockRunner

Seen = dict[str, Any]

TASK_ENVS: dict[str, tuple[EnvironmentName, Task]] = {
    "worldarm/Push-v0": ("push", "push"),
    "worldarm/Reach-v0": ("push", "reach"),
    "worldarm/TabletopReach-v0": ("tabletop", "reach"),
    "worldarm/TabletopPush-v0": ("tabletop", "push"),
    "worldarm/GraspLift-v0": ("tabletop", "grasp-lift"),
    "worldarm/PickPlace-v0": ("tabletop", "pick-place"),
    "worldarm/StackTwo-v0": ("tabletop", "stack-two"),
    "worldarm/RearrangeThree-v0": ("tabletop", "rearrange-3"),
}
LARGEST_NUMBER = 2**31


class TaskEnv(gymnasium.Env[Seen, NDArray[np.float32]]):
    """One task on one environment, seen through its camera.

    Observations: `pixels` and `goal` (size, size, 3) uint8 RGB; `proprio` (P,), the state under the environment's state
    names, in m and rad; and `committed` (A,), the action that the arm carries out until the next step. Actions (A,) in
    [−1, 1] have the meaning that the environment's action convention gives them: displacements of the tool and, on the
    tabletop, its yaw and the gripper. The reward is −1 a step until the goal is reached, which ends the episode; `info`
    has `distance_m` and `is_success`. `reset(options={"held_out": (seed, number)})` sets a goal of the benchmark in
    place of a random one.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 - Gymnasium declares it so
        "render_modes": ["rgb_array"],
        "render_fps": 5,
    }

    def __init__(
        self, environment: EnvironmentName, task: Task, size: int = 64, render_mode: str | None = None
    ) -> None:
        if render_mode not in (None, "rgb_array"):
            raise ConfigurationError(f"render_mode {render_mode!r} is not one of None, 'rgb_array'")
        self.render_mode = render_mode
        self._task: Task = task
        self._environment = ENVIRONMENTS[environment]
        convention = self._environment.convention
        self.metadata = {**self.metadata, "render_fps": round(1 / convention.block_s)}
        self._world = self._environment.world(self._environment.camera(size, size))
        self._runner = BlockRunner(self._world, convention)
        self._goal: Goal | None = None
        picture = spaces.Box(0, 255, (size, size, 3), np.uint8)
        actions = spaces.Box(-1.0, 1.0, (convention.size,), np.float32)
        self.action_space = actions
        self.observation_space = spaces.Dict(
            {
                "pixels": picture,
                "goal": picture,
                "proprio": spaces.Box(-2.0, 2.0, (len(self._environment.state_names),), np.float32),
                "committed": actions,
            }
        )

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Seen, dict[str, Any]]:
        """Begin an episode with a new goal; the same seed gives the same goal."""
        super().reset(seed=seed)
        held_out = (options or {}).get("held_out")
        if held_out is not None:
            number, goal_seed, space = int(held_out[1]), int(held_out[0]), GOAL_SEED_SPACE
        else:
            number, goal_seed, space = int(self.np_random.integers(LARGEST_NUMBER)), 0, TRAINING_SEED_SPACE
        self._goal = goal = make_goal(self._world, self._environment, self._task, goal_seed, number, space)
        self._runner.reset(goal.start.tool, goal.start.objects)
        return self._look(goal)

    def step(self, action: NDArray[np.float32]) -> tuple[Seen, float, bool, bool, dict[str, Any]]:
        """Run one block, and send `action` (A,) in [−1, 1] for the block after it.

        Raises `ConfigurationError` before the first `reset`, and for an action that is not A finite numbers.
        """
        if self._goal is None:
            raise ConfigurationError("the environment has no goal yet; call reset() first")
        size = self._environment.convention.size
        if np.shape(action) != (size,) or not np.isfinite(action).all():
            raise ConfigurationError(f"an action is {size} finite numbers, not {action!r}")
        self._runner.run_block(np.asarray(action, dtype=np.float64))
        seen, info = self._look(self._goal)
        return seen, 0.0 if info["is_success"] else -1.0, info["is_success"], False, info

    def render(self) -> NDArray[np.uint8] | None:
        """Return what the camera sees, (size, size, 3) uint8 RGB; None without a render mode."""
        return None if self.render_mode is None else self._world.picture()

    def close(self) -> None:
        """Free the simulated world."""
        self._world.close()

    def _look(self, goal: Goal) -> tuple[Seen, dict[str, Any]]:
        seen = self._world.observe()
        distance = distance_left(self._world, goal)
        observation: Seen = {
            "pixels": seen.picture(self._world.camera.name),
            "goal": goal.picture.copy(),
            "proprio": seen.state.astype(np.float32),
            "committed": self._runner.committed.astype(np.float32),
        }
        return observation, {"distance_m": distance, "is_success": distance <= goal.tolerance}


for _name, (_environment, _task) in TASK_ENVS.items():
    gymnasium.register(
        _name,
        entry_point="sim.gym.task_envs:TaskEnv",
        kwargs={"environment": _environment, "task": _task},
        max_episode_steps=budget(_environment, _task),
    )
