"""The entries that a state can have, one definition each, by which they are computed live and from recordings.

A package adds an entry by naming its `StateEntry` in its metadata, under the entry's own name:

    [project.entry-points."worldarm.senses"]
    "wrist.height" = "my_package.senses:WRIST_HEIGHT"
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from robot import registry
from robot.arm.interface import Vector
from robot.embodiment.arm_sample import ArmSample
from robot.errors import ConfigurationError

Between = Literal["line", "turn", "step"]
"""How an entry is interpolated between two samples: linearly; linearly as an angle in rad that may pass ±π; or as the
value of the nearest sample."""
HOLDING_M = 0.003
"""A gripper that is wider than commanded by more than this holds an object, or is still closing."""


@dataclass(frozen=True)
class StateEntry:
    """One entry of a state, in `unit`; `value` computes it from a sample.

    With `per_joint`, `value` returns (n,), one number for each joint, and a state names them one by one, counted from
    1: "joint.1". `mirror` is the factor by which reflection in the plane y = 0 of the base frame multiplies the entry,
    None when the mirror image is not known. A `command` is what was commanded, not what was measured; the command
    mask hides it. `between` says how recordings are interpolated. `effort` says that `value` needs the joints' efforts,
    so that recordings for such a state store them.
    """

    name: str
    unit: str
    value: Callable[[ArmSample], float | Vector]
    mirror: float | None = 1.0
    command: bool = False
    per_joint: bool = False
    between: Between = "line"
    effort: bool = False

    def read(self, sample: ArmSample) -> float:
        """Return the value of an entry that is not `per_joint`."""
        return float(self.value(sample))

    def of_joint(self, number: int) -> StateEntry:
        """Return the entry of joint `number`, counted from 1, of a `per_joint` entry."""

        def value(sample: ArmSample) -> float:
            values = np.asarray(self.value(sample))
            if len(values) < number:
                raise ConfigurationError(
                    f"{self.name}.{number} does not exist: this arm has {len(sample.measured)} joints and provides "
                    f"{self.name} for {len(values)} of them"
                )
            return float(values[number - 1])

        return dataclasses.replace(self, name=f"{self.name}.{number}", value=value, per_joint=False)


def _axis(index: int, of: Callable[[ArmSample], NDArray[np.float64]]) -> Callable[[ArmSample], float]:
    return lambda sample: float(of(sample)[index])


TOOL_PLACE = (
    StateEntry("tool.x", "m", _axis(0, lambda sample: sample.tool.position)),
    StateEntry("tool.y", "m", _axis(1, lambda sample: sample.tool.position), mirror=-1.0),
    StateEntry("tool.z", "m", _axis(2, lambda sample: sample.tool.position)),
)
"""The position of the tool at the measured joints."""
_SETPOINT_PLACE = (
    StateEntry("setpoint.x", "m", _axis(0, lambda sample: sample.setpoint.position), command=True),
    StateEntry("setpoint.y", "m", _axis(1, lambda sample: sample.setpoint.position), mirror=-1.0, command=True),
    StateEntry("setpoint.z", "m", _axis(2, lambda sample: sample.setpoint.position), command=True),
)
_ENTRIES = (
    *TOOL_PLACE,
    StateEntry("gripper.width", "m", lambda sample: sample.gripper_width),
    *_SETPOINT_PLACE,
    StateEntry("tool.yaw", "rad", lambda sample: sample.yaw(sample.tool.rotation), mirror=-1.0, between="turn"),
    StateEntry(
        "setpoint.yaw",
        "rad",
        lambda sample: sample.yaw(sample.setpoint.rotation),
        mirror=-1.0,
        command=True,
        between="turn",
    ),
    StateEntry("gripper.command", "m", lambda sample: sample.gripper_command, command=True),
    StateEntry(
        "gripper.holding",
        "1 or 0",
        lambda sample: float(sample.gripper_width - sample.gripper_command > HOLDING_M),
        between="step",
    ),
    StateEntry("joint", "rad", lambda sample: sample.measured, mirror=None, per_joint=True),
    StateEntry("setpoint.joint", "rad", lambda sample: sample.governed, mirror=None, command=True, per_joint=True),
    StateEntry("effort", "N·m", lambda sample: sample.effort, mirror=None, per_joint=True, effort=True),
)
STATE_ENTRIES: Mapping[str, StateEntry] = MappingProxyType({entry.name: entry for entry in _ENTRIES})
"""Those that come with worldarm, by name."""


def find_entries(names: Sequence[str]) -> tuple[StateEntry | None, ...]:
    """Return the definition of each of a state's `names`, None where there is none, as for the state of a Gymnasium
    environment.

    Raises `ConfigurationError` when an installed package registers anything but a `StateEntry` of that name.
    """
    found = {name: _entry(name, STATE_ENTRIES) for name in names}
    if None in found.values():
        offered = {name: _offered(name) for name in registry.names(registry.SENSES)}
        found |= {name: _entry(name, offered) for name, entry in found.items() if entry is None}
    return tuple(found[name] for name in names)


def entries_named(names: Sequence[str]) -> tuple[StateEntry, ...]:
    """Return the definitions of a state's entries. Raises `ConfigurationError` for an unknown name."""
    found = find_entries(names)
    unknown = [name for name, entry in zip(names, found, strict=True) if entry is None]
    if unknown:
        raise ConfigurationError(f"unknown state entries: {', '.join(unknown)}; known: {', '.join(_known())}")
    return tuple(entry for entry in found if entry is not None)


def commands_among(names: Sequence[str]) -> tuple[int, ...]:
    """Return the indices of those of a state's entries that are commands; unknown names are none."""
    return tuple(number for number, entry in enumerate(find_entries(names)) if entry is not None and entry.command)


def needs_effort(names: Sequence[str]) -> bool:
    """Return whether one of a state's entries is computed from the joints' efforts."""
    return any(entry.effort for entry in find_entries(names) if entry is not None)


def mirror_signs(names: Sequence[str]) -> tuple[float, ...]:
    """Return the factor by which reflection in the plane y = 0 multiplies each of a state's entries.

    Raises `ConfigurationError` for an unknown name, and for an entry whose mirror image is not known.
    """
    found = {entry.name: entry.mirror for entry in entries_named(names)}
    unknown = [name for name, sign in found.items() if sign is None]
    if unknown:
        raise ConfigurationError(f"the mirror image of {', '.join(unknown)} is not known; train without mirror images")
    return tuple(sign for sign in found.values() if sign is not None)


def _entry(name: str, known: Mapping[str, StateEntry]) -> StateEntry | None:
    """Return the entry `name`, or the joint's entry that it names, from the `known` ones; None when there is none."""
    if name in known:
        return None if known[name].per_joint else known[name]
    family, _, number = name.rpartition(".")
    if family not in known or not known[family].per_joint or not number.isdecimal() or int(number) < 1:
        return None
    return known[family].of_joint(int(number))


def _offered(name: str) -> StateEntry:
    """Return the entry that an installed package registers as `name`."""
    entry = registry.load(registry.SENSES, name)
    if not isinstance(entry, StateEntry) or entry.name != name:
        raise ConfigurationError(
            f"the sense {name!r} is registered as {entry!r}, which is not a StateEntry of that name"
        )
    return entry


def _known() -> list[str]:
    """Return every name that a state's entry can have; N stands for the number of a joint."""
    ours = [f"{entry.name}.N" if entry.per_joint else entry.name for entry in STATE_ENTRIES.values()]
    return [*ours, *registry.names(registry.SENSES)]
