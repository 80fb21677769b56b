"""How often something is tried: a few times by `make test`, many times by `make soak`, which sets WORLDARM_SOAK=1."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

SOAK = os.environ.get("WORLDARM_SOAK") == "1"


def often(suite: int, soak: int) -> int:
    """How many times to try what takes long each time: `suite` times, or `soak` times in a soak."""
    return soak if SOAK else suite


def load_profile() -> None:
    """Let hypothesis draw as many examples as this run is for. How long each takes is the machine's affair."""
    slow = [HealthCheck.too_slow]
    settings.register_profile("suite", max_examples=30, deadline=None, suppress_health_check=slow)
    settings.register_profile("soak", max_examples=1000, deadline=None, suppress_health_check=slow)
    settings.load_profile("soak" if SOAK else "suite")
