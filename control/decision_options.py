"""The options `--decision.*` of commands: every setting of `DecisionConfig`. A setting that is not given keeps its
value in the checkpoint's card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, get_args, get_origin

import msgspec
import tyro

from control.decision_config import default_decision_config


def _optional(usual: msgspec.Struct, others: Mapping[str, msgspec.Struct]) -> type[msgspec.Struct]:
    """Return an options struct with the same fields, each defaulting to None, recursively. The help shows the usual
    value, and those of `others` that differ, each with its name."""
    group = type(usual)
    options: list[tuple[str, Any, Any]] = []
    for field in msgspec.structs.fields(group):
        kind = get_args(field.type)[0] if get_origin(field.type) is Annotated else field.type
        value = getattr(usual, field.name)
        instead = {name: getattr(other, field.name) for name, other in others.items()}
        if isinstance(value, msgspec.Struct):
            below = _optional(value, instead)
            options.append((field.name, below, below()))
        else:
            shown = "; ".join([f"{value}", *(f"{other} {name}" for name, other in instead.items() if other != value)])
            words = tyro.conf.arg(help=f"None: the value in the checkpoint's card (usually {shown})")
            options.append((field.name, Annotated[kind | None, words], None))
    namespace = {"__doc__": group.__doc__}
    return msgspec.defstruct(group.__name__, options, namespace=namespace, module=__name__, frozen=True)


if TYPE_CHECKING:
    DecisionOptions: TypeAlias = msgspec.Struct
else:
    DecisionOptions = _optional(
        default_decision_config(has_binary_actions=False),
        {
            "with a gripper": default_decision_config(has_binary_actions=True),
            "with entities": default_decision_config(has_binary_actions=False, has_entities=True),
        },
    )


def explicit_settings(options: DecisionOptions) -> dict[str, Any]:
    """Return the settings that are not None, nested by field name, for `with_changes`."""
    found: dict[str, Any] = {}
    for name in options.__struct_fields__:
        value = getattr(options, name)
        if isinstance(value, msgspec.Struct):
            value = explicit_settings(value) or None
        if value is not None:
            found[name] = value
    return found
