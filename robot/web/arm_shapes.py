"""The shapes of an arm for drawing: those of its description when available, else its collision capsules."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import coal
import numpy as np
import pinocchio as pin
import trimesh
from numpy.typing import NDArray

from robot.arm.description_text import require_readable
from robot.arm.interface import ArmSpec, Vector
from robot.errors import ConfigurationError

_MESH_FILE = re.compile(r'<mesh\s[^>]*filename\s*=\s*["\']([^"\']+)')
GREY = (0.82, 0.83, 0.85)


@dataclass(frozen=True)
class Shape:
    """One rigid body: `vertices` (V, 3) m in its frame, `faces` (F, 3) and `colour` (r, g, b) in [0, 1]."""

    vertices: NDArray[np.float32]
    faces: NDArray[np.uint32]
    colour: tuple[float, float, float]


class ArmShapes:
    """The `shapes` of the arm that `spec` describes, and their poses for any joints.

    `lacking` says why the shapes of the description are not available; it is empty when they are. Collision shapes are
    preferred to visual ones: they have about a hundredth of the vertices, which a tablet draws easily. Joints that the
    specification does not name are taken for the gripper's, and open with it. Raises `ConfigurationError` for a
    description that cannot be read.
    """

    def __init__(self, spec: ArmSpec) -> None:
        self._spec = spec
        require_readable(spec.name, spec.urdf)
        try:
            self._model = pin.buildModelFromXML(spec.urdf)
        except (RuntimeError, ValueError) as error:
            raise ConfigurationError(f"the description of the arm {spec.name!r} cannot be read: {error}") from error
        self._geometry, self.lacking = _described(self._model, spec)
        if not self._geometry.ngeoms:
            self._geometry = _capsules(self._model, spec)
        self._data = self._model.createData()
        self._places = self._geometry.createData()
        self.shapes = tuple(_shape(each) for each in self._geometry.geometryObjects)

    def places(self, joints: Vector, gripper_width: float) -> list[tuple[Vector, Vector]]:
        """Return each shape's position (3,) m and orientation quaternion (w, x, y, z) in the base frame, for `joints`
        (n,) rad and a gripper `gripper_width` m wide."""
        configuration = self._configuration(joints, gripper_width)
        pin.updateGeometryPlacements(self._model, self._data, self._geometry, self._places, configuration)
        found = []
        for place in self._places.oMg:
            x, y, z, w = pin.Quaternion(place.rotation).coeffs()
            found.append((place.translation.copy(), np.array((w, x, y, z))))
        return found

    def _configuration(self, joints: Vector, gripper_width: float) -> Vector:
        configuration: Vector = pin.neutral(self._model)
        model = self._model
        named = set(self._spec.joint_names)
        others = [model.joints[number] for number in range(1, model.njoints) if model.names[number] not in named]
        closed, opened = self._spec.gripper_range
        share = (gripper_width - closed) / (opened - closed) if opened > closed else 0.0
        for joint in others:
            if joint.nq != 1:
                continue
            least, most = model.lowerPositionLimit[joint.idx_q], model.upperPositionLimit[joint.idx_q]
            if np.isfinite(least) and np.isfinite(most):
                configuration[joint.idx_q] = least + min(max(share, 0.0), 1.0) * (most - least)
        for name, value in zip(self._spec.joint_names, joints, strict=True):
            configuration[model.joints[model.getJointId(name)].idx_q] = value
        return configuration


def _described(model: pin.Model, spec: ArmSpec) -> tuple[pin.GeometryModel, str]:
    """Return the shapes of the description and an empty reason; or no shapes, and the reason why there are none."""
    absent = [file for file in _MESH_FILE.findall(spec.urdf) if not Path(file.removeprefix("file://")).is_file()]
    if absent:
        return pin.GeometryModel(), f"{absent[0]} is not on this machine"
    for kind in (pin.GeometryType.COLLISION, pin.GeometryType.VISUAL):
        try:
            found = pin.buildGeomFromUrdfString(model, spec.urdf, kind)
        except (RuntimeError, ValueError) as error:
            return pin.GeometryModel(), str(error).splitlines()[0]
        if found.ngeoms:
            return found, ""
    return pin.GeometryModel(), f"the description of {spec.name} has no shapes"


def _capsules(model: pin.Model, spec: ArmSpec) -> pin.GeometryModel:
    geometry = pin.GeometryModel()
    for number, body in enumerate(spec.bodies):
        if not model.existFrame(body.link):
            raise ConfigurationError(f"the description of the arm {spec.name!r} has no link {body.link!r}")
        frame = model.frames[model.getFrameId(body.link)]
        start, end = np.array(body.start), np.array(body.end)
        length = float(np.linalg.norm(end - start))
        axis = (end - start) / length if length > 0.0 else np.array([0.0, 0.0, 1.0])
        turned = pin.Quaternion.FromTwoVectors(np.array([0.0, 0.0, 1.0]), axis).toRotationMatrix()
        place = frame.placement * pin.SE3(turned, 0.5 * (start + end))
        shape = coal.Capsule(body.radius, length)
        each = pin.GeometryObject(f"{number}:{body.link}", frame.parentJoint, place, shape)
        each.meshColor = np.array((*GREY, 1.0))
        geometry.addGeometryObject(each)
    return geometry


def _shape(described: pin.GeometryObject) -> Shape:
    r, g, b = (float(channel) for channel in described.meshColor[:3])
    mesh = _mesh(described.geometry)
    return Shape(np.asarray(mesh.vertices, np.float32), np.asarray(mesh.faces, np.uint32), (r, g, b))


def _mesh(geometry: coal.CollisionGeometry) -> trimesh.Trimesh:
    if isinstance(geometry, coal.Capsule):
        length = 2.0 * geometry.halfLength
        mesh = trimesh.creation.capsule(length, geometry.radius, count=(16, 16))
        mesh.apply_translation(-mesh.bounds.mean(axis=0))
        return mesh
    if isinstance(geometry, coal.Box):
        return trimesh.creation.box(2.0 * geometry.halfSide)
    if isinstance(geometry, coal.Cylinder):
        return trimesh.creation.cylinder(geometry.radius, 2.0 * geometry.halfLength, sections=32)
    if isinstance(geometry, coal.Sphere):
        return trimesh.creation.icosphere(3, geometry.radius)
    if isinstance(geometry, coal.BVHModelBase):
        triangles = map(geometry.tri_indices, range(geometry.num_tris))
        faces = [(each[0], each[1], each[2]) for each in triangles]
        return trimesh.Trimesh(geometry.vertices(), faces, process=False)
    raise ConfigurationError(f"the description of the arm has a {type(geometry).__name__}, which cannot be drawn")
