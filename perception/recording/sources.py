"""The sources of a recording: the driver's states, and the pictures of any number of camera processes."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from perception.recording.pairing import period_of
from robot.arm.interface import ArmSpec
from robot.client.followed_driver import FollowedDriver
from robot.driver.modes import Mode
from robot.errors import ArmError, CameraError, ConfigurationError, ConnectionLost
from robot.wire import topics
from robot.wire.addresses import FRAMES
from robot.wire.camera_spec import CameraSpec
from robot.wire.messages import Frame, JointState
from robot.wire.same_camera import SameCamera
from robot.wire.sockets import parse
from robot.wire.subscription import Subscription

DRIVER = "driver"
"""The driver's name among the sources; no camera may have it."""
STATES, PICTURES = 1024, 48
FRESH_NS = 500_000_000
"""A source whose newest message is older than this counts as away."""
_DRIVER_PATIENCE_S = 2.0
_CAMERA_PATIENCE_S = 5.0
_RATED_OVER_NS = 2_000_000_000


@dataclass(frozen=True)
class CameraAddress:
    """The address of a camera process and the expected name of its camera; any name when None."""

    address: str = FRAMES
    name: str | None = None


def camera_addresses(words: Sequence[str]) -> tuple[CameraAddress, ...]:
    """Parse `words`, each NAME=ADDRESS or ADDRESS; without any, return the default address.

    Raises `ConfigurationError` for an invalid word, and for a name or an address that is given twice.
    """
    found = []
    for word in words:
        name, equals, address = word.rpartition("=")
        if equals and (not name or "/" in name or "." in name or not name.isprintable()):
            raise ConfigurationError(f"--camera {word}: a camera's name is a word without '/' and '.'")
        parse(address)
        found.append(CameraAddress(address, name if equals else None))
    for what, values in (("name", [each.name for each in found if each.name]), ("address", [e.address for e in found])):
        twice = sorted({value for value in values if values.count(value) > 1})
        if twice:
            raise ConfigurationError(f"--camera: the {what} {twice[0]} is given twice")
    return tuple(found) or (CameraAddress(),)


@dataclass(frozen=True)
class Health:
    """The health of a source: its rate (Hz) over the last two seconds, and the age (s) of its newest message; `other`
    names another camera that sends in place of this one, and `fault` says why the arm cannot continue."""

    rate_hz: float
    age_s: float
    other: str = ""
    fault: str = ""

    @property
    def there(self) -> bool:
        """Whether any message has come."""
        return self.age_s < float("inf")

    @property
    def fresh(self) -> bool:
        """Whether the newest message is recent."""
        return self.age_s * 1e9 <= FRESH_NS


class Sources:
    """Follows a driver, which may end and come back, and cameras; for one thread at a time. `cameras` are the cameras'
    specifications.

    Raises `ConnectionLost` when no driver answers, `CameraError` when a camera sends nothing or has another name than
    expected, and `ConfigurationError` for an invalid address or an unknown server key, as `sockets.connect` does.
    """

    def __init__(self, command_address: str, cameras: Sequence[CameraAddress]) -> None:
        self.command_address = command_address
        with ExitStack() as opened:
            self._driver = opened.enter_context(FollowedDriver(command_address, STATES, _DRIVER_PATIENCE_S))
            self._same = [SameCamera(each.address) for each in cameras]
            self._cameras = [
                opened.enter_context(Subscription(each.address, topics.FRAME, Frame, PICTURES, admits=same))
                for each, same in zip(cameras, self._same, strict=True)
            ]
            self._driver.wait(_DRIVER_PATIENCE_S)
            self.cameras = tuple(map(_first, cameras, self._cameras))
            names = [camera.name for camera in self.cameras]
            if len(set(names)) != len(names):
                raise CameraError(f"two cameras have the same name in {names}: start each with its own --name")
            self._opened = opened.pop_all()

    @property
    def states(self) -> Sequence[JointState]:
        """The driver's states of at least the last second, in order of arrival; none while it is gone."""
        return self._driver.history

    @property
    def arm(self) -> ArmSpec:
        """The specification of the driver's arm."""
        return self._driver.arm

    @property
    def frames(self) -> tuple[Sequence[Frame], ...]:
        """Each camera's pictures of at least the last second, in order of arrival."""
        return tuple(camera.history for camera in self._cameras)

    def drain(self) -> bool:
        """Receive the waiting messages, and return whether the driver was restarted since the last call.

        Raises `OtherArm` when the driver now runs another arm.
        """
        for camera in self._cameras:
            camera.drain()
        before = self._driver.restarts
        self._driver.drain()
        return self._driver.restarts != before

    def health(self, now_ns: int) -> dict[str, Health]:
        """Return the health of the driver, under the key `DRIVER`, and of each camera under its name."""
        states = self._driver.history
        fault = states[-1].reason if states and states[-1].mode == Mode.FAULT.value else ""
        cameras = zip(self.cameras, self._cameras, self._same, strict=True)
        return {
            DRIVER: replace(_health(states, now_ns), age_s=self._driver.age_s, fault=fault),
            **{spec.name: _health(camera.history, now_ns, same.other) for spec, camera, same in cameras},
        }

    def close(self) -> None:
        """Close all subscriptions."""
        self._opened.close()


def require_fresh(health: Mapping[str, Health]) -> None:
    """Raise `ConnectionLost` when the source "driver" is away, `ArmError` when its arm is in a fault, and `CameraError`
    when another source, a camera, is away."""
    for name, each in health.items():
        if each.fault:
            raise ArmError(f"the arm is in a fault: {each.fault}; then `worldarm reset`")
        since = f"has been silent for {each.age_s:.1f} s" if each.there else "has not sent anything yet"
        if not each.fresh and name == DRIVER:
            raise ConnectionLost(f"the driver {since}; is it running?")
        if not each.fresh:
            raise CameraError(f"the camera {name} {since}: {each.other or 'read the messages of its process'}")


def _first(wanted: CameraAddress, camera: Subscription[Frame]) -> CameraSpec:
    """Wait for a camera's first picture, and return its specification."""
    try:
        camera.wait(_CAMERA_PATIENCE_S)
    except ConnectionLost as error:
        raise CameraError(
            f"no picture from {wanted.address} within {_CAMERA_PATIENCE_S:g} s; is `worldarm camera` running and bound "
            "there?"
        ) from error
    spec = camera.history[-1].camera
    if wanted.name is not None and spec.name != wanted.name:
        raise CameraError(
            f"the camera at {wanted.address} has the name {spec.name!r}, not {wanted.name!r}: start it with "
            f"--name {wanted.name}, or leave the name out here"
        )
    if not spec.name or "/" in spec.name or "." in spec.name or spec.name == DRIVER:
        raise CameraError(f"the camera at {wanted.address} has the name {spec.name!r}, which is invalid in a data set")
    return spec


def _health(history: deque[JointState] | deque[Frame], now_ns: int, other: str = "") -> Health:
    if not history:
        return Health(0.0, float("inf"), other)
    times = [message.time_ns for message in history if now_ns - message.time_ns <= _RATED_OVER_NS]
    period = period_of(times)
    age_s = max(0.0, (time.monotonic_ns() - history[-1].time_ns) * 1e-9)
    return Health(0.0 if period is None or period <= 0 else 1e9 / period, age_s, other)
