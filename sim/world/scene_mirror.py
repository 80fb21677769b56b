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
    """Subscribes to the driver that publishes at `state_address`; with `notices_restarts`, to one process of it only.

    Raises `ConfigurationError` for an invalid address or an unknown server key, as `sockets.connect` does.
    """

    def __init__(self, state_address: str, notices_restarts: bool = False) -> None:
        self._notices_restarts = notices_restarts
        self._tick = -1
        self._restarted = self._decided = False
        self._scenes: SceneClient | None = SceneClient(state_address)
        self._states: Subscription[JointState] | None = Subscription(
            state_address, topics.STATE, JointState, admits=self._admits
        )

    def newer(self, timeout_s: float, after_ns: int) -> SceneState:
        """Return the newest scene captured after the monotonic `after_ns`; without objects where the arm is real.

        Raises `ConnectionLost` when none comes within `timeout_s`, and when the driver was started again.
        """
        if not self._decided:
            scene = self._first(timeout_s, after_ns)
        else:
            scene = (self._of_states if self._scenes is None else self._of_scenes)(timeout_s, after_ns)
        if self._states is not None:
            self._states.drain()
        if self._restarted:
            raise ConnectionLost("the driver was started again")
        return scene

    def close(self) -> None:
        """Close the subscriptions."""
        for followed in (self._scenes, self._states):
            if followed is not None:
                followed.close()
        self._scenes = self._states = None

    def _first(self, timeout_s: float, after_ns: int) -> SceneState:
        """Wait for a scene, or for a driver that has none."""
        deadline = time.monotonic() + timeout_s
        silent_until = 0.0
        while True:
            try:
                return self._of_scenes(min(_LOOK_S, timeout_s), after_ns)
            except ConnectionLost:
                now = time.monotonic()
                if self._states is not None and self._states.drain():
                    silent_until = silent_until or now + SCENE_S
                    if now > silent_until:
                        return self._of_states(_LOOK_S, after_ns)
                if now > deadline:
                    raise

    def _admits(self, state: JointState) -> bool:
        """Return whether `state` continues those before it: a driver that was started again counts from 0."""
        self._restarted = self._restarted or (self._notices_restarts and state.tick < self._tick)
        self._tick = state.tick
        return not self._restarted

    def _of_scenes(self, timeout_s: float, after_ns: int) -> SceneState:
        assert self._scenes is not None
        scene = self._scenes.latest(timeout_s, after_ns)
        self._decided = True
        if self._states is not None and not self._notices_restarts:
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
        self._decided = True
        if self._scenes is not None:
            self._scenes.close()
            self._scenes = None
        state = seen[-1]
        return SceneState(state.time_ns, 0, state.measured, state.gripper_width, ())
