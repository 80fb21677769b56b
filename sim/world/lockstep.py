"""Arm, governor, camera and world in one process on simulated time: the driver's motion without its waiting.

Training data and benchmarks run here at hundreds of blocks per second. The same `Servo` and `SimulatedArm` run in the
driver's process, and a test checks that both agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robot.arm.interface import ObjectPose, Vector
from robot.arm.kinematics import Kinematics
from robot.embodiment.observation import Observation
from robot.embodiment.proprioception import STATE_NAMES, Proprioception
from robot.embodiment.tool_displacement import ToolDisplacement, ToolTarget
from robot.motion.servo import Servo, SetPoint
from robot.wire.camera_spec import CameraSpec
from robot.wire.messages import Waypoint
from sim.world.appearance import Appearance
from sim.world.arm import SimulatedArm
from sim.world.scene import Scene


@dataclass(frozen=True)
class Joints:
    """The arm's joints (n,) rad at one time: the `requested` and `governed` set-points, and the `measured` joints."""

    requested: Vector
    governed: Vector
    measured: Vector


class LockStep:
    """The simulated arm on a simulated clock that only `run_until` advances.

    `state_names` are the entries of the observed state. `camera` is the camera's nominal pose; its actual pose is part
    of the `appearance`.
    """

    def __init__(
        self, camera: CameraSpec, scene: Scene | None = None, state_names: tuple[str, ...] = STATE_NAMES
    ) -> None:
        self.camera = camera
        self._state_names = state_names
        self._proprioception: Proprioception | None = None
        self.scene = scene if scene is not None else Scene()
        self._camera_now = camera
        self.time_ns = 0
        self.arm = SimulatedArm(self.scene, clock=lambda: self.time_ns)
        self.arm.start()
        self.spec = self.arm.spec
        self.kinematics = Kinematics(self.spec)
        self.servo = Servo(self.spec)
        self._period_ns = round(1e9 / self.spec.rate_hz)
        self._next_tick_ns = 0
        self._setpoint: SetPoint | None = None

    @property
    def appearance(self) -> Appearance:
        """The world's present appearance."""
        return Appearance(self._camera_now, self.scene.light)

    def appear(self, appearance: Appearance) -> None:
        """Set the appearance from now on, also after a reset."""
        self._camera_now, self.scene.light = appearance.camera, appearance.light

    def picture(self) -> NDArray[np.uint8]:
        """Return the camera's present picture (H, W, 3) uint8 RGB."""
        return self.scene.render(self._camera_now)

    def close(self) -> None:
        """Free the simulated world."""
        self.arm.close()
        self.scene.close()

    def reset(self, convention: ToolDisplacement, tool: ToolTarget, objects: Sequence[ObjectPose]) -> None:
        """Restart at time 0 with the tool at `tool` and `objects` on the table, at rest; all other objects are put
        away.

        Raises `UnreachableError` when the arm cannot reach that pose.
        """
        # Otherwise old contacts with the table would persist, and an episode would depend on the one before.
        self.scene.rewind()
        joints = self.kinematics.inverse(convention.pose(tool), np.asarray(self.spec.home))
        self.scene.set_arm(joints, tool.gripper_width)
        self.scene.arrange(objects)
        self.servo.engage(joints, tool.gripper_width)
        self._proprioception = Proprioception(self._state_names, convention, self.kinematics)
        self.time_ns = 0
        self._next_tick_ns = 0
        self._run_ticks(self._period_ns)

    def send(self, waypoints: Sequence[Waypoint]) -> None:
        """Send waypoints (in simulated time) to the servo. Raises `Refused` as the driver would."""
        self.servo.accept(waypoints, self.time_ns)

    def run_until(self, time_ns: int) -> None:
        """Run every tick before `time_ns`, then set the clock to it."""
        self._run_ticks(time_ns)
        self.time_ns = time_ns

    def observe(self) -> Observation:
        """Return the present observation; its state has the entries of the world's state names."""
        positions, _, width = self.scene.joints()
        setpoint = self._setpoint
        assert setpoint is not None and self._proprioception is not None, "reset() runs the first tick"
        state = self._proprioception.state(np.asarray(positions), setpoint.governed, width, setpoint.gripper_width)
        return Observation({self.camera.name: self.picture()}, state, self.time_ns)

    def joints(self) -> Joints:
        """Return the present set-points and measured joints."""
        setpoint = self._setpoint
        assert setpoint is not None, "reset() runs the first tick"
        return Joints(setpoint.requested, setpoint.governed, np.asarray(self.scene.joints()[0]))

    def observe_tool(self) -> Vector:
        """Return the tool's position (3,) m; for the success check."""
        return self.kinematics.position(np.asarray(self.scene.joints()[0]))

    def setpoint_joints(self) -> Vector:
        """Return the governed set-point (n,) rad, from which the next block's posture continues."""
        assert self._setpoint is not None, "reset() runs the first tick"
        return self._setpoint.governed

    def _run_ticks(self, until_ns: int) -> None:
        # Set-points do not depend on the physics, and each loop alone stays in the processor's caches: run one after
        # the other, they take a tenth less time than interleaved.
        setpoints: list[SetPoint] = []
        while self._next_tick_ns < until_ns:
            setpoints.append(self.servo.tick(self._next_tick_ns))
            self._next_tick_ns += self._period_ns
        for setpoint in setpoints:
            self.arm.write(setpoint.governed, setpoint.gripper_width)
            self._setpoint = setpoint
