"""A person at a first run who sees the true arm: it answers what an SO-101's emulated servos really did."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping

import numpy as np

from robot.arm.kinematics import Kinematics
from robot.first_run.operator import ENTER
from robot.hardware.so101.arm import Calibration
from robot.hardware.so101.description import JOINTS, LIMITS, so101_spec
from robot.hardware.so101.emulator import EmulatedServo

_PLACE = re.compile(r"(\d+) cm (in front of|behind).* (\d+) cm to the (left|right), and (\d+) cm (above|below)")


class Witness:
    """Sees the servos as `truth` says that they are mounted. It leaves the ranges out but of the joint `walks`, and
    presses a key a moment after it was asked to."""

    def __init__(self, servos: Mapping[int, EmulatedServo], truth: Mapping[str, Calibration], walks: str = "") -> None:
        self._servos, self._truth, self._walks = servos, truth, walks
        limits = tuple(LIMITS.values())
        self._kinematics = Kinematics(so101_spec(tuple(-each for each in limits), limits))
        self._before = self.angles()
        self._by = 0.0
        self._press_at = float("inf")
        self.said: list[str] = []

    def angles(self) -> np.ndarray:
        """The joints of the arm as it really stands, (5,) rad."""
        return np.array([self._truth[name].angle(self._servos[self._truth[name].id].position) for name in JOINTS])

    def say(self, line: str) -> None:
        self.said.append(line)

    def ask(self, question: str, answers: Mapping[str, str]) -> str:
        self.said.append(question)
        if turns := re.search(r"turns ([+-]\d+)°", question):
            self._by = float(turns.group(1))
        if "s" in answers and not (self._walks and question.startswith(self._walks)):
            return "s"
        if ENTER in answers:
            self._before = self.angles()
            self._press_at = time.monotonic() + 0.5 if "Press SPACE" in question else float("inf")
            return ENTER
        if question.startswith("Measure"):
            return "y" if self._distance_m(question) < 0.03 else "n"
        if "no other joint" in question:
            return self._saw(question.split()[1].rstrip(","))
        return "y"

    def pressed(self) -> bool:
        due = time.monotonic() > self._press_at
        if due:
            self._press_at = float("inf")
        return due

    def _saw(self, name: str) -> str:
        moved = self.angles() - self._before
        most = int(np.abs(moved).argmax())
        if abs(moved[most]) < 0.02:
            return "n"
        if JOINTS[most] != name:
            return "o"
        return "y" if moved[most] * self._by > 0 else "r"

    def _distance_m(self, question: str) -> float:
        found = _PLACE.search(question)
        assert found, question
        x, ahead, y, side, z, height = found.groups()
        named = np.array(
            (
                float(x) * (1 if ahead == "in front of" else -1),
                float(y) * (1 if side == "left" else -1),
                float(z) * (1 if height == "above" else -1),
            )
        )
        return float(np.linalg.norm(0.01 * named - self._kinematics.position(self.angles())))
