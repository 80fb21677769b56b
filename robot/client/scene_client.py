"""Follows the simulated objects, for the success check and the simulated camera. It is separate from `Client` so that
an agent never sees the objects' poses."""

from __future__ import annotations

from types import TracebackType

from robot.wire import topics
from robot.wire.addresses import STATE
from robot.wire.messages import SceneState
from robot.wire.subscription import Subscription

HISTORY = 64
"""Scenes kept for `near`: more than a second at 50 Hz."""


class SceneClient:
    """The scenes that the driver of a simulated arm publishes at `state_address`, for one thread.

    Raises `ConfigurationError` for an invalid address or an unknown server key, as `sockets.connect` does.
    """

    def __init__(self, state_address: str = STATE) -> None:
        self._scenes: Subscription[SceneState] = Subscription(state_address, topics.SCENE, SceneState, HISTORY)

    def near(self, time_ns: int, timeout_s: float = 0.5) -> SceneState:
        """Return the scene captured nearest to the monotonic `time_ns`, among those of the last second.

        Raises `ConnectionLost` when none of that time or later comes within `timeout_s`, or when none is within 50 ms
        of it.
        """
        return self._scenes.near(time_ns, timeout_s, "scene")

    def latest(self, timeout_s: float = 0.5, after_ns: int = 0, epoch: int = 0) -> SceneState:
        """Return the newest scene captured after the monotonic `after_ns`, of at least `epoch`.

        Waits for one; raises `ConnectionLost` when none comes within `timeout_s`.
        """
        scenes = self._scenes.history
        self._scenes.wait_for(
            lambda: bool(scenes) and scenes[-1].time_ns > after_ns and scenes[-1].epoch >= epoch,
            timeout_s,
            "scene as new as requested",
        )
        return scenes[-1]

    def close(self) -> None:
        """Close the subscription."""
        self._scenes.close()

    def __enter__(self) -> SceneClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
