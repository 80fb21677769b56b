"""One kind of error for an arm that fails, whoever wrote it and whatever its link raises or reports."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

from robot.arm.interface import Arm, Readable, Reading
from robot.errors import ArmError, WorldarmError

SILENCE_S = 0.25
"""An arm whose newest reading is older than this has lost its link, whatever it says."""


@contextmanager
def arm_faults(but: type[WorldarmError] = ArmError) -> Iterator[None]:
    """Around a call of the arm: whatever it raises, such as `OSError`, becomes `ArmError`; `but` stays what it is."""
    try:
        yield
    except (ArmError, but):
        raise
    except Exception as error:
        raise ArmError(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__) from error


def read(arm: Arm | Readable) -> Reading:
    """Return the arm's newest measurement, of as many joints as it has and of finite numbers.

    Raises `ArmError` when it gives none such, or none since `SILENCE_S` ago.
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
        # Against the instant before the call: a process that was paused in between has not lost its arm.
        silent_s = (asked_ns - reading.time_ns) * 1e-9
        if silent_s > SILENCE_S:
            raise ArmError(f"the arm has not reported for {silent_s:.2f} s")
    return reading
