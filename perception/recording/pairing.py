"""Which message belongs to a time: the newest one that was captured by then, independent of its arrival.

Each row is built a little after its time, when all its messages have come. The pairing therefore depends only on the
times at which pictures were taken and states measured, and not on the load of the machine.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from robot.wire.messages import Published

P = TypeVar("P", bound=Published)

SAME_PACE = 0.1
"""Cameras whose rate is within this share of the recording's rate keep their phase in its periods."""


def newest_by(messages: Sequence[P], time_ns: int) -> P | None:
    """Return the last of `messages`, in order of arrival, with a time up to `time_ns`; None when there is none."""
    for message in reversed(messages):
        if message.time_ns <= time_ns:
            return message
    return None


def period_of(times_ns: Sequence[int]) -> float | None:
    """Return the median interval between the times (ns); None for fewer than three times."""
    if len(times_ns) < 3:
        return None
    return float(np.median(np.diff(np.asarray(times_ns, np.int64))))


def first_row(now_ns: int, period_ns: float, cameras: Sequence[Sequence[int]]) -> int:
    """Return the time (ns) of the first row of an episode that begins at `now_ns`: within one period, and as far as
    possible from the times at which `cameras` take their pictures. Each of `cameras` holds the times (ns) of its last
    few pictures.

    A row at such a time would get sometimes the new and sometimes the old picture.
    """
    phases = []
    for times_ns in cameras:
        period = period_of(times_ns)
        if period is None or abs(period - period_ns) > SAME_PACE * period_ns:
            continue
        turns = 2 * math.pi * ((np.asarray(times_ns, np.int64) - now_ns) % period_ns) / period_ns
        mean = math.atan2(float(np.sin(turns).mean()), float(np.cos(turns).mean()))
        phases.append((mean / (2 * math.pi)) % 1.0)
    if not phases:
        return now_ns
    phases.sort()
    gaps = [(after - before, before) for before, after in zip(phases, [*phases[1:], phases[0] + 1.0], strict=True)]
    width, begin = max(gaps)
    return now_ns + round(((begin + width / 2) % 1.0) * period_ns)
