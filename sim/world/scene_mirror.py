"""The source of the simulated camera's mirror: the scene that the driver of a simulated arm publishes or, for a real
arm, whose driver has no scene, the arm's measured joints."""

from __future__ import annotations

import time

from robot.client.scene_client import SceneClient
from robot.driver.modes import Mode
from robot.errors import ConnectionLost
from robot.wire import topics
from robot.wire.messages import JointState, SceneState
from robot.wire.subscription import Subscription

SCENE_S = 0.5
"""A driver that publishes states without a scene for this time has no scene: a scene comes every fifth tick."""
_LOOK_S = 0.1


class MirrorSource:
    """Subscribes to the driver that publishes at `state_address`. Raises `ConfigurationError` for an invalid address or
    an unknown server key, as `sockets.connect` does."""

    def __init__(self, state_address: str) -> None:
        self._scenes: SceneClient | None = SceneClient(state_address)
        self._states: Subscription[JointState] | None = Subscription(state_address, topics.STATE, JointState)

    def first(self, timeout_s: float) -> SceneState:
        """Wait for a scene, or for a driver that has none. Raises `ConnectionLost` when neither comes within
        `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        silent_until = 0.0
        while True:
            try:
                return self._of_scenes(min(_LOOK_S, timeout_s), 0)
            except ConnectionLost:
                now = time.monotonic()
                if self._states is not None and self._states.drain():
                    silent_until = silent_until or now + SCENE_S
                    if now > silent_until:
                        return self._of_states(_LOOK_S, 0)
                if now > deadline:
                    raise

    def newer(self, timeout_s: float, after_ns: int) -> SceneState:
        """Return the newest scene captured after the monotonic `after_ns`; without objects where the arm is real.

        Raises `ConnectionLost` when none comes within `timeout_s`.
        """
        return (self._of_states if self._scenes is None else self._of_scenes)(timeout_s, after_ns)

    def close(self) -> None:
        """Close the subscriptions."""
        for followed in (self._scenes, self._states):
            if followed is not None:
                followed.close()
        self._scenes = self._states = None

    def _of_scenes(self, timeout_s: float, after_ns: int) -> SceneState:
        assert self._scenes is not None
        scene = self._scenes.latest(timeout_s, after_ns)
        if self._states is not None:
            self._states.close()
            self._states = None
        return scene

    def _of_states(self, timeout_s: float, after_ns: int) -> SceneState:
        assert self._states is not None
        seen = self._states.history
        # In a fault, states continue while nothing is measured any more.
        self._states.wait_for(
            lambda: bool(seen) and seen[-1].time_ns > after_ns and seen[-1].mode != Mode.FAULT.value,
            timeout_s,
            "measured joints as new as requested",
        )
        if self._scenes is not None:
            self._scenes.close()
            self._scenes = None
        state = seen[-1]
        return SceneState(state.time_ns, 0, state.measured, state.gripper_width, ())
