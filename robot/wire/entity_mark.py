"""Where an agent sees things, as a decision's report says it to viewers and recorders."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec

from robot.system.text import escape_fields
from robot.wire.limits import MAX_NAME_LENGTH, MAX_PATH, MAX_PICTURE_SIDE, MAX_VIEWS

Pixel: TypeAlias = Annotated[float, msgspec.Meta(ge=-MAX_PICTURE_SIDE * MAX_VIEWS, le=MAX_PICTURE_SIDE * MAX_VIEWS)]
Point: TypeAlias = tuple[Pixel, Pixel]
"""A place in a picture, across and down from its upper left corner, in pixels; a rig's pictures are stacked."""
Points: TypeAlias = Annotated[tuple[Point | None, ...], msgspec.Meta(max_length=MAX_VIEWS)]
"""A place in each camera's view, in the rig's order; None in a view in which the thing is not seen."""
Channel: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=255)]


class EntityMark(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where an agent sees a thing, in pixels of its own picture.

    `name` is the thing's colour, and `colour` an RGB colour to draw it in. `now` are its places; `wanted` those in the
    goal, empty where the thing does not matter; and `path` those after each block of the plan, empty without a plan.
    """

    name: str
    colour: tuple[Channel, Channel, Channel]
    now: Points
    wanted: Points = ()
    path: Annotated[tuple[Points, ...], msgspec.Meta(max_length=MAX_PATH)] = ()

    def __post_init__(self) -> None:
        escape_fields(self, ("name",), MAX_NAME_LENGTH)
