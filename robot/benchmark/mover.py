"""A process that has the lease and moves the arm's last joint to and fro until it is killed: `python -m
robot.benchmark.mover ADDRESS TTL_S`.

For each command it prints when it was sent and when it was answered; the lease was renewed between the two.
"""

from __future__ import annotations

import math
import sys
import time

from robot.client.client import Client
from robot.errors import Refused
from robot.wire.messages import Waypoint

AHEAD_S = 0.4
EVERY_S = 0.02
PERIOD_S = 1.2
SPEED_SHARE = 0.5
TOO_LATE = ("late", "too-fast")


def main(address: str, ttl_s: float) -> None:
    """Move until killed, or until a command is refused, which is printed too."""
    with Client(address, 5.0) as client:
        state = client.state(5.0)
        centre, width = list(state.governed), state.gripper_command
        spec = client.arm
        amplitude = SPEED_SHARE * spec.velocity[-1] * PERIOD_S / (2 * math.pi)
        # Towards the middle of its range, since interruptions could otherwise bring it to its limit.
        if centre[-1] > 0.5 * (spec.lower[-1] + spec.upper[-1]):
            amplitude = -amplitude
        client.acquire("mover", ttl_s)
        begin_ns = time.monotonic_ns()
        while True:
            now_ns = time.monotonic_ns()
            waypoints = []
            for number in range(1, 9):
                time_ns = now_ns + round(number * AHEAD_S / 8 * 1e9)
                place = list(centre)
                place[-1] += amplitude * (1.0 - math.cos(2 * math.pi * (time_ns - begin_ns) * 1e-9 / PERIOD_S))
                waypoints.append(Waypoint(time_ns, tuple(place), width))
            try:
                client.send_waypoints(waypoints, now_ns + 1_000_000_000)
            except Refused as refusal:
                if refusal.reason in TOO_LATE:  # the machine was busy; the next starts from the arm's present position
                    continue
                print(f"refused {refusal.reason}", flush=True)
                return
            print(f"sent {now_ns} {time.monotonic_ns()}", flush=True)
            time.sleep(EVERY_S)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
