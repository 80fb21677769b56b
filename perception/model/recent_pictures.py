"""The last few pictures, for an encoder that takes more than one."""

from __future__ import annotations

from collections import deque

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class RecentPictures:
    """Keeps the pictures of the last `count` blocks. Until there are that many, the oldest one stands for the rest, as
    at the start of an episode in training."""

    def __init__(self, count: int) -> None:
        self._pictures: deque[NDArray[np.uint8]] = deque(maxlen=count)
        self._count = count

    def clear(self) -> None:
        """Forget all pictures, because what follows is another episode."""
        self._pictures.clear()

    def add(self, picture: NDArray[np.uint8]) -> Tensor:
        """Keep the `picture` (H, W, 3) uint8 RGB of one more block and return the clip (1, F, H, W, 3) that ends with
        it."""
        self._pictures.append(picture)
        missing = self._count - len(self._pictures)
        return torch.from_numpy(np.stack([*[self._pictures[0]] * missing, *self._pictures])[None])
