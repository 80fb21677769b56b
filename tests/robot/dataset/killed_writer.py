"""Starts writers and kills them: reads lines `ROOT PICTURE DURABLE EPISODES SECONDS`, answers how many were saved.

Each writer is a fork of this process, which has imported everything and used nothing, so that a kill costs little.
"""

import os
import signal
import sys
import time
from pathlib import Path

from robot.dataset import DatasetWriter
from tests.robot.dataset.samples import FPS, columns, features


def write_for_ever(root: Path, picture: str, durable: bool, report: int) -> None:
    if (root / "meta/info.json").exists():
        writer = DatasetWriter.open(root, FPS, features(picture), durable=durable)
    else:
        writer = DatasetWriter.create(root, FPS, features(picture), "panda", durable=durable)
    while True:
        seed = writer.info.total_episodes
        writer.save_episode(columns(seed, 4 + seed % 3), f"task {seed % 2}", {"seed": seed})
        os.write(report, b".")


def kill_one(root: Path, picture: str, durable: bool, episodes: int, seconds: float) -> int:
    """Kill a writer `seconds` after its n-th episode; the number of episodes it had reported as saved."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            write_for_ever(root, picture, durable, writing)
        finally:
            os._exit(1)
    os.close(writing)
    reported = b""
    while len(reported) < episodes:
        one = os.read(reading, 1)
        if not one:
            raise RuntimeError("the writer ended by itself")
        reported += one
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    while block := os.read(reading, 65536):
        reported += block
    os.close(reading)
    return len(reported)


for line in sys.stdin:
    root, picture, durable, episodes, seconds = line.split()
    print(kill_one(Path(root), picture, durable == "True", int(episodes), float(seconds)), flush=True)
