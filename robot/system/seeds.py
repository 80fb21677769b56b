"""The range of seeds that both PyTorch's and NumPy's generators accept."""

from __future__ import annotations

from robot.errors import ConfigurationError

SEEDS = 2**63


def require_seed(seed: int) -> None:
    """Raise `ConfigurationError` for a seed outside that range."""
    if seed < 0:
        raise ConfigurationError(f"--seed must be 0 or more, not {seed}")
    if seed >= SEEDS:
        raise ConfigurationError(f"--seed must be below 2**63, not {seed}")
