"""The pictures in a decision."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from robot.errors import CameraError
from robot.wire.messages import DecisionReport


def drawn(decision: DecisionReport, data: bytes) -> NDArray[np.uint8]:
    """Return a picture (H, W, 3) of a decision. Raises `CameraError` when the bytes are not of its shape."""
    if min(decision.shape) <= 0 or decision.shape[2] != 3 or len(data) != int(np.prod(decision.shape)):
        raise CameraError(f"the agent sent {len(data)} bytes as a picture of {decision.shape}")
    return np.frombuffer(data, np.uint8).reshape(decision.shape)
