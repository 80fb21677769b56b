"""Follows waypoints that were computed before the motion begins, and waits for rest at the last."""

from __future__ import annotations

import time
from collections.abc import Sequence

from robot.client.client import Client
from robot.client.rest import wait_for_rest
from robot.wire.messages import JointState, Waypoint

_BATCH = 60
"""Waypoints per command; the driver accepts up to 64."""
_LEAD_S = 0.3
"""How long before its first waypoint a batch is sent."""
_RENEW_S = 0.2


def follow_waypoints(client: Client, waypoints: Sequence[Waypoint]) -> JointState:
    """Send `waypoints` (at least one, timed from 0) so that they begin in 0.3 s; wait for rest and return the state
    then. The caller must hold the lease, which is renewed meanwhile.

    They are sent in batches, each before the previous one ends. Raises the errors of `wait_for_rest`.
    """
    begins_ns = time.monotonic_ns() + round(_LEAD_S * 1e9)
    for first in range(0, len(waypoints), _BATCH):
        batch = [
            Waypoint(begins_ns + waypoint.time_ns, waypoint.positions, waypoint.gripper_width)
            for waypoint in waypoints[first : first + _BATCH]
        ]
        client.send_waypoints(batch, batch[0].time_ns)
        _wait_until(client, batch[-1].time_ns - round(_LEAD_S * 1e9))
    return wait_for_rest(client)


def _wait_until(client: Client, time_ns: int) -> None:
    """Sleep until the monotonic `time_ns`, and renew the lease meanwhile."""
    while (left_s := (time_ns - time.monotonic_ns()) * 1e-9) > 0:
        time.sleep(min(left_s, _RENEW_S))
        client.renew()
