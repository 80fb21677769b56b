"""Someone who moves an arm while it is recorded: a hand that wanders about as a convention of actions has it."""

from __future__ import annotations

import threading
import time
from types import TracebackType

import numpy as np

from robot.action import ActionConvention
from robot.client import Client
from robot.errors import Refused
from robot.kinematics import Kinematics

LEAD_NS = 100_000_000


class Mover:
    """Moves the arm behind `command_address` by block after block from where it stands, while the context lasts."""

    def __init__(self, command_address: str, convention: ActionConvention, seed: int = 0) -> None:
        self._command_address, self._convention = command_address, convention
        self._rng = np.random.default_rng(seed)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._move)

    def _move(self) -> None:
        convention = self._convention
        with Client(self._command_address, 5.0) as client:
            kinematics = Kinematics(client.arm)
            client.acquire("mover", 10.0)
            begins_ns, late = 0, True
            while not self._over.is_set():
                if late:  # at first, and where the machine was too busy
                    state = client.state(5.0)
                    posture = np.asarray(state.governed)
                    tool = convention.at(kinematics.forward(posture), state.gripper_command)
                    begins_ns = time.monotonic_ns() + 300_000_000
                action = self._rng.uniform(-0.8, 0.8, convention.size)
                target = convention.target(tool, action)
                waypoints = convention.block(kinematics, tool, target, posture, begins_ns)
                try:
                    client.send_waypoints(waypoints, begins_ns)
                except Refused as refusal:
                    late = refusal.reason in ("late", "too-fast")
                    if not late:
                        raise
                    continue
                late = False
                tool, posture = target, np.asarray(waypoints[-1].positions)
                begins_ns += convention.block_ns
                while time.monotonic_ns() < begins_ns - LEAD_NS:
                    time.sleep(0.005)

    def __enter__(self) -> Mover:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join(10.0)
