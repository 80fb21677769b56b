"""Shows an agent's decisions on a page: goal, imagined picture, the marks of things in both, estimated distance to the
goal, and decision time."""

from __future__ import annotations

from collections import deque
from html import escape

import numpy as np
import viser
from viser import uplot

from robot.errors import CameraError, WireError
from robot.web.entity_drawing import draw_goal, draw_imagined, draw_now
from robot.web.feed import Feed
from robot.web.live_view import Image, enlarged, placeholder, strong
from robot.wire import topics
from robot.wire.addresses import DECISIONS
from robot.wire.decision_image import drawn
from robot.wire.messages import DecisionReport, Frame
from robot.wire.subscription import Subscription

_KEPT = 400
_CURRENT_S = 1.0
"""After this time without a decision, the marks of the last one say nothing about where things are."""
_WAITING = "no agent is running: `worldarm run` starts one"
BLUE, GREEN = "#2a62a8", "#268c4a"


class DecisionView:
    """Shows the decisions published at `address` on `server`'s page. For one thread, which calls `paint`.

    Decisions are kept until the goal changes, the newest few hundred. Raises `ConfigurationError` as `Subscription`.
    """

    def __init__(self, server: viser.ViserServer, address: str = DECISIONS) -> None:
        self.feed = Feed(Subscription(address, topics.DECISION, DecisionReport, 32))
        self._so_far: deque[DecisionReport] = deque(maxlen=_KEPT)
        gui = server.gui
        self._words = gui.add_html(escape(_WAITING), order=25)
        self._goal = gui.add_image(placeholder(), label="goal", order=60, jpeg_quality=85)
        self._imagined = gui.add_image(placeholder(), label="imagined", order=61, jpeg_quality=85)
        nothing = np.zeros(2)
        self._distance = gui.add_uplot(
            (nothing, nothing),
            (uplot.Series(label="decision"), uplot.Series(label="blocks to go", stroke=BLUE, width=2)),
            title="distance to the goal",
            scales={"x": uplot.Scale(time=False)},
            height=180,
            order=26,
        )
        self._times = gui.add_uplot(
            (nothing, nothing, nothing),
            (
                uplot.Series(label="decision"),
                uplot.Series(label="deciding, ms", stroke=GREEN, width=2),
                uplot.Series(label="from capture to command, ms", stroke=BLUE, width=2),
            ),
            title="decision times",
            scales={"x": uplot.Scale(time=False)},
            height=180,
            order=27,
        )

    def paint(self) -> list[DecisionReport]:
        """Read and show the new decisions; return them."""
        try:
            fresh = self.feed.drain()
        except WireError as error:
            self._words.content = strong(str(error))
            return []
        if not fresh:
            return []
        if self._so_far and fresh[-1].goal != self._so_far[-1].goal:
            self._so_far.clear()
        self._so_far.extend(fresh)
        newest = fresh[-1]
        try:
            for image, data, draw in (
                (self._goal, newest.goal, draw_goal),
                (self._imagined, newest.imagined, draw_imagined),
            ):
                if data:
                    picture = drawn(newest, data)
                    large = enlarged(picture)
                    image.image = draw(large, newest.entities, large.shape[1] / picture.shape[1])
        except CameraError as error:
            self._words.content = strong(str(error))
            return fresh
        self._words.content = _line(newest)
        if len(self._so_far) > 1:
            decisions = np.array([float(each.decision) for each in self._so_far])
            self._distance.data = (decisions, np.array([each.distance for each in self._so_far]))
            self._times.data = (
                decisions,
                np.array([each.plan_ms for each in self._so_far]),
                np.array([each.capture_to_command_ms for each in self._so_far]),
            )
        return fresh

    def over(self, frame: Frame, picture: Image) -> Image:
        """Return the enlarged `picture` of `frame` with the marks of the newest decision, if the agent has decided just
        now and from pictures like this one; else unchanged."""
        newest = self.feed.newest
        seen = frame.camera.name, (frame.camera.height, frame.camera.width)
        if newest is None or self.feed.age_s > _CURRENT_S or seen != (newest.camera, newest.shape[:2]):
            return picture
        return draw_now(picture, newest.entities, picture.shape[1] / frame.camera.width)

    def close(self) -> None:
        """Stop following."""
        self.feed.close()


def _line(decision: DecisionReport) -> str:
    ahead = decision.subgoals_ahead
    subgoals = f", {ahead} sub-goal{'s' if ahead > 1 else ''} ahead" if ahead else ""
    return (
        f'<div class="worldarm">agent: {strong(decision.status)} · decision {decision.decision} · '
        f"{decision.distance:.1f} blocks to go{subgoals}<br>decided in {decision.plan_ms:.0f} ms, "
        f"{decision.capture_to_command_ms:.0f} ms from capture to command</div>"
    )
