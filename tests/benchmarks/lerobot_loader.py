"""The reference library's loader, measured; runs in the library's own environment, as a script without worldarm.

`python lerobot_loader.py ROOT ORDER.json PICTURES.npz` reads the frames of ORDER once to warm up, saves the pictures
of the first few, and says what it is, one line of JSON. Then, for each line on its standard input, it reads them all
again and prints the seconds that took, of the clock and of the processor.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

COMPARED = 8


def main(root: str, order_file: str, pictures: str) -> None:
    """Read, and go on reading as often as asked."""
    import lerobot
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    order = json.loads(Path(order_file).read_text())
    # Pictures as whole numbers, the cheapest that it can.
    dataset = LeRobotDataset("local/measured", root=Path(root), return_uint8=True)
    items = [dataset[index] for index in order[:COMPARED]]
    stacks: dict[str, Any] = {
        name: np.stack([item[name].numpy() for item in items]) for name in dataset.meta.camera_keys
    }
    np.savez(pictures, **stacks)
    for index in order[COMPARED:]:
        dataset[index]
    print(json.dumps({"version": lerobot.__version__, "backend": dataset._video_backend}), flush=True)
    for _ in sys.stdin:
        began, used = time.perf_counter(), time.process_time()
        for index in order:
            dataset[index]
        print(json.dumps([time.perf_counter() - began, time.process_time() - used]), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
