"""Where a data set that another program recorded holds the arm's joints, and in which units.

Such a set has no columns of worldarm's own. Its action holds the joints that were commanded when the picture of the
same row was taken, its state those that were measured.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from robot.arm.interface import ArmSpec
from robot.errors import ConfigurationError
from robot.system.text import printable

Units = Literal["degrees", "radians", "normalised"]
NORMALISED = 100.0
"""LeRobot's numbers of a joint go from −100 at its lower limit to 100 at its upper one."""
SUFFIXES = (".pos",)
"""What LeRobot adds to a joint's name."""
GRIPPER = "gripper"
_SHOWN = 100  # characters of a name from a file


class NumberSource(msgspec.Struct, frozen=True):
    """One joint or gripper: the places of its number in the `action` and in the `state`. Its position is `offset` +
    `scale` × number, in rad, or in m for a gripper's width."""

    action: int
    state: int
    scale: float
    offset: float


class JointSource(msgspec.Struct, frozen=True, omit_defaults=True):
    """The `joints` of an arm, in its own order, and its `gripper`; without one its width is always `width` m."""

    joints: tuple[NumberSource, ...]
    gripper: NumberSource | None = None
    width: float = 0.0

    def require(self, joints: int, action: int, state: int) -> None:
        """Raise `ConfigurationError` unless the arm has the number of `joints` that are described here, and
        every entry is among the `action` entries of an action and the `state` entries of a state."""
        if len(self.joints) != joints:
            raise ConfigurationError(f"{len(self.joints)} joints are described, and the arm has {joints}")
        for each in self._entries:
            if not (0 <= each.action < action and 0 <= each.state < state):
                raise ConfigurationError(
                    f"entry {each.action} of {action} in the action, or {each.state} of {state} in the state, is not "
                    "there"
                )

    def commanded(self, action: NDArray[Any]) -> NDArray[np.float64]:
        """Return the commanded joints, rad, and the gripper's width, m, (T, n + 1) of the rows of `action` (T, A)."""
        return self._read(action, [each.action for each in self._entries])

    def measured(self, state: NDArray[Any]) -> NDArray[np.float64]:
        """Return the measured joints, rad, and the gripper's width, m, (T, n + 1) of the rows of `state` (T, S)."""
        return self._read(state, [each.state for each in self._entries])

    @property
    def _entries(self) -> tuple[NumberSource, ...]:
        return self.joints if self.gripper is None else (*self.joints, self.gripper)

    def _read(self, rows: NDArray[Any], places: list[int]) -> NDArray[np.float64]:
        numbers = rows.reshape(len(rows), -1).astype(np.float64)[:, places]
        scale, offset = (np.array([getattr(each, name) for each in self._entries]) for name in ("scale", "offset"))
        found = np.full((len(rows), len(self.joints) + 1), self.width)
        found[:, : len(places)] = offset + scale * numbers
        return found


def joint_source(
    arm: ArmSpec,
    action: Sequence[str],
    state: Sequence[str],
    units: Units,
    joints: Sequence[str] = (),
    reverse: Sequence[str] = (),
    offsets_deg: dict[str, float] | None = None,
    gripper: str | None = GRIPPER,
    gripper_range: tuple[float, float] = (0.0, NORMALISED),
) -> JointSource:
    """Return where the entries named `action` and `state` hold the joints of `arm`.

    joints: the entry of each joint, in the arm's order; empty: those of the joints' names. reverse: joints that turn
    the other way. offsets_deg: by joint, the angle (degrees) at which its number, in the units, is zero. gripper: the
    gripper's entry, None for none; `gripper_range`: its numbers when closed and when fully open.

    Raises `ConfigurationError` for entries and joints that are not there, and for numbers out of range.
    """
    wanted, offsets = tuple(joints) or arm.joint_names, offsets_deg or {}
    if len(wanted) != len(arm.joint_names):
        raise ConfigurationError(
            f"--joints names {len(wanted)} entries, and the arm {arm.name} has {len(arm.joint_names)} joints: "
            f"{', '.join(arm.joint_names)}"
        )
    for name in (*reverse, *offsets):
        if name not in arm.joint_names:
            raise ConfigurationError(f"the arm {arm.name} has no joint {name!r}; it has {', '.join(arm.joint_names)}")
    found = []
    for number, (joint, entry) in enumerate(zip(arm.joint_names, wanted, strict=True)):
        scale, offset = _scale(units, arm.lower[number], arm.upper[number])
        sign = -1.0 if joint in reverse else 1.0
        shift = math.radians(offsets.get(joint, 0.0))
        if not math.isfinite(shift):
            raise ConfigurationError(f"the offset of {joint} must be finite")
        found.append(NumberSource(_place(entry, action), _place(entry, state), sign * scale, sign * offset + shift))
    closed_m, open_m = arm.gripper_range
    if gripper is None or open_m <= closed_m:
        return JointSource(tuple(found), None, closed_m)
    closed, opened = gripper_range
    if not math.isfinite(closed) or not math.isfinite(opened) or closed == opened:
        raise ConfigurationError(f"--gripper-range needs two different numbers, not {closed:g} and {opened:g}")
    scale = (open_m - closed_m) / (opened - closed)
    width = NumberSource(_place(gripper, action), _place(gripper, state), scale, closed_m - scale * closed)
    return JointSource(tuple(found), width)


def _scale(units: Units, lower: float, upper: float) -> tuple[float, float]:
    """Return the rad of one unit, and those of number 0, of a joint with these limits (rad)."""
    if units == "degrees":
        return math.radians(1.0), 0.0
    if units == "radians":
        return 1.0, 0.0
    return (upper - lower) / (2.0 * NORMALISED), (upper + lower) / 2.0


def _place(entry: str, names: Sequence[str]) -> int:
    """Return the place of `entry` in `names`: a name with or without a suffix, or the place itself."""
    plain = [_plain(name) for name in names]
    if plain.count(_plain(entry)) == 1:
        return plain.index(_plain(entry))
    if entry.isascii() and entry.isdigit() and len(entry) < 4 and int(entry) < len(names):
        return int(entry)
    there = ", ".join(printable(name, _SHOWN) for name in names)
    raise ConfigurationError(
        f"there is no entry {entry!r}, or more than one, among {there}; name the entry of each joint with --joints, by "
        "its name or its place from 0, and the gripper's with --gripper (None: it has none)"
    )


def _plain(name: str) -> str:
    for suffix in SUFFIXES:
        name = name.removesuffix(suffix)
    return name
