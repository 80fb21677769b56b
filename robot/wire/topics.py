"""The topics on which processes publish; each published message belongs to one of them."""

from __future__ import annotations

STATE = b"state"
"""`JointState`, from a driver, at the rate of its loop."""
SCENE = b"scene"
"""`SceneState`, from the driver of a simulated arm; an agent never subscribes to it."""
FRAME = b"frame"
"""`Frame`, from a camera."""
DECISION = b"decision"
"""`Decision`, from an agent."""
