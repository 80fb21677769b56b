"""Draws the arm, its table, its workspace and its keep-out boxes in a 3D scene."""

from __future__ import annotations

import itertools

import numpy as np
import viser

from robot.arm.interface import ArmSpec, Box, Vector
from robot.motion.governor import workspace
from robot.web.arm_shapes import ArmShapes
from robot.web.viewpoint import LOOK_AT, POSITION

_MOVED = 1e-5
_SIDE_M = 2.0
_EDGES = [
    (a, b)
    for a, b in itertools.combinations(itertools.product((0, 1), repeat=3), 2)
    if sum(map(abs, np.subtract(a, b))) == 1
]


class ArmScene:
    """Draws the arm of `spec` into the scene of `server`, on its table, within its workspace.

    `lacking` says why the arm is drawn as capsules; it is empty when the shapes of its description are available.
    """

    def __init__(self, server: viser.ViserServer, spec: ArmSpec) -> None:
        self._server = server
        self._arm = ArmShapes(spec)
        self.lacking = self._arm.lacking
        scene = server.scene
        scene.set_up_direction("+z")
        # Plain light: shadows and reflections would be slow on a tablet without a strong GPU.
        scene.configure_environment_map(None)
        scene.configure_default_lights(cast_shadow=False)
        scene.add_light_ambient("/light", intensity=1.2)
        server.initial_camera.position = POSITION
        server.initial_camera.look_at = LOOK_AT
        scene.add_grid(
            "/table",
            _SIDE_M,
            _SIDE_M,
            cell_size=0.1,
            section_size=0.5,
            shadow_opacity=0.0,
            position=(0.0, 0.0, spec.table_height - 1e-3),
        )
        lower, upper = workspace(spec)
        scene.add_line_segments("/workspace", _edges(lower, upper), (90, 150, 220), thickness=0.002)
        for number, box in enumerate(spec.keep_out):
            _draw_keep_out(scene, number, box)
        self._pieces = [
            scene.add_mesh_simple(
                f"/arm/{number}",
                shape.vertices,
                shape.faces,
                color=shape.colour,
                flat_shading=True,
                cast_shadow=False,
                receive_shadow=False,
            )
            for number, shape in enumerate(self._arm.shapes)
        ]
        self._drawn: list[tuple[Vector, Vector]] = []
        self._shown = True
        self.draw(np.asarray(spec.home), spec.gripper_range[1])

    def draw(self, joints: Vector, gripper_width: float) -> None:
        """Draw the arm at `joints` (n,) rad, with the gripper `gripper_width` m wide."""
        places = self._arm.places(joints, gripper_width)
        with self._server.atomic():
            for number, (piece, (position, orientation)) in enumerate(zip(self._pieces, places, strict=True)):
                if self._drawn and _same(self._drawn[number], (position, orientation)):
                    continue
                piece.position, piece.wxyz = position, orientation
        self._drawn = places

    def show(self, shown: bool) -> None:
        """Show the arm, or hide it where nothing is known about it."""
        if shown == self._shown:
            return
        self._shown = shown
        with self._server.atomic():
            for piece in self._pieces:
                piece.visible = shown


def _same(before: tuple[Vector, Vector], now: tuple[Vector, Vector]) -> bool:
    return all(bool((np.abs(a - b) < _MOVED).all()) for a, b in zip(before, now, strict=True))


def _edges(lower: Vector, upper: Vector) -> Vector:
    """Return the edges (12, 2, 3) m of a box."""
    corners = np.array([lower, upper])
    return np.array([[[corners[which[axis]][axis] for axis in range(3)] for which in edge] for edge in _EDGES])


def _draw_keep_out(scene: viser.SceneApi, number: int, box: Box) -> None:
    lower, upper = np.array(box.lower), np.array(box.upper)
    scene.add_box(
        f"/keep-out/{number}",
        color=(220, 60, 50),
        dimensions=tuple(upper - lower),
        opacity=0.25,
        position=0.5 * (lower + upper),
    )
