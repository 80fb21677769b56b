"""Waits until the arm has reached its waypoints and stands still, also before the first motion under a new lease."""

from __future__ import annotations

import time
from collections.abc import Callable

from robot.client.client import Client
from robot.errors import ArmError
from robot.wire.messages import JointState

REST_TIMEOUT_S = 3.0
_COMMANDED_STILL = 1e-4
"""rad/s; below this a set-point moves only by rounding."""
_MEASURED_STILL = 0.02
"""rad/s; below this a measured joint stands still: its velocity is noisy."""
_PERIOD_S = 0.05


def take_over(client: Client, holder: str, ttl_s: float) -> JointState:
    """Acquire the lease as `holder` for `ttl_s` and return the state of the arm at rest, in which its set-point is
    where it was measured. A set-point from before the lease is not: the arm may have been pushed or have sagged.

    Raises the errors of `Client.acquire` and of `wait_for_rest`; the lease is given back then.
    """
    client.acquire(holder, ttl_s)
    try:
        return wait_for_rest(client)
    except BaseException:
        client.give_back()
        raise


def wait_for_rest(
    client: Client, timeout_s: float = REST_TIMEOUT_S, on_state: Callable[[JointState], None] | None = None
) -> JointState:
    """Wait, keeping the lease, until the arm has finished its waypoints and stands still; return its state then.

    `on_state` is called with the newest state about 20 times a second. Raises `ArmError` when the arm is not at rest
    after `timeout_s` seconds, `Refused` when the lease was lost, and `ConnectionLost` when the driver is gone.
    """
    # A state from before this call may not reflect the waypoints that were sent last.
    asked_ns = time.monotonic_ns()
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        state = client.state()
        if on_state is not None:
            on_state(state)
        rests = state.time_ns > max(asked_ns, state.active_until_ns) and _still(state)
        client.renew()  # an arm may rest because the lease, and the waypoints with it, were lost
        if rests:
            return state
        time.sleep(_PERIOD_S)
    raise ArmError(f"the arm did not come to rest within {timeout_s:.1f} s")


def _still(state: JointState) -> bool:
    return (
        max(map(abs, state.governed_velocity)) < _COMMANDED_STILL
        and max(map(abs, state.measured_velocity)) < _MEASURED_STILL
    )
