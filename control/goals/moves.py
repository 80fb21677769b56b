"""Goals without a picture: one thing of the present picture is elsewhere, and nothing else matters.

The goal's tokens are those of the present picture, but the moved thing's tokens are made: their places are where the
cameras would see it, and their features are those that remembered states have there, because a thing looks a little
different from place to place.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from control.goals.latent_goal import LatentGoal, goal_of_things
from control.goals.token_goals import things_in, tokens_in
from perception.camera.projection import Sight, point_at, point_between, sight
from perception.checkpoint.card import HeadsConfig
from perception.model.entities.layout import layout_of
from perception.model.entities.names import LONGEST, TokenColours
from perception.model.entities.places import across_down, column_row, places_of
from perception.model.world_model import WorldModel
from robot.arm.interface import Vector
from robot.embodiment.description import EmbodimentDescription
from robot.embodiment.tool_displacement import ToolDisplacement
from robot.errors import ConfigurationError, GoalError
from robot.wire.camera_spec import CameraSpec

SEEN_HEIGHT_M = 0.03
"""The height at which cameras see the middle of a thing on the table. They look down, so it is above the thing's
centre."""
STACKED = 0.7
"""How far above the middle of what is below a thing on it is seen, as a share of the side of the square that has the
thing's area in the picture. For a cube seen from obliquely above, that side is 1.2 to 1.4 times the cube's."""
NEIGHBOURS = 4
"""The number of remembered tokens whose mean is the moved token."""
_PLACE = re.compile(r"\s*(-?\d{1,3}(?:\.\d{0,9})?)\s*,\s*(-?\d{1,3}(?:\.\d{0,9})?)\s*")


@dataclass(frozen=True)
class Move:
    """What is to be moved where: the thing of this name to a `place` (x, y) m in the arm's base frame or, when that is
    None, onto the thing named `on`."""

    thing: str
    place: tuple[float, float] | None
    on: str = ""

    @classmethod
    def of(cls, thing: str, to: str | None, on: str | None) -> Move:
        """Return the move to the place `to`, such as "0.45,0.1", or onto the thing `on`. Raises `ConfigurationError`
        unless one of both is given, and for a place that is not two numbers."""
        if (to is None) == (on is None):
            raise ConfigurationError("--move needs either --to X,Y or --on THING")
        if to is None:
            return cls(thing, None, on or "")
        found = _PLACE.fullmatch(to)
        if found is None:
            raise ConfigurationError(
                f"--to {to[:LONGEST]!r}: a place is two numbers, x and y in metres in the arm's base frame, as in "
                "--to 0.45,0.1"
            )
        return cls(thing, (float(found[1]), float(found[2])))

    def __str__(self) -> str:
        where = f"on {self.on[:LONGEST]}" if self.place is None else f"at {self.place[0]:g},{self.place[1]:g}"
        return f"{self.thing[:LONGEST]} {where}"


@dataclass(frozen=True)
class Mover:
    """Makes goals for a model and its heads, trained for an arm and cameras, which `remembered` these latents (N, D)
    of its training data."""

    model: WorldModel
    heads: HeadsConfig
    embodiment: EmbodimentDescription
    remembered: Tensor

    @torch.inference_mode()
    def goal(self, picture: NDArray[np.uint8], move: Move) -> LatentGoal:
        """Return the goal that of the present `picture` (V × H, W, 3) uint8 RGB one thing is moved.

        Raises `GoalError` and `ThingNotFound` as `only_things`, `GoalError` for a place that the tool cannot reach or
        that a camera does not see, and for a model without remembered states, and `CameraError` for a camera whose pose
        the model does not know.
        """
        latent, seen = tokens_in(self.model, self.heads, picture)
        if len(self.remembered) == 0:
            raise GoalError("this model remembers no states: train its critic and actor with --heads.landmarks 512")
        tokens = latent.unflatten(-1, (self.model.config.entities, -1)).clone()
        cameras = self.embodiment.camera.views
        held = seen.holders(move.thing)
        point = self._target(tokens, seen, move)
        entries = [
            across_down(each.column, each.row, camera.width, camera.height)
            for camera, each in zip(cameras, self._sights(point, move), strict=True)
        ]
        wanted = torch.tensor(entries, dtype=tokens.dtype)
        for number in held.any(-1).nonzero().flatten().tolist():
            # In a view in which another token holds the thing, this one stays where it is.
            moved = held[number] | ~held.any(0)
            tokens[number] = self._elsewhere(tokens[number], number, wanted, moved)
        things = {**things_in(seen, latent), move.thing: held.any(-1).to(tokens.dtype)}
        return goal_of_things(tokens.flatten(), layout_of(self.model.encoder), things, [move.thing])

    def _elsewhere(self, token: Tensor, number: int, wanted: Tensor, moved: Tensor) -> Tensor:
        """Return the `token` (d,) of this number with what it holds at the places `wanted` (V, 2) of the views that are
        `moved` (V,)."""
        views = len(wanted)
        goal = places_of(token, views).clone()
        goal[moved, :2] = wanted[moved]
        remembered = self.remembered.unflatten(-1, (self.model.config.entities, -1))[:, number]
        away = ((places_of(remembered, views) - goal) ** 2).sum((-1, -2))
        nearest = away.topk(min(NEIGHBOURS, len(away)), largest=False).indices
        made = remembered[nearest].mean(0)
        places_of(made, views)[:, :2] = goal[:, :2]
        return made

    def _target(self, tokens: Tensor, seen: TokenColours, move: Move) -> Vector:
        """Return the point (3,) m at which the moved thing is to be seen. Raises as `goal`."""
        if move.place is not None:
            return np.array([*move.place, SEEN_HEIGHT_M])
        if bool((seen.holders(move.on) & seen.holders(move.thing)).any()):
            raise GoalError(f"the model sees {move.on[:LONGEST]} and {move.thing[:LONGEST]} as one thing")
        below = self._point(tokens, seen, move.on)
        sides = []
        for camera, area in zip(self.embodiment.camera.views, seen.size(move.thing).tolist(), strict=True):
            seen_at = sight(camera, self._point(tokens, seen, move.thing))
            if seen_at is not None:
                sides.append((area * camera.width * camera.height) ** 0.5 * seen_at.depth / camera.focal[0])
        return below + [0.0, 0.0, STACKED * max(sides, default=0.0)]

    def _point(self, tokens: Tensor, seen: TokenColours, name: str) -> Vector:
        """Return the point (3,) m where the thing `name` is seen: with one view, the one on the table. Raises as
        `goal`."""
        held = seen.holders(name)
        places = places_of(tokens, held.shape[1])
        cameras: list[CameraSpec] = []
        pixels: list[tuple[float, float]] = []
        for view, camera in enumerate(self.embodiment.camera.views):
            if bool(held[:, view].any()):
                across, down, _ = places[int(held[:, view].int().argmax()), view].tolist()
                cameras.append(camera)
                pixels.append(column_row(across, down, camera.width, camera.height))
        if len(cameras) == 1:
            return point_at(cameras[0], *pixels[0], SEEN_HEIGHT_M)
        return point_between(cameras, *zip(*pixels, strict=True))

    def _sights(self, point: Vector, move: Move) -> Sequence[Sight]:
        """Return where each camera sees `point` (3,) m. Raises `GoalError` for a point that the tool cannot reach or
        that a camera does not see."""
        action = self.embodiment.action
        if not isinstance(action, ToolDisplacement):
            raise GoalError("the actions of this model do not move the tool in space, so it can be sent to no place")
        (low_x, low_y, _), (high_x, high_y, _) = action.bounds.lower, action.bounds.upper
        x, y, _ = point
        if not (low_x <= x <= high_x and low_y <= y <= high_y):
            raise GoalError(
                f"{move} would be at x {x:.3f}, y {y:.3f} m, where this model never moves the tool: x is from "
                f"{low_x:g} to {high_x:g} and y from {low_y:g} to {high_y:g}"
            )
        sights: list[Sight] = []
        for camera in self.embodiment.camera.views:
            found = sight(camera, point)
            if found is None:
                raise GoalError(
                    f"{move} would be at x {x:.3f}, y {y:.3f} m, which camera {camera.name} does not see: choose a "
                    "place nearer to the middle of its picture"
                )
            sights.append(found)
        return sights
