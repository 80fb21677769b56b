"""Follows the states of one driver for as long as somebody watches: also through its end, and into its next start.

A driver that is gone leaves nothing behind: its states are dropped, and none counts again before the driver at the
command address has said which arm it runs and where it publishes, which may be elsewhere now.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType

from robot.arm.interface import ArmSpec
from robot.client.client import Client
from robot.errors import ConnectionLost, OtherArm, WireError, WorldarmError
from robot.wire import topics
from robot.wire.clock_offset import ClockOffset
from robot.wire.messages import JointState
from robot.wire.subscription import Subscription

GONE_S = 1.0
"""A driver whose newest state is older than this is gone until it says again which arm it runs."""
_ASKED_FOR_S = 1.0
_PAUSE_S = 0.2


def require_same_arm(command_address: str, before: ArmSpec, now: ArmSpec) -> None:
    """Raise `OtherArm` when the driver at `command_address` runs the arm `now`, which is not the one of `before`."""
    if (before.name, before.joint_names) != (now.name, now.joint_names):
        raise OtherArm(
            f"the driver at {command_address} now runs the arm {now.name!r} with {now.dof} joints, and this began with "
            f"{before.name!r} with {before.dof}: start that driver there again, or start this again to use the new one"
        )


class FollowedDriver:
    """The states that the driver at `command_address` publishes, the last `keep` in `history`; for one thread.

    `told` receives a sentence when the driver is gone, and one when it is back. Raises `ConnectionLost` when no driver
    answers within `timeout_s`, and `ConfigurationError` as `sockets.connect` does.
    """

    def __init__(
        self,
        command_address: str,
        keep: int = 1,
        timeout_s: float = 1.0,
        told: Callable[[str], None] | None = None,
    ) -> None:
        self.address = command_address
        self.gone = ""
        """A sentence that says so while the driver is gone; empty otherwise."""
        self.restarts = 0
        """How often the driver was found to be another process, or was gone and is back."""
        self._keep = keep
        self._told = told if told is not None else _keep_quiet
        self._search: _Search | None = None
        self._counted = False
        self._newest_ns = time.monotonic_ns()
        self._adopt(_Found(command_address, timeout_s))

    @property
    def arm(self) -> ArmSpec:
        """The arm's specification, as the driver gave it last."""
        return self._found.arm

    @property
    def state_address(self) -> str:
        """Where the driver publishes, as it said last."""
        return self._found.state_address

    @property
    def history(self) -> deque[JointState]:
        """The newest states, oldest first; empty while the driver is gone."""
        return self._states.history

    @property
    def age_s(self) -> float:
        """The time since the newest state that came, s, also after it was dropped; since the connection before the
        first."""
        return max(0.0, (time.monotonic_ns() - self._newest_ns) * 1e-9)

    def drain(self) -> int:
        """Receive all waiting states without blocking; return how many are new.

        Raises `OtherArm` when the driver came back with another arm, and the errors of connecting to it.
        """
        if self._search is not None:
            found = self._search.result()
            if found is None:
                return 0
            require_same_arm(self.address, self.arm, found.arm)
            self._search = None
            self._states.close()
            self._adopt(found)
        fresh = min(self._states.drain(), len(self.history))
        if self.history:
            self._newest_ns = self.history[-1].time_ns
        silent_ns = time.monotonic_ns() - max(self._newest_ns, self._asked_ns)
        if self._restarted or silent_ns > GONE_S * 1e9:
            self._look_for_it()
            return 0
        if fresh and self.gone:
            self._come_back()
        return fresh

    def wait(self, timeout_s: float) -> None:
        """Wait for a state. Raises `ConnectionLost` when none comes within `timeout_s`, and as `drain`."""
        deadline = time.monotonic() + timeout_s
        while not self.drain():
            if time.monotonic() > deadline:
                raise ConnectionLost(
                    f"the driver at {self.address} published no state at {self.state_address} within {timeout_s:g} s; "
                    "is it running?"
                )
            time.sleep(0.005)

    def close(self) -> None:
        """Stop following."""
        if self._search is not None:
            self._search.end()
        self._states.close()

    def __enter__(self) -> FollowedDriver:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _adopt(self, found: _Found) -> None:
        self._found = found
        self._tick, self._restarted = -1, False
        self._asked_ns = time.monotonic_ns()
        self._states: Subscription[JointState] = Subscription(
            found.state_address, topics.STATE, JointState, self._keep, found.clock, self._admits
        )

    def _admits(self, state: JointState) -> bool:
        """Return whether `state` continues those before it: a driver that was started again counts from 0."""
        if state.tick < self._tick or len(state.measured) != self.arm.dof:
            self._restarted = True
        if self._restarted:
            return False
        self._tick = state.tick
        return True

    def _look_for_it(self) -> None:
        self.history.clear()
        self._search = _Search(self.address)
        if self._restarted:
            self.restarts += 1
        if not self.gone:
            why = "was started again" if self._restarted else f"is gone: no state for {GONE_S:g} s"
            self._counted = self._restarted
            self.gone = f"the driver at {self.address} {why}; waiting until it is there"
            self._told(self.gone)

    def _come_back(self) -> None:
        self.restarts += not self._counted
        self.gone = ""
        self._told(f"the driver at {self.address} is there again")


class _Found:
    """What the driver at an address says: its arm, where it publishes, and how its clock differs."""

    def __init__(self, command_address: str, timeout_s: float) -> None:
        with Client(command_address, timeout_s) as client:
            self.arm: ArmSpec = client.arm
            self.state_address: str = client.state_address
            self.clock: ClockOffset = client.clock


class _Search:
    """Asks at `command_address` in a thread of its own, until a driver answers."""

    def __init__(self, command_address: str) -> None:
        self._address = command_address
        self._ended = threading.Event()
        self._found: _Found | None = None
        self._error: WorldarmError | None = None
        self._thread = threading.Thread(target=self._ask, name=f"look for {command_address}", daemon=True)
        self._thread.start()

    def result(self) -> _Found | None:
        """Return what was found, None while nothing was. Raises an error that asking again does not mend."""
        if self._thread.is_alive():
            return None
        if self._error is not None:
            raise self._error
        return self._found

    def end(self) -> None:
        """Stop asking."""
        self._ended.set()
        self._thread.join()

    def _ask(self) -> None:
        while not self._ended.wait(_PAUSE_S):
            try:
                self._found = _Found(self._address, _ASKED_FOR_S)
                return
            except (ConnectionLost, WireError):
                continue  # nobody is there yet, or only a process of another kind
            except WorldarmError as error:
                self._error = error
                return


def _keep_quiet(_: str) -> None:
    """Say nothing: `gone` says it to those who ask."""
