"""A small arm for the driver's tests: the Panda's specification, joints that follow their set-points with a lag, and
one cube. Its address is a JSON object of `Options`."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import msgspec
import numpy as np

from robot.arm.interface import ArmOptions, ArmSpec, ObjectPose, Reading, Vector
from robot.errors import ArmError, ConfigurationError
from tests.robot.panda import panda_spec

LAG = 0.6
"""Share of the way to its set-point that a joint goes in one tick."""


class Options(msgspec.Struct, forbid_unknown_fields=True):
    """How this arm behaves: where it starts, and after how many reads or writes, if any, it fails and how.

    sticks: after so many writes its last joint does not move any more. presses: after so many reads joint 4 measures
    100 N·m, for so many. in_motion: count them only once a joint has been commanded to move at 0.5 rad/s. foreign: fail
    with errors that are not worldarm's. interrupts: Ctrl-C comes at the moment at which a read fails. mends: whatever
    failed works again once it is started anew, 0.1 rad from where it was. named: the arm's name, where it is not to be
    the Panda's. diary, written: files that get what is called and, at the end, every set-point taken.
    """

    start: tuple[float, ...] = ()
    read_fails_after: int = 0
    write_fails_after: int = 0
    silent_after: int = 0
    not_finite_after: int = 0
    sticks_after: int = 0
    presses_after: int = 0
    presses_for: int = 0
    objects_fail_after: int = 0
    objects_absurd_after: int = 0
    in_motion: bool = False
    foreign: bool = False
    interrupts: bool = False
    mends: bool = False
    named: str = ""
    diary: str = ""
    written: str = ""


class KinematicArm:
    """An arm without a scene."""

    def __init__(self, options: Options) -> None:
        self.spec: ArmSpec = msgspec.structs.replace(panda_spec(), name=options.named or panda_spec().name)
        self._options = options
        self._position = np.array(options.start or self.spec.home)
        self._velocity = np.zeros(self.spec.dof)
        self._gripper = 0.08
        self._reads = 0
        self._writes = 0
        self._time_ns = 0
        self._counting = not options.in_motion
        self._taken: list[list[float]] = []

    def _error(self, text: str) -> Exception:
        return OSError(text) if self._options.foreign else ArmError(text)

    def _note(self, text: str) -> None:
        if self._options.diary:
            with open(self._options.diary, "a", encoding="utf-8") as diary:
                diary.write(text + "\n")

    def start(self) -> None:
        self._note("start")
        if self._reads and self._options.mends:
            kept = ("start", "diary", "written")
            self._options = Options(**{name: getattr(self._options, name) for name in kept})
            self._position = self._position + 0.1
            self._velocity = np.zeros(self.spec.dof)

    def read(self) -> Reading:
        self._reads += self._counting
        if 0 < self._options.read_fails_after < self._reads:
            if self._options.interrupts:
                os.kill(os.getpid(), signal.SIGINT)
            raise self._error("the cable was pulled")
        if not 0 < self._options.silent_after < self._reads:
            self._time_ns = time.monotonic_ns()
        positions = tuple(self._position.tolist())
        if 0 < self._options.not_finite_after < self._reads:
            positions = (float("nan"), *positions[1:])
        efforts = [1.0] * self.spec.dof
        if 0 < self._options.presses_after < self._reads <= self._options.presses_after + self._options.presses_for:
            efforts[3] = -100.0
        return Reading(self._time_ns, positions, tuple(self._velocity.tolist()), self._gripper, tuple(efforts))

    def write(self, positions: Vector, gripper_width: float) -> None:
        self._writes += self._counting
        if 0 < self._options.write_fails_after < self._writes:
            self._note("refused")
            raise self._error("a joint is too hot")
        if self._taken and np.abs(positions - self._taken[-1]).max() * self.spec.rate_hz > 0.5:
            self._counting = True
        self._taken.append(positions.tolist())
        step = LAG * (positions - self._position)
        if 0 < self._options.sticks_after < self._writes:
            step[-1] = 0.0
        self._velocity = step * self.spec.rate_hz
        self._position = self._position + step
        self._gripper = gripper_width

    def park(self) -> None:
        self._note(f"park at {np.abs(self._velocity).max():.4f} rad/s")

    def close(self) -> None:
        if self._options.written:
            Path(self._options.written).write_bytes(msgspec.json.encode(self._taken))
        self._note("close")


class KinematicArmWithScene(KinematicArm):
    """The same arm with a cube beside it."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self._cube = ObjectPose("cube", (0.5, 0.0, 0.02), (0.0, 0.0, 0.0, 1.0))

    def objects(self) -> tuple[ObjectPose, ...]:
        if 0 < self._options.objects_fail_after < self._reads:
            raise self._error("the camera above the table is gone")
        if 0 < self._options.objects_absurd_after < self._reads:
            return (object(),)  # type: ignore[return-value]
        return (self._cube,)

    def place(self, objects: tuple[ObjectPose, ...]) -> None:
        for item in objects:
            if item.name != "cube":
                raise ConfigurationError(f"there is no object called '{item.name}'; known: cube")
        for item in objects:
            self._cube = item


def make_bare(options: ArmOptions) -> KinematicArm:
    """The factory named by the entry point `bare`."""
    return KinematicArm(msgspec.json.decode(options.address or "{}", type=Options))


def make_scene(options: ArmOptions) -> KinematicArmWithScene:
    """The factory named by the entry point `scene`."""
    return KinematicArmWithScene(msgspec.json.decode(options.address or "{}", type=Options))
