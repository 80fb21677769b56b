"""SIGReg: keeps a latent from collapsing by making its distribution a standard Gaussian, one projection at a time.

Balestriero and LeCun, "LeJEPA" (2025): by the Cramér–Wold theorem a distribution is an isotropic Gaussian when all
its one-dimensional projections are; each is tested with the Epps–Pulley statistic, the weighted distance between
empirical and Gaussian characteristic functions.
"""

from __future__ import annotations

import torch
from torch import Tensor

KNOTS = 17
LARGEST_KNOT = 3.0


def sigreg(latents: Tensor, projections: Tensor) -> Tensor:
    """Return the mean Epps–Pulley statistic of `latents` (B, D) on `projections` (D, M), whose columns need not be
    of unit length. The statistic is not multiplied by B, so its weight does not depend on the batch size."""
    # In full precision even where the rest is trained in bf16: the statistic is a small difference of large terms.
    with torch.autocast(latents.device.type, enabled=False):
        return _epps_pulley(latents.float() @ (projections / projections.norm(dim=0, keepdim=True)))


def _epps_pulley(samples: Tensor) -> Tensor:
    """Return the statistic, averaged over the columns of `samples` (B, M)."""
    knots = torch.linspace(0.0, LARGEST_KNOT, KNOTS, device=samples.device)
    window = torch.exp(-0.5 * knots**2)
    phase = samples.unsqueeze(-1) * knots  # (B, M, K)
    # The Gaussian's characteristic function equals the window, and it is real.
    error = (phase.cos().mean(0) - window) ** 2 + phase.sin().mean(0) ** 2  # (M, K)
    return 2.0 * torch.trapezoid(error * window, knots, dim=-1).mean()
