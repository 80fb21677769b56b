"""Logs what the page shows to a file for Rerun's viewer (https://rerun.io)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from robot.arm.interface import ArmSpec
from robot.errors import CameraError, ConfigurationError
from robot.system.files import require_writable
from robot.web.arm_shapes import ArmShapes
from robot.web.entity_drawing import paths_of
from robot.wire.decision_image import drawn
from robot.wire.entity_mark import EntityMark, Points
from robot.wire.frame_image import picture_of
from robot.wire.messages import DecisionReport, Frame, JointState

Places = Callable[[EntityMark], Points]


class RerunLog:
    """Writes states, pictures and decisions to `path`, each at its time on the timeline `monotonic`.

    Raises `ConfigurationError` when the package `rerun-sdk` is not installed, or when the file cannot be written.
    """

    def __init__(self, path: Path, spec: ArmSpec) -> None:
        try:
            import rerun
        except ModuleNotFoundError as error:
            raise ConfigurationError(
                "logging for Rerun needs the Python package 'rerun-sdk': pip install 'worldarm[rerun]'"
            ) from error
        require_writable(path)
        self._rerun = rerun
        self._names = spec.joint_names
        self._arm = ArmShapes(spec)
        self._stream = rerun.RecordingStream("worldarm")
        self._stream.save(str(path))
        self._state_ns = 0
        self._frames_ns: dict[str, int] = {}
        for number, shape in enumerate(self._arm.shapes):
            r, g, b = (round(255 * channel) for channel in shape.colour)
            mesh = rerun.Mesh3D(
                vertex_positions=shape.vertices, triangle_indices=shape.faces, albedo_factor=(r, g, b, 255)
            )
            self._stream.log(f"arm/{number}", mesh, static=True)

    def add(
        self, state: JointState | None, frames: Sequence[Frame | None], decisions: Sequence[DecisionReport]
    ) -> None:
        """Write the new messages; for a picture that cannot be decoded, the reason."""
        if state is not None and state.time_ns != self._state_ns:
            self._state_ns = state.time_ns
            self._add_state(state)
        for frame in frames:
            if frame is not None and frame.time_ns != self._frames_ns.get(frame.camera.name):
                self._frames_ns[frame.camera.name] = frame.time_ns
                self._at(frame.time_ns)
                self._picture(f"camera/{frame.camera.name}", partial(picture_of, frame))
        for decision in decisions:
            self._add_decision(decision)

    def close(self) -> None:
        """Write pending messages and close the file."""
        self._stream.flush()
        self._stream.disconnect()

    def _add_state(self, state: JointState) -> None:
        rerun = self._rerun
        self._at(state.time_ns)
        for name, values in (("governed", state.governed), ("measured", state.measured)):
            for joint, value in zip(self._names, values, strict=True):
                self._stream.log(f"joints/{joint}/{name}", rerun.Scalars(value))
        self._stream.log("gripper", rerun.Scalars(state.gripper_width))
        self._stream.log("driver", rerun.TextLog(f"{state.mode}, lease {state.holder or 'free'} {state.reason}"))
        for number, (position, (w, x, y, z)) in enumerate(
            self._arm.places(np.asarray(state.measured), state.gripper_width)
        ):
            turned = rerun.Quaternion(xyzw=(x, y, z, w))
            self._stream.log(f"arm/{number}", rerun.Transform3D(translation=position, rotation=turned))

    def _add_decision(self, decision: DecisionReport) -> None:
        rerun = self._rerun
        self._at(decision.decided_ns or decision.time_ns)
        self._stream.log("agent/distance", rerun.Scalars(decision.distance))
        self._stream.log("agent/plan_ms", rerun.Scalars(decision.plan_ms))
        self._stream.log("agent/capture_to_command_ms", rerun.Scalars(decision.capture_to_command_ms))
        self._stream.log("agent/status", rerun.TextLog(decision.status))
        for name, data in (("goal", decision.goal), ("imagined", decision.imagined)):
            if data:
                self._picture(f"agent/{name}", partial(drawn, decision, data))
        self._things("agent/goal", decision.entities, lambda mark: mark.wanted)
        self._things("agent/imagined", decision.entities, lambda mark: mark.path[-1] if mark.path else mark.now)
        if decision.camera:
            self._things(f"camera/{decision.camera}", decision.entities, lambda mark: mark.now)
            self._paths(f"camera/{decision.camera}", decision.entities)

    def _things(self, where: str, marks: Sequence[EntityMark], places: Places) -> None:
        """Write the points of the named things over a picture."""
        found = [(mark, place) for mark in marks for place in places(mark) if place is not None]
        points = self._rerun.Points2D(
            [place for _, place in found],
            colors=[mark.colour for mark, _ in found],
            labels=[mark.name for mark, _ in found],
            radii=1.0,
        )
        self._stream.log(f"{where}/things", points)

    def _paths(self, where: str, marks: Sequence[EntityMark]) -> None:
        """Write the imagined paths of the named things over a picture."""
        paths = [(mark, path) for mark in marks for path in paths_of(mark)]
        lines = self._rerun.LineStrips2D([path for _, path in paths], colors=[mark.colour for mark, _ in paths])
        self._stream.log(f"{where}/paths", lines)

    def _picture(self, where: str, picture: Callable[[], NDArray[np.uint8]]) -> None:
        try:
            self._stream.log(where, self._rerun.Image(picture()))
        except CameraError as error:
            self._stream.log(f"{where}/error", self._rerun.TextLog(str(error)))

    def _at(self, time_ns: int) -> None:
        self._stream.set_time("monotonic", duration=time_ns * 1e-9)

    def __enter__(self) -> RerunLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
