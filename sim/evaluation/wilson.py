"""The 95 % interval of every success rate."""

from __future__ import annotations

import math

Z95 = 1.959964


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """Return the Wilson score interval (lower, upper) of a share, at 95 % (Wilson 1927).

    Raises `ValueError` without trials.
    """
    if trials < 1 or not 0 <= successes <= trials:
        raise ValueError(f"{successes} successes of {trials} trials are not a share")
    share = successes / trials
    scale = 1 + Z95**2 / trials
    centre = (share + Z95**2 / (2 * trials)) / scale
    half = Z95 / scale * math.sqrt(share * (1 - share) / trials + Z95**2 / (4 * trials**2))
    # Exact at 0 and 1, where rounding would put the share outside the interval.
    return 0.0 if successes == 0 else centre - half, 1.0 if successes == trials else centre + half
