"""Subscribes to a camera process: the newest picture, decoded and checked, or a plain error when none comes."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from types import TracebackType

from perception.camera.framing import reframe
from perception.camera.interface import Image
from robot.errors import CameraError, ConnectionLost
from robot.wire import topics
from robot.wire.addresses import FRAMES
from robot.wire.camera_spec import CameraSpec, reframed
from robot.wire.frame_image import picture_of
from robot.wire.messages import Frame
from robot.wire.same_camera import SameCamera
from robot.wire.subscription import Subscription

# A picture this old may be the first of a queue whose newer pictures are still arriving.
_STALE_NS = 200_000_000
_NEXT_IN_QUEUE_S = 0.005


@dataclass(frozen=True)
class ReceivedFrame:
    """One received picture: monotonic capture time, the sender's count, the camera, and `image` (H, W, 3) uint8 RGB."""

    time_ns: int
    index: int
    camera: CameraSpec
    image: Image


def seen_as(frame: ReceivedFrame, camera: CameraSpec) -> ReceivedFrame:
    """Return `frame` cut and resized to the picture size of `camera`, the camera that the model was trained with;
    unchanged when it has that size."""
    wanted = camera.view_size
    if frame.camera.view_size == wanted:
        return frame
    image = reframe(frame.image, frame.camera, wanted)
    return replace(frame, camera=reframed(frame.camera, wanted), image=image)


class FrameSubscriber:
    """The pictures of one camera, published at `address`: of `camera` or, when that is None, of the first that sends.
    Those of another one count as none, and so do those of the same with another size, encoding, lens or pose. Not safe
    to share between threads.

    Raises `ConfigurationError` for an invalid address or an unknown server key, as `sockets.connect` does.
    """

    def __init__(self, address: str = FRAMES, camera: CameraSpec | None = None) -> None:
        self._same = SameCamera(address, camera)
        self._subscription = Subscription(address, topics.FRAME, Frame, admits=self._same)

    def latest(self, timeout_s: float) -> ReceivedFrame:
        """Return the newest picture that no call has returned before, waiting at most `timeout_s` for one.

        Raises `CameraError` when none comes, which names both cameras when another one sends, or when it does not
        match its specification, and `WireError` when the sender uses another protocol.
        """
        return self._receive(None, timeout_s)

    def newer_than(self, time_ns: int, timeout_s: float) -> ReceivedFrame:
        """Return the newest picture, captured after the monotonic `time_ns`; waits and raises as `latest` does.

        A picture that was returned before is returned again when it is new enough.
        """
        return self._receive(time_ns, timeout_s)

    def close(self) -> None:
        """Close the subscription."""
        self._subscription.close()

    def __enter__(self) -> FrameSubscriber:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _receive(self, after_ns: int | None, timeout_s: float) -> ReceivedFrame:
        """Wait for a picture newer than `after_ns` or, when that is None, newer than the last received one."""
        history = self._subscription.history
        before = history[-1] if history else None

        def wanted() -> bool:
            if after_ns is None:
                return bool(history) and history[-1] is not before
            return self._newest_ns() > after_ns

        try:
            self._subscription.wait_for(wanted, timeout_s, "picture")
        except ConnectionLost as error:
            raise CameraError(self._silence(timeout_s)) from error
        while time.monotonic_ns() - self._newest_ns() > _STALE_NS:
            try:
                self._subscription.wait(_NEXT_IN_QUEUE_S)
            except ConnectionLost:
                break  # no newer one follows: this is the newest
        newest = history[-1]
        return ReceivedFrame(newest.time_ns, newest.index, newest.camera, picture_of(newest))

    def _newest_ns(self) -> int:
        history = self._subscription.history
        return history[-1].time_ns if history else -1

    def _silence(self, timeout_s: float) -> str:
        """Return the message for the user when no picture came within `timeout_s`."""
        address = self._subscription.address
        if self._same.other:
            return f"no picture within {timeout_s:g} s: {self._same.other}"
        if not self._subscription.history:
            return f"no picture from {address} within {timeout_s:g} s; is `worldarm camera` running and bound there?"
        newest = self._subscription.history[-1]
        age_s = (time.monotonic_ns() - newest.time_ns) * 1e-9
        return (
            f"camera {newest.camera.name} at {address} stopped sending: its last picture is {age_s:.2f} s old; "
            "read the messages of its process, and start it again"
        )
