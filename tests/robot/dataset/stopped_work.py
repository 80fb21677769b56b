"""Does work on data sets and stops it at a system call: reads requests as lines of JSON, answers how each run went.

Each run is a fork of this process, which has imported everything and used nothing.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pyarrow.compute  # noqa: F401 - what would otherwise be imported in each fork

from robot.dataset import DatasetWriter
from robot.dataset.edit.delete import delete
from robot.dataset.edit.merge import merge
from robot.dataset.edit.repair import repair
from robot.dataset.edit.split import split
from robot.errors import WorldarmError
from tests.robot.dataset.samples import FPS, columns, features
from tests.robot.dataset.write_calls import run_to_call

TOLD = 3  # exit status of work that ended with an error meant for the user


def save(root: Path, report: int) -> None:
    """Two more episodes, each reported once it is said to be saved."""
    for _ in range(2):
        with DatasetWriter.open(root) as writer:
            seed = writer.info.total_episodes
            writer.save_episode(columns(seed, 4 + seed % 3), f"task {seed % 4}", {"seed": seed})
            os.write(report, b".")


def create(root: Path, report: int) -> None:
    """A new set of two episodes."""
    DatasetWriter.create(root, FPS, features(), "panda").close()
    save(root, report)


WORKS: dict[str, Callable[[Path, int], object]] = {
    "create": lambda folder, report: create(folder / "new", report),
    "save": lambda folder, report: save(folder / "set", report),
    "merge": lambda folder, report: merge(folder / "deep/out", [folder / "set", folder / "other"]),
    "split": lambda folder, report: split(folder / "set", folder / "out", {"train": [0, 2], "test": [1]}),
    "delete": lambda folder, report: delete(folder / "set", [0]),
    "repair": lambda folder, report: repair(folder / "set"),
}


def told(work: Callable[[Path, int], object], folder: Path, report: int) -> None:
    """Do the work; an error that is meant for the user ends this process with the status `TOLD`."""
    try:
        work(folder, report)
    except WorldarmError as error:
        os.write(2, f"{error}\n".encode())
        os._exit(TOLD)
    except BaseException:
        traceback.print_exc()
        raise


if __name__ == "__main__":
    for line in sys.stdin:
        asked = json.loads(line)
        reading, writing = os.pipe()
        work, folder = WORKS[asked["work"]], Path(asked["folder"])
        run = run_to_call(lambda: told(work, folder, writing), asked["stop_at"], asked["full_disk"])  # noqa: B023
        os.close(writing)
        said = len(os.read(reading, 100))
        os.close(reading)
        print(json.dumps({**asdict(run), "said": said}), flush=True)
