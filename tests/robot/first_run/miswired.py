"""Real arms behind wrong wiring: the set-points of joints are exchanged, inverted or lost before they reach the arm
`ur` or `franka`. The address is ARM|ADDRESS|FILE; FILE holds the fault at each moment, as one word."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from robot import registry
from robot.arm.interface import Arm, ArmOptions, Reading, Vector

STOP_RAD = 0.3
"""How far from where it began joint 6 can turn when its range is narrower than its limits say."""
JOINT = 4
_LOOK_EVERY = 20
_TAKEN_OVER = 0.05


class MiswiredArm:
    """The arm `inner` with the fault that the file `fault` names: swapped, inverted, dead, narrow, or none."""

    def __init__(self, inner: Arm, fault: Path) -> None:
        self._inner, self._fault = inner, fault
        self._writes = 0
        self._word = ""
        self.spec = inner.spec

    def start(self) -> None:
        self._inner.spec = self.spec
        self._inner.start()
        self._began = self._asked = self._last = np.array(self._inner.read().positions)

    def read(self) -> Reading:
        return self._inner.read()

    def write(self, positions: Vector, gripper_width: float) -> None:
        if self._writes % _LOOK_EVERY == 0:
            word = self._fault.read_text().strip()
        else:
            word = self._word
        # Where the driver takes over anew, its set-points begin where the arm is measured, whatever the wiring did.
        if word != self._word or np.abs(positions - self._last).max() > _TAKEN_OVER:
            self._word = word
            self._fault.with_suffix(".seen").write_text(word)
            self._began, self._asked = np.array(self._inner.read().positions), positions.copy()
        self._writes += 1
        self._last = positions.copy()
        way = positions - self._asked
        if self._word == "swapped":
            way[[JOINT, JOINT + 1]] = way[[JOINT + 1, JOINT]]
        elif self._word == "inverted":
            way[JOINT] = -way[JOINT]
        elif self._word == "dead":
            way[JOINT] = 0.0
        elif self._word == "narrow":
            way[JOINT] = np.clip(way[JOINT], -STOP_RAD, STOP_RAD)
        self._inner.write(self._began + way, gripper_width)

    def park(self) -> None:
        self._inner.park()

    def close(self) -> None:
        self._inner.close()


def make_arm(options: ArmOptions) -> MiswiredArm:
    """The factory named by the entry point `miswired`."""
    name, address, fault = str(options.address).split("|")
    return MiswiredArm(registry.load(registry.ARMS, name)(ArmOptions(address)), Path(fault))
