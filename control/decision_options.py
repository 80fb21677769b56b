"""The options `--decision.*` of commands: every setting of `DecisionConfig`, each left to the checkpoint's card unless
it is given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, get_args, get_origin

import msgspec
import tyro

from control.decision_config import default_decision


def _optional(usual: msgspec.Struct, with_gripper: msgspec.Struct) -> type[msgspec.Struct]:
    """Return the settings of a group as options that are None unless given, groups in it likewise; their help names
    the values of both."""
    group = type(usual)
    options: list[tuple[str, Any, Any]] = []
    for field in msgspec.structs.fields(group):
        kind = get_args(field.type)[0] if get_origin(field.type) is Annotated else field.type
        value, other = getattr(usual, field.name), getattr(with_gripper, field.name)
        if isinstance(value, msgspec.Struct):
            below = _optional(value, other)
            options.append((field.name, below, below()))
        else:
            says = f"{value}" if value == other else f"{value}, with a gripper {other}"
            words = tyro.conf.arg(help=f"None: as the checkpoint's card says, usually {says}")
            options.append((field.name, Annotated[kind | None, words], None))
    namespace = {"__doc__": group.__doc__}
    return msgspec.defstruct(group.__name__, options, namespace=namespace, module=__name__, frozen=True)


if TYPE_CHECKING:
    DecisionOptions: TypeAlias = msgspec.Struct
else:
    DecisionOptions = _optional(default_decision(binary=False), default_decision(binary=True))


def given(options: DecisionOptions) -> dict[str, Any]:
    """Return the settings that were given, nested by field name, as `changed` takes them."""
    found: dict[str, Any] = {}
    for name in options.__struct_fields__:
        value = getattr(options, name)
        if isinstance(value, msgspec.Struct):
            value = given(value) or None
        if value is not None:
            found[name] = value
    return found
