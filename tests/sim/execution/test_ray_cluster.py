from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import pytest

from robot.dataset.reader import Dataset
from robot.errors import ConfigurationError, ConnectionLost
from sim.execution.ray_cluster import LOCAL, map_on_ray
from tests.commands import in_process


def power(item: int, exponent: int) -> tuple[int, int]:
    """A power, and who computed it."""
    if item < 0:
        raise ConfigurationError(f"{item} is negative")
    return item**exponent, os.getpid()


def test_answers_come_in_order_from_other_processes() -> None:
    found = list(map_on_ray(partial(power, exponent=2), range(20), LOCAL))
    assert [value for value, _ in found] == [item**2 for item in range(20)]
    assert os.getpid() not in {process for _, process in found}


def test_what_the_function_raises_is_raised_here() -> None:
    with pytest.raises(ConfigurationError, match="-1 is negative"):
        list(map_on_ray(partial(power, exponent=2), [1, -1, 2], LOCAL))


def test_a_cluster_that_is_not_there_is_told() -> None:
    with pytest.raises(ConnectionLost, match=r"no Ray cluster at 127\.0\.0\.1:1"):
        list(map_on_ray(partial(power, exponent=2), [1], "127.0.0.1:1"))
    with pytest.raises(ConfigurationError, match="--ray nowhere is not HOST:PORT, nor local"):
        list(map_on_ray(partial(power, exponent=2), [1], "nowhere"))


def test_play_on_a_cluster_is_the_same_play(tmp_path: Path) -> None:
    words = ["--episodes", "12", "--blocks", "4", "--size", "32"]
    for name, where in (("here", ["--processes", "1"]), ("there", ["--ray", LOCAL])):
        result = in_process("play", "--dataset", str(tmp_path / name), *words, *where)
        assert result.returncode == 0, result.stderr
    assert "on Ray at local" in result.stdout
    assert Dataset.open(tmp_path / "here").fingerprint() == Dataset.open(tmp_path / "there").fingerprint()
