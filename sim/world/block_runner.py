"""Runs block after block in the lock-step world with the timing of the real agent: while one block moves the arm,
the next is decided from the picture at its start and sent half a block ahead."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from robot.arm.interface import ObjectPose, Vector
from robot.embodiment.tool_displacement import ToolDisplacement, ToolTarget
from robot.errors import Refused
from sim.world.lockstep import LockStep


class BlockRunner:
    """Keeps the committed action and the set-point to which it leads. Block 0 is always a hold."""

    def __init__(self, world: LockStep, convention: ToolDisplacement) -> None:
        self._world = world
        self._convention = convention
        self.committed: Vector = np.zeros(convention.size)
        self.target = ToolTarget(np.zeros(3))
        self._posture: Vector = np.zeros(0)
        self._block = 0

    def reset(self, tool: ToolTarget, objects: Sequence[ObjectPose]) -> None:
        """Restart with the tool at `tool`; the first block holds. Raises `UnreachableError`."""
        self._world.reset(self._convention, tool, objects)
        self.committed = np.zeros(self._convention.size)
        self.target = tool
        self._posture = self._world.setpoint_joints()
        self._block = 0

    def run_block(self, following: Vector) -> None:
        """Complete the present block, during which the action `following` (A,) is sent for the next one; when that
        action exceeds a joint's velocity limit, the next block holds."""
        convention, world = self._convention, self._world
        begins = self._block * convention.block_ns
        ends = begins + convention.block_ns
        world.run_until(begins + convention.block_ns // 2)
        goal = convention.target(self.target, following)
        waypoints = convention.block(world.kinematics, self.target, goal, self._posture, ends)
        try:
            world.send(waypoints)
        except Refused as refusal:
            if refusal.reason != "too-fast":
                raise
            # As in real time: an action that a joint cannot follow is refused, and the arm holds for a block.
            goal, following = self.target, np.zeros(convention.size)
        else:
            self._posture = np.asarray(waypoints[-1].positions)
        world.run_until(ends)
        self.committed = np.clip(np.asarray(following, dtype=np.float64), -1.0, 1.0)
        self.target = goal
        self._block += 1
