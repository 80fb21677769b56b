"""What the driver and other clients say stands on a page as text."""

from __future__ import annotations

from robot.teleop.page.page import status_lines
from robot.teleop.session import View
from robot.wire.messages import JointState

EVIL = '<img src=x onerror="stop()">'
SAFE = "&lt;img src=x onerror=&quot;stop()&quot;&gt;"


def test_nothing_that_others_say_is_html() -> None:
    some = (0.0,) * 7
    state = JointState(1, 1, EVIL, some, some, some, some, some, (), 0.0, 0.0, (EVIL,), EVIL, 0, 0, EVIL)
    view = View(EVIL, EVIL, EVIL, (0.0, 0.0, 0.0), 0.0, 1.0, 0.0, (EVIL,), (EVIL,), 50.0, 0.0, EVIL)
    lines = status_lines(view, state)
    assert EVIL not in " ".join(lines)
    for beginning in ("<b>&lt;img", f"<b>{SAFE}</b>", f"slowed: {SAFE}", f"clamped: {SAFE}"):
        assert any(line.startswith(beginning) for line in lines), beginning
