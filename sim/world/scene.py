"""A table, a Panda and coloured objects in one PyBullet world of its own.

The arm's collision meshes serve as its visual meshes: a 64×64 picture then takes a tenth of the time to render, and
looks the same at that size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pybullet as p
from numpy.typing import NDArray

from robot.arm.interface import ObjectPose, Vector
from robot.dataset.format.columns import ABSENT_BELOW_M
from robot.errors import ConfigurationError
from robot.wire.camera_spec import CameraSpec
from sim.world.appearance import Light
from sim.world.cameras import look_matrices
from sim.world.panda import ARM_JOINTS, FINGER_JOINTS, MAX_GRIPPER_WIDTH, TOOL_LINK, URDF_PATH, panda_spec

TABLE_COLOUR = (0.50, 0.58, 0.56, 1.0)
FINGER_FORCE_N = 30.0
TRACKING_GAIN = 0.5


# The shelf for objects that are not on the table: under the table, out of every camera's view.
SHELF_HEIGHT = -0.6
SHELF_SPACING_M = 0.2


@dataclass(frozen=True)
class SceneObject:
    """A coloured object: a box with the edge lengths `size` (x, y, z) m, or an upright cylinder of that diameter and
    height; `mass` in kg, `colour` RGB in [0, 1]."""

    name: str
    size: tuple[float, float, float]
    mass: float
    friction: float
    colour: tuple[float, float, float]
    shape: Literal["box", "cylinder"] = "box"

    @property
    def rest_height(self) -> float:
        """The height of the centre (m) when the object stands on the table."""
        return self.size[2] / 2


RED_CUBE = SceneObject("cube", (0.06, 0.06, 0.06), 0.15, 0.5, (0.85, 0.10, 0.10))
"""The object for pushing: it is too wide to be grasped."""
GRASPABLE = (
    SceneObject("red_cube", (0.044, 0.044, 0.044), 0.10, 0.5, (0.85, 0.10, 0.10)),
    SceneObject("yellow_cylinder", (0.044, 0.044, 0.055), 0.08, 0.5, (0.90, 0.72, 0.08), "cylinder"),
    SceneObject("blue_box", (0.072, 0.044, 0.026), 0.08, 0.5, (0.12, 0.25, 0.85)),
)
"""The objects of play on the tabletop."""
EXTRA_GRASPABLE = (
    SceneObject("green_cube", (0.038, 0.038, 0.038), 0.09, 0.5, (0.10, 0.55, 0.18)),
    SceneObject("orange_cylinder", (0.050, 0.050, 0.040), 0.09, 0.5, (0.95, 0.42, 0.05), "cylinder"),
)
"""Two more objects for a table with five, which no training data shows."""
DISTRACTORS = (
    SceneObject("magenta_block", (0.03, 0.05, 0.05), 0.10, 0.5, (0.75, 0.20, 0.65)),
    SceneObject("cyan_can", (0.035, 0.035, 0.07), 0.10, 0.5, (0.20, 0.75, 0.80), "cylinder"),
    SceneObject("orange_tile", (0.06, 0.06, 0.015), 0.10, 0.5, (0.90, 0.45, 0.10)),
    SceneObject("black_puck", (0.05, 0.05, 0.02), 0.10, 0.5, (0.12, 0.12, 0.12), "cylinder"),
)
"""The objects of a cluttered table, which no training data shows."""


EVERYTHING = (RED_CUBE, *GRASPABLE, *DISTRACTORS, *EXTRA_GRASPABLE)
"""The objects of the simulated arm's scene; at first only the cube is on the table."""


def on_shelf(name: str, index: int) -> ObjectPose:
    """Return the pose of the object `name`, the scene's `index`-th, on the shelf."""
    return ObjectPose(name, (0.35, SHELF_SPACING_M * index, SHELF_HEIGHT + 0.05), (0.0, 0.0, 0.0, 1.0))


def present(pose: ObjectPose) -> bool:
    """Return whether an object is in the scene, and not on the shelf under the table."""
    return pose.position[2] > ABSENT_BELOW_M


class Scene:
    """One PyBullet world. `step()` advances it by one period of the arm's rate; without steps it is a mirror.

    All lengths are in metres in the arm's base frame, whose z = 0 is the table's top. `light` is the light of its
    pictures, and with `shadows` things cast shadows in them, which takes three times as long.
    """

    def __init__(self, objects: Sequence[SceneObject] = (RED_CUBE,)) -> None:
        spec = panda_spec()
        self._client = p.connect(p.DIRECT)
        self._joints = list(ARM_JOINTS)
        self._forces = [87.0] * 4 + [12.0] * 3
        self._gains = [TRACKING_GAIN] * len(self._joints)
        client = self._client
        p.setGravity(0, 0, -9.81, physicsClientId=client)
        p.setTimeStep(1.0 / spec.rate_hz, physicsClientId=client)
        # Contacts here are few and light: 20 solver iterations give the same pushes as 50 in less time. Touching pairs
        # are sorted; otherwise the order of their first contacts would affect all later steps.
        p.setPhysicsEngineParameter(numSolverIterations=20, deterministicOverlappingPairs=1, physicsClientId=client)
        table = self._box((1.4, 1.6, 0.05), 0.0, TABLE_COLOUR, (0.35, 0.0, -0.025))
        p.changeDynamics(table, -1, lateralFriction=1.0, physicsClientId=client)
        self._arm = p.loadURDF(
            str(URDF_PATH), useFixedBase=True, flags=p.URDF_IGNORE_VISUAL_SHAPES, physicsClientId=client
        )
        for link in range(-1, p.getNumJoints(self._arm, physicsClientId=client)):
            shade = (0.12, 0.12, 0.14, 1) if link in FINGER_JOINTS else (0.93, 0.93, 0.95, 1)
            p.changeVisualShape(self._arm, link, rgbaColor=shade, physicsClientId=client)
        self._specs = {thing.name: thing for thing in objects}
        self._bodies: dict[str, int] = {}
        self._shelf = {thing.name: on_shelf(thing.name, index) for index, thing in enumerate(objects)}
        if len(objects) > 1:
            self._box((1.0, 4.0, 0.05), 0.0, TABLE_COLOUR, (0.35, 0.0, SHELF_HEIGHT - 0.025))
        for index, thing in enumerate(objects):
            where = self._shelf[thing.name].position if index else (0.5, 0.0, thing.rest_height)
            body = self._body(thing, where)
            p.changeDynamics(
                body,
                -1,
                lateralFriction=thing.friction,
                spinningFriction=0.002,
                # Otherwise a round object would roll off the table.
                rollingFriction=0.0 if thing.shape == "box" else 0.004,
                linearDamping=0.0,
                angularDamping=0.0,
                physicsClientId=client,
            )
            self._bodies[thing.name] = body
        self.light = Light()
        self.shadows = False
        self.set_arm(np.asarray(spec.home), 0.0)
        # One step first, so that the saved state includes the objects' contacts with the table: contacts that it lacks
        # would survive a rewind.
        self.step()
        self._beginning = p.saveState(physicsClientId=client)
        self.rewind()

    def rewind(self) -> None:
        """Restore the whole world to its beginning, to the last bit.

        Setting poses alone leaves old contacts, so that the next steps would depend slightly on the past.
        """
        p.restoreState(stateId=self._beginning, physicsClientId=self._client)

    def close(self) -> None:
        """Free the world."""
        if p.isConnected(self._client):
            p.disconnect(self._client)

    # ------------------------------------------------------------ arm

    def set_arm(self, joints: Vector, gripper_width: float) -> None:
        """Put the arm at `joints` (n,) rad and its fingers `gripper_width` m apart, at rest, without physics."""
        for index, angle in zip(self._joints, joints, strict=True):
            p.resetJointState(self._arm, index, float(angle), 0.0, physicsClientId=self._client)
        for finger in FINGER_JOINTS:
            p.resetJointState(self._arm, finger, gripper_width / 2, 0.0, physicsClientId=self._client)
        self.command(joints, gripper_width)

    def command(self, joints: Vector, gripper_width: float) -> None:
        """Set the joint motors' targets (n,) rad and the fingers' distance (m) for the following steps."""
        p.setJointMotorControlArray(
            self._arm,
            self._joints,
            p.POSITION_CONTROL,
            targetPositions=joints,
            forces=self._forces,
            positionGains=self._gains,
            physicsClientId=self._client,
        )
        half = min(max(gripper_width, 0.0), MAX_GRIPPER_WIDTH) / 2
        p.setJointMotorControlArray(
            self._arm,
            FINGER_JOINTS,
            p.POSITION_CONTROL,
            targetPositions=(half, half),
            forces=(FINGER_FORCE_N, FINGER_FORCE_N),
            physicsClientId=self._client,
        )

    def joints(self) -> tuple[tuple[float, ...], tuple[float, ...], float]:
        """Return joint positions (n,) rad, velocities (n,) rad/s and the fingers' distance (m)."""
        states = p.getJointStates(self._arm, [*self._joints, *FINGER_JOINTS], physicsClientId=self._client)
        positions = tuple(s[0] for s in states)
        return positions[:7], tuple(s[1] for s in states[:7]), positions[7] + positions[8]

    def tool_position(self) -> Vector:
        """Return PyBullet's position of the tool frame (3,) m."""
        state = p.getLinkState(self._arm, TOOL_LINK, computeForwardKinematics=True, physicsClientId=self._client)
        return np.asarray(state[4])

    def step(self) -> None:
        """Advance the physics by one period."""
        p.stepSimulation(physicsClientId=self._client)

    # ------------------------------------------------------------ objects

    def objects(self) -> tuple[ObjectPose, ...]:
        """Return the poses of all objects."""
        poses = []
        for name, body in self._bodies.items():
            position, orientation = p.getBasePositionAndOrientation(body, physicsClientId=self._client)
            poses.append(ObjectPose(name, position, orientation))
        return tuple(poses)

    def place(self, objects: Sequence[ObjectPose]) -> None:
        """Put objects at the given poses, at rest. Raises `ConfigurationError` for a name that is not in the scene."""
        unknown = [pose.name for pose in objects if pose.name not in self._bodies]
        if unknown:
            raise ConfigurationError(f"no object named {', '.join(unknown)} here; there are {', '.join(self._bodies)}")
        for pose in objects:
            body = self._bodies[pose.name]
            p.resetBasePositionAndOrientation(body, pose.position, pose.orientation, physicsClientId=self._client)
            p.resetBaseVelocity(body, (0, 0, 0), (0, 0, 0), physicsClientId=self._client)

    def arrange(self, objects: Sequence[ObjectPose]) -> None:
        """Put `objects` at the given poses, at rest, and every other one on the shelf. Raises `ConfigurationError` for
        a name that is not in the scene."""
        named = {pose.name for pose in objects}
        self.place([*objects, *(pose for name, pose in self._shelf.items() if name not in named)])

    def object_spec(self, name: str) -> SceneObject:
        """Return the description of an object."""
        return self._specs[name]

    # ------------------------------------------------------------ pictures

    def render(self, camera: CameraSpec) -> NDArray[np.uint8]:
        """Render the picture of `camera` under `light`, (H, W, 3) uint8 RGB; a rig's pictures are stacked."""
        if camera.below:
            return np.concatenate([self.render(view) for view in camera.views])
        view, projection = look_matrices(camera)
        image = p.getCameraImage(
            camera.width,
            camera.height,
            view,
            projection,
            lightDirection=self.light.direction,
            lightColor=self.light.colour,
            lightAmbientCoeff=self.light.ambient,
            lightDiffuseCoeff=self.light.diffuse,
            lightSpecularCoeff=self.light.specular,
            shadow=int(self.shadows),
            renderer=p.ER_TINY_RENDERER,
            flags=p.ER_NO_SEGMENTATION_MASK,
            physicsClientId=self._client,
        )[2]
        pixels = np.asarray(image, dtype=np.uint8).reshape(camera.height, camera.width, 4)
        return np.ascontiguousarray(pixels[:, :, :3])

    def _body(self, thing: SceneObject, position: tuple[float, float, float]) -> int:
        if thing.shape == "box":
            return self._box(thing.size, thing.mass, (*thing.colour, 1.0), position)
        radius, height, client = thing.size[0] / 2, thing.size[2], self._client
        collision = p.createCollisionShape(p.GEOM_CYLINDER, radius=radius, height=height, physicsClientId=client)
        visual = p.createVisualShape(
            p.GEOM_CYLINDER, radius=radius, length=height, rgbaColor=(*thing.colour, 1.0), physicsClientId=client
        )
        return int(p.createMultiBody(thing.mass, collision, visual, position, physicsClientId=client))

    def _box(
        self,
        size: tuple[float, float, float],
        mass: float,
        colour: tuple[float, ...],
        position: tuple[float, float, float],
    ) -> int:
        half = [edge / 2 for edge in size]
        collision = p.createCollisionShape(p.GEOM_BOX, halfExtents=half, physicsClientId=self._client)
        visual = p.createVisualShape(p.GEOM_BOX, halfExtents=half, rgbaColor=colour, physicsClientId=self._client)
        return int(p.createMultiBody(mass, collision, visual, position, physicsClientId=self._client))
