"""Calls to an arm that raise `ArmError` on every failure, independent of what the arm's implementation raises."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

from robot.arm.interface import Arm, Readable, Reading
from robot.errors import ArmError, WorldarmError

SILENCE_S = 0.25
"""An arm whose newest reading is older than this has lost its link, even if it reports no error."""


@contextmanager
def arm_faults(but: type[WorldarmError] = ArmError) -> Iterator[None]:
    """Wrap a call to the arm: any exception, such as `OSError`, becomes `ArmError`; errors of type `but` pass
    unchanged."""
    try:
        yield
    except (ArmError, but):
        raise
    except Exception as error:
        raise ArmError(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__) from error


def read(arm: Arm | Readable) -> Reading:
    """Return the arm's newest measurement, checked for the number of joints and for finite values.

    Raises `ArmError` when the measurement fails these checks, cannot be read, or is older than `SILENCE_S`.
    """
    asked_ns = time.monotonic_ns()
    with arm_faults():
        reading = arm.read()
        if len(reading.positions) != arm.spec.dof or len(reading.velocities) != arm.spec.dof:
            raise ArmError(
                f"the arm reported {len(reading.positions)} joints where its specification has {arm.spec.dof}"
            )
        if len(reading.efforts) not in (0, arm.spec.dof):
            raise ArmError(f"the arm reported {len(reading.efforts)} efforts where it has {arm.spec.dof} joints")
        numbers = (*reading.positions, *reading.velocities, *reading.efforts, reading.gripper_width)
        if not math.isfinite(sum(numbers)):
            raise ArmError("the arm reported a number that is not finite")
        # Compared with the time before the call: a process that was paused during the call has not lost its arm.
        silent_s = (asked_ns - reading.time_ns) * 1e-9
        if silent_s > SILENCE_S:
            raise ArmError(f"the arm has not reported for {silent_s:.2f} s")
    return reading
