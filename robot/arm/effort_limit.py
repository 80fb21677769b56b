"""Watches the measured joint efforts: an arm that exceeds its effort limit is stopped."""

from __future__ import annotations

from robot.arm.interface import ArmSpec, Reading

READINGS = 3
"""Number of successive readings above the limit before the arm is stopped; a single one may be noise."""


class EffortMonitor:
    """Watches the efforts of one arm with the specification `spec`."""

    def __init__(self, spec: ArmSpec) -> None:
        self._names = spec.joint_names
        self._limits = spec.effort
        self._over = 0

    def see(self, reading: Reading) -> str:
        """Process `reading`; return a message that names the overloaded joint after `READINGS` in a row, else ""."""
        if not (self._limits and reading.efforts):
            return ""
        shares = [abs(effort) / limit for effort, limit in zip(reading.efforts, self._limits, strict=True)]
        worst = max(range(len(shares)), key=shares.__getitem__)
        self._over = self._over + 1 if shares[worst] > 1.0 else 0
        if self._over < READINGS:
            return ""
        return (
            f"{self._names[worst]} bears {abs(reading.efforts[worst]):.1f} N·m, more than the "
            f"{self._limits[worst]:g} allowed: free the arm, then reset"
        )
