"""What a recording listens to: the driver's states, and the pictures of any number of camera processes."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from perception.recording.pairing import period_of
from robot.client.client import Client
from robot.errors import CameraError, ConfigurationError, ConnectionLost
from robot.wire import topics
from robot.wire.addresses import FRAMES
from robot.wire.camera_spec import CameraSpec
from robot.wire.messages import Frame, JointState, Spec
from robot.wire.sockets import parse
from robot.wire.subscription import Subscription

DRIVER = "driver"
"""What the driver is called beside cameras; none of them may."""
STATES, PICTURES = 1024, 48
FRESH_NS = 500_000_000
"""What is older than this is not there any more."""
_DRIVER_PATIENCE_S = 2.0
_CAMERA_PATIENCE_S = 5.0
_RATED_OVER_NS = 2_000_000_000


@dataclass(frozen=True)
class CameraAddress:
    """Where a camera publishes, and what it has to call itself there; any name where that is None."""

    address: str = FRAMES
    name: str | None = None


def camera_addresses(words: Sequence[str]) -> tuple[CameraAddress, ...]:
    """Return what NAME=ADDRESS, or ADDRESS alone, mean, one each; without any, the usual one.

    Raises `ConfigurationError` for what means nothing, and for a name or an address that comes twice.
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
    """How something that publishes is doing: messages a second over the last two, and how old the newest is (s)."""

    rate_hz: float
    age_s: float

    @property
    def there(self) -> bool:
        """Whether anything came of it."""
        return self.age_s < float("inf")

    @property
    def fresh(self) -> bool:
        """Whether it goes on."""
        return self.age_s * 1e9 <= FRESH_NS


class Sources:
    """Follows a driver and cameras, for one thread at a time. `spec` is what the driver said of itself, `cameras` what
    the cameras said of themselves.

    Raises `ConnectionLost` when no driver answers, `CameraError` when a camera sends nothing or calls itself otherwise
    than it should, `ConfigurationError` as `sockets.connect`.
    """

    def __init__(self, command_address: str, cameras: Sequence[CameraAddress]) -> None:
        self.command_address = command_address
        with ExitStack() as opened:
            with Client(command_address, _DRIVER_PATIENCE_S) as client:
                self.spec: Spec = client.spec()
                state_address = client.state_address
            self._states = opened.enter_context(Subscription(state_address, topics.STATE, JointState, STATES))
            self._cameras = [
                opened.enter_context(Subscription(each.address, topics.FRAME, Frame, PICTURES)) for each in cameras
            ]
            self._states.wait(_DRIVER_PATIENCE_S)
            self.cameras = tuple(map(_first, cameras, self._cameras))
            names = [camera.name for camera in self.cameras]
            if len(set(names)) != len(names):
                raise CameraError(f"two cameras call themselves {names}: start each with a --name of its own")
            self._opened = opened.pop_all()

    @property
    def states(self) -> Sequence[JointState]:
        """The driver's states of the last second or more, in order of arrival."""
        return self._states.history

    @property
    def frames(self) -> tuple[Sequence[Frame], ...]:
        """Each camera's pictures of the last second or more, in order of arrival."""
        return tuple(camera.history for camera in self._cameras)

    def drain(self) -> bool:
        """Take in what has come, and return whether the driver was started anew since the last time.

        Raises `WireError` when something does not speak this wire, `ConnectionLost` when the driver now runs an arm of
        other joints.
        """
        for camera in self._cameras:
            camera.drain()
        history = self._states.history
        before = history[-1].tick if history else -1
        fresh = min(self._states.drain(), len(history))
        restarted = False
        for number in range(len(history) - fresh, len(history)):
            if history[number].tick < before:
                restarted = True
                first_new = number
            before = history[number].tick
        if restarted:
            kept = list(history)[first_new:]
            history.clear()
            history.extend(kept)
        if history and len(history[-1].measured) != self.spec.arm.dof:
            raise ConnectionLost(f"the driver at {self.command_address} now runs an arm of other joints; start anew")
        return restarted

    def require_same_arm(self) -> None:
        """Ask the driver anew what its arm is. Raises `ConnectionLost` when it does not answer, or runs another."""
        with Client(self.command_address, _DRIVER_PATIENCE_S) as client:
            there = client.arm
        here = self.spec.arm
        if (there.name, there.joint_names) != (here.name, here.joint_names):
            raise ConnectionLost(
                f"the driver at {self.command_address} now runs the arm {there.name!r}, and not {here.name!r}"
            )

    def health(self, now_ns: int) -> dict[str, Health]:
        """Return how the driver, under `DRIVER`, and each camera by its name are doing."""
        cameras = zip(self.cameras, self._cameras, strict=True)
        return {
            DRIVER: _health(self._states.history, now_ns),
            **{spec.name: _health(camera.history, now_ns) for spec, camera in cameras},
        }

    def close(self) -> None:
        """Stop following."""
        self._opened.close()


def require_fresh(health: Mapping[str, Health]) -> None:
    """Raise `ConnectionLost` when the "driver" is away, `CameraError` when one of the others, the cameras, is."""
    for name, each in health.items():
        since = f"has been silent for {each.age_s:.1f} s" if each.there else "has not said anything yet"
        if not each.fresh and name == DRIVER:
            raise ConnectionLost(f"the driver {since}; is it running?")
        if not each.fresh:
            raise CameraError(f"the camera {name} {since}; see what its process says")


def _first(wanted: CameraAddress, camera: Subscription[Frame]) -> CameraSpec:
    """Wait for a camera's first picture, and return what it says of itself."""
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
            f"the camera at {wanted.address} calls itself {spec.name!r}, and not {wanted.name!r}: start it with "
            f"--name {wanted.name}, or leave the name out here"
        )
    if not spec.name or "/" in spec.name or "." in spec.name or spec.name == DRIVER:
        raise CameraError(f"the camera at {wanted.address} calls itself {spec.name!r}; no data set takes such a name")
    return spec


def _health(history: deque[JointState] | deque[Frame], now_ns: int) -> Health:
    if not history:
        return Health(0.0, float("inf"))
    times = [message.time_ns for message in history if now_ns - message.time_ns <= _RATED_OVER_NS]
    period = period_of(times)
    age_s = max(0.0, (time.monotonic_ns() - history[-1].time_ns) * 1e-9)
    return Health(0.0 if period is None or period <= 0 else 1e9 / period, age_s)
