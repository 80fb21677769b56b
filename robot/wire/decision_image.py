"""The pictures in a thought."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from robot.errors import CameraError
from robot.wire.messages import Thought


def drawn(thought: Thought, data: bytes) -> NDArray[np.uint8]:
    """Return a picture (H, W, 3) of a thought. Raises `CameraError` when the bytes are not of its shape."""
    if min(thought.shape) <= 0 or thought.shape[2] != 3 or len(data) != int(np.prod(thought.shape)):
        raise CameraError(f"the agent sent {len(data)} bytes as a picture of {thought.shape}")
    return np.frombuffer(data, np.uint8).reshape(thought.shape)
