"""Distances of the arm's bodies from each other, from the table and from boxes that they must not enter.

Bodies are capsules around the arm's links; the distances are those of Pinocchio's collision models (Coal).
"""

from __future__ import annotations

from collections.abc import Sequence

import coal
import numpy as np
import pinocchio as pin

from robot.arm.interface import ArmSpec, Box, Capsule, Vector
from robot.arm.kinematics import Kinematics
from robot.errors import ConfigurationError

MARGIN = 0.005
"""m; bodies closer than this count as touching."""
APART = 3
"""Least number of joints between two bodies that are checked against each other. Closer neighbours are kept apart by
their joint limits, and their capsules overlap because they are rounder than the links."""
_TABLE_SIDE = 10.0


class Clearance:
    """The least distance over `pairs` of `bodies`; `reason` names the violation when it is too small.

    `reach` (n,) m bounds the effect of each joint: when each joint i turns by x_i, no distance changes by more than Σ
    reach_i |x_i|.
    """

    def __init__(
        self,
        reason: str,
        kinematics: Kinematics,
        bodies: Sequence[pin.GeometryObject],
        reaches: Sequence[Vector],
        pairs: Sequence[tuple[int, int]],
    ) -> None:
        self.reason = reason
        self._kinematics = kinematics
        self._model = kinematics.model
        self._scratch = self._model.createData()
        self._geometry = pin.GeometryModel()
        for body in bodies:
            self._geometry.addGeometryObject(body)
        for first, second in pairs:
            self._geometry.addCollisionPair(pin.CollisionPair(first, second))
        self._data = self._geometry.createData()
        # A joint between two bodies moves the outer one relative to the inner one; a joint below both moves both
        # together.
        self.reach: Vector = np.max([reaches[number] for pair in pairs for number in pair], axis=0)

    def room(self, joints: Vector) -> float:
        """Return the least distance (m) at `joints` (n,) rad, minus `MARGIN`; negative when bodies overlap."""
        nearest = pin.computeDistances(
            self._model, self._scratch, self._geometry, self._data, self._kinematics.configuration(joints)
        )
        return float(self._data.distanceResults[nearest].min_distance) - MARGIN


def clearances(spec: ArmSpec, kinematics: Kinematics) -> tuple[Clearance, ...]:
    """Return the clearances to keep: between the arm's bodies, to the table, and to the keep-out boxes.

    Raises `ConfigurationError` for a body on a link that the robot description lacks.
    """
    model = kinematics.model
    bodies, reaches, joints = [], [], []
    for number, capsule in enumerate(spec.bodies):
        if not model.existFrame(capsule.link):
            raise ConfigurationError(f"the description of the arm {spec.name!r} has no link {capsule.link!r}")
        frame = model.getFrameId(capsule.link)
        bodies.append(_body(model, frame, number, capsule))
        beyond = max(np.linalg.norm(capsule.start), np.linalg.norm(capsule.end)) + capsule.radius
        reaches.append(kinematics.reach_of(frame, float(beyond)))
        joints.append(model.frames[frame].parentJoint)
    count = len(bodies)
    still = np.zeros(spec.dof)
    apart = [
        (first, second)
        for second in range(count)
        for first in range(second)
        if _between(model, joints[first], joints[second]) >= APART
    ]
    floor = [(number, count) for number, body in enumerate(spec.bodies) if joints[number] > 1 and not body.handles]
    obstacles = [_box(number, box) for number, box in enumerate(spec.keep_out)]
    outside = [
        (number, count + box) for number in range(count) if joints[number] > 0 for box in range(len(spec.keep_out))
    ]
    found = []
    if apart:
        found.append(Clearance("self-collision", kinematics, bodies, reaches, apart))
    if floor:
        found.append(Clearance("table", kinematics, [*bodies, _table(spec)], [*reaches, still], floor))
    if outside:
        found.append(
            Clearance("keep-out", kinematics, [*bodies, *obstacles], [*reaches, *(still for _ in obstacles)], outside)
        )
    return tuple(found)


def _between(model: pin.Model, first: int, second: int) -> int:
    """Return how many joints lie between the links of the joints `first` and `second`."""
    chains = []
    for joint in (first, second):
        chain = set()
        while joint > 0:
            chain.add(joint)
            joint = model.parents[joint]
        chains.append(chain)
    return len(chains[0] ^ chains[1])


def _body(model: pin.Model, frame: int, number: int, capsule: Capsule) -> pin.GeometryObject:
    start, end = np.array(capsule.start), np.array(capsule.end)
    length = float(np.linalg.norm(end - start))
    axis = (end - start) / length if length > 0.0 else np.array([0.0, 0.0, 1.0])
    turned = pin.Quaternion.FromTwoVectors(np.array([0.0, 0.0, 1.0]), axis).toRotationMatrix()
    place = model.frames[frame].placement * pin.SE3(turned, 0.5 * (start + end))
    shape = coal.Capsule(capsule.radius, length)
    return pin.GeometryObject(f"{number}:{capsule.link}", model.frames[frame].parentJoint, frame, place, shape)


def _box(number: int, box: Box) -> pin.GeometryObject:
    lower, upper = np.array(box.lower), np.array(box.upper)
    place = pin.SE3(np.eye(3), 0.5 * (lower + upper))
    return pin.GeometryObject(f"box {number}", 0, 0, place, coal.Box(*(upper - lower)))


def _table(spec: ArmSpec) -> pin.GeometryObject:
    side = _TABLE_SIDE
    place = pin.SE3(np.eye(3), np.array([0.0, 0.0, spec.table_height - 0.5 * side]))
    return pin.GeometryObject("table", 0, 0, place, coal.Box(2.0 * side, 2.0 * side, side))
