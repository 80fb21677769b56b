from __future__ import annotations

import resource
import subprocess
import sys

import pytest

_STEPS = """
import resource, torch
from perception.training.distributed import join
join("cpu") if {kept} else None
def step():
    return torch.ones(16, 1024, 1024).add(1.0).mul(2.0).sum()
for _ in range(3):
    step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def pages_asked_for(kept: bool) -> int:
    return int(subprocess.run([sys.executable, "-c", _STEPS.format(kept=kept)], capture_output=True, check=True).stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's malloc")
def test_a_training_asks_the_system_for_memory_once() -> None:
    of_a_block = 16 * 2**20 * 4 // resource.getpagesize()
    usual = pages_asked_for(False)
    assert usual > 20 * of_a_block  # else there is nothing to keep
    # A block or two more than the first steps needed: where a small one came to lie between two freed ones.
    assert pages_asked_for(True) < usual / 5
