from __future__ import annotations

import pytest
import torch

from perception.training.distributed import join, leave
from robot.errors import ConfigurationError


def test_one_process_stands_alone() -> None:
    workers = join("cpu")
    assert (workers.rank, workers.count, workers.device.type, workers.leads) == (0, 1, "cpu", True)
    workers.wait()
    leave(workers)


def test_a_device_that_does_not_exist() -> None:
    with pytest.raises(ConfigurationError, match="no device 'tpu': use cpu or cuda"):
        join("tpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_a_device_that_is_not_here() -> None:
    with pytest.raises(ConfigurationError, match="use --device cpu"):
        join("cuda")
