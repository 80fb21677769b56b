"""Reads action conventions from files, where a convention is a mapping with a `kind`.

A package adds one by naming its struct, whose tag is the entry point's name, in its own metadata:

    [project.entry-points."worldarm.conventions"]
    my-convention = "my_package.convention:MyConvention"

Earlier files have no `kind`. They hold tool displacements or, for Gymnasium environments, what is now a `BoxAction`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from robot import registry
from robot.embodiment.blocks import require_block
from robot.embodiment.box_action import BoxAction
from robot.embodiment.convention import ActionConvention
from robot.embodiment.joint_displacement import JointDisplacement
from robot.embodiment.tool_displacement import ToolDisplacement
from robot.system.bounds import MAX_CONVENTION_SIZE
from robot.system.text import printable

KIND = "kind"
_SHOWN = 80  # characters of a wrong entry in a message
_OURS: Mapping[str, type[msgspec.Struct]] = MappingProxyType(
    {str(each.__struct_config__.tag): each for each in (ToolDisplacement, JointDisplacement, BoxAction)}
)
_BOX_AXIS = "action"
_BOX_FIELDS = {"block_s": "block_s", "waypoints": "repeat"}
_TOOL, _BOX = (str(each.__struct_config__.tag) for each in (ToolDisplacement, BoxAction))


def with_kind(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return a stored convention in its present form, with a `kind`."""
    if KIND in stored:
        return dict(stored)
    axes = stored.get("axes")
    if isinstance(axes, (list, tuple)) and axes and all(str(axis).startswith(_BOX_AXIS) for axis in axes):
        kept = {name: stored[before] for before, name in _BOX_FIELDS.items() if before in stored}
        return {KIND: _BOX, "size": len(axes), **kept}
    return {KIND: _TOOL, **stored}


def read_convention(_: type, stored: object) -> object:
    """Return the convention that a file holds as `stored`: msgspec's `dec_hook` for structs with such a field.

    Raises `ValueError` for a kind that no installed package registers, `msgspec.ValidationError` for a field that is
    missing or not valid, and `ConfigurationError` for a convention that cannot be loaded.
    """
    if not isinstance(stored, Mapping):
        raise ValueError(f"an action convention is a mapping, not {printable(repr(stored), _SHOWN)}")
    found = with_kind(stored)
    convention: Any = msgspec.convert(found, _struct(str(found[KIND])))
    if not convention.size <= MAX_CONVENTION_SIZE:
        raise ValueError(f"an action has {convention.size} entries; it may have at most {MAX_CONVENTION_SIZE}")
    require_block(convention.block_s)
    return convention


def differences(one: ActionConvention, other: ActionConvention) -> tuple[str, ...]:
    """Return the names of the fields in which two conventions differ; `kind` is one."""
    here, there = msgspec.to_builtins(one), msgspec.to_builtins(other)
    return tuple(name for name in {**here, **there} if here.get(name) != there.get(name))


def _struct(kind: str) -> type[msgspec.Struct]:
    if kind in _OURS:
        return _OURS[kind]
    if kind not in registry.names(registry.CONVENTIONS):
        raise ValueError(
            f"no installed package offers actions of the kind {printable(repr(kind), _SHOWN)}; install the one with "
            "which this was recorded"
        )
    struct: type[msgspec.Struct] = registry.load(registry.CONVENTIONS, kind)
    return struct
