"""Watches what the joints measure: an arm that presses harder than it may is stopped."""

from __future__ import annotations

from robot.arm.interface import ArmSpec, Reading

READINGS = 3
"""In a row; one alone may be a disturbed measurement."""


class EffortWatch:
    """Watches one arm of `spec`, reading after reading."""

    def __init__(self, spec: ArmSpec) -> None:
        self._names = spec.joint_names
        self._limits = spec.effort
        self._over = 0

    def see(self, reading: Reading) -> str:
        """Take `reading` in; return which joint bears too much, in words, once it has for `READINGS`; else nothing."""
        if not (self._limits and reading.efforts):
            return ""
        shares = [abs(effort) / limit for effort, limit in zip(reading.efforts, self._limits, strict=True)]
        worst = max(range(len(shares)), key=shares.__getitem__)
        self._over = self._over + 1 if shares[worst] > 1.0 else 0
        if self._over < READINGS:
            return ""
        return (
            f"{self._names[worst]} bears {abs(reading.efforts[worst]):.1f} N·m, more than the "
            f"{self._limits[worst]:g} it may: free the arm, then reset"
        )
