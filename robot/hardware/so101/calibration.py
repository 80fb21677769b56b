"""The calibration of an SO-101: a file that gives each servo's range and direction, in the format of LeRobot's."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import msgspec

from robot.errors import ConfigurationError
from robot.hardware.so101.bus import STEPS
from robot.hardware.so101.description import MOTORS
from robot.system.bounds import MAX_SMALL_JSON_BYTES
from robot.system.files import read_bounded

RADIANS = 2.0 * math.pi / STEPS
"""Of one step."""


class Calibration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One servo: its `id`, whether its direction is reversed (`drive_mode` 1), the `homing_offset` that was written to
    it, and the range of its steps."""

    id: Annotated[int, msgspec.Meta(ge=0, le=252)]
    drive_mode: Annotated[int, msgspec.Meta(ge=0, le=1)]
    homing_offset: Annotated[int, msgspec.Meta(ge=-2047, le=2047)]
    range_min: Annotated[int, msgspec.Meta(ge=0, le=STEPS - 1)]
    range_max: Annotated[int, msgspec.Meta(ge=0, le=STEPS - 1)]

    @property
    def middle(self) -> float:
        """The steps at which the joint is at zero."""
        return 0.5 * (self.range_min + self.range_max)

    @property
    def direction(self) -> int:
        """1 where more steps are a larger angle, −1 where they are a smaller one."""
        return -1 if self.drive_mode else 1

    @property
    def half_range(self) -> float:
        """The joint's range to either side of zero, rad."""
        return 0.5 * (self.range_max - self.range_min) * RADIANS

    def angle(self, steps: float) -> float:
        """Return the joint's angle (rad) at `steps`."""
        return self.direction * (steps - self.middle) * RADIANS

    def steps(self, angle: float) -> int:
        """Return the steps nearest to `angle` (rad), within the range."""
        return min(max(self.unbounded_steps(angle), self.range_min), self.range_max)

    def unbounded_steps(self, angle: float) -> int:
        """Return the steps nearest to `angle` (rad), also outside the range."""
        return round(self.middle + self.direction * angle / RADIANS)


def read_calibration(path: Path) -> dict[str, Calibration]:
    """Return the calibration of every servo by its name. Raises `ConfigurationError` for a file that is not a
    calibration."""
    try:
        found = msgspec.json.decode(read_bounded(path, MAX_SMALL_JSON_BYTES), type=dict[str, Calibration])
    except OSError as error:
        raise ConfigurationError(f"the calibration file {path} cannot be read: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigurationError(f"{path} is not a calibration of an SO-101: {error}") from error
    if found.keys() != set(MOTORS):
        raise ConfigurationError(f"{path} is not a calibration of an SO-101: it has {', '.join(found) or 'no servo'}")
    if len({each.id for each in found.values()}) != len(found):
        raise ConfigurationError(f"{path} gives the same id to two servos")
    for name, each in found.items():
        if each.range_max - each.range_min < 100:
            raise ConfigurationError(
                f"{path} gives {name} a range of {each.range_max - each.range_min} steps; calibrate it again"
            )
    return found
