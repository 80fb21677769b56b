"""What the real lerobot does with data sets; runs in its environment: `python theirs.py '[["VERB", "ARGUMENT"]]'`.

It prints a JSON list of what each verb tells. Several in one process, since importing lerobot takes seconds.

load ROOT OUT: every frame by its number, alone, in a batch, and with its neighbours; arrays go to OUT, an .npz file.
append ROOT TASK LENGTH: one more episode of zeros and grey pictures, by its own writer.
merge OUT ROOT [ROOT ...], delete OUT ROOT NUMBER: by its own tools.
write ROOT image|video: three episodes, several to a file.
so101 ROOT: six episodes of an SO-101, as their recorder writes it, joints in degrees.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lerobot.datasets.dataset_tools import delete_episodes, merge_datasets
from lerobot.datasets.lerobot_dataset import LeRobotDataset

REPO = "local/set"
FPS = 10
LENGTHS = (7, 9, 5)
TASKS = ("Würfel heben", "place the cube", "Würfel heben")
SIZE = (48, 64)
MOTORS = ("shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper")
MIDDLES = (0.0, -20.0, 20.0, 40.0, 0.0)


def load(root: str, out: str) -> dict[str, Any]:
    """Read all of it in each way that training does."""
    dataset = LeRobotDataset(REPO, root=Path(root), return_uint8=True)
    items = [dataset[number] for number in range(len(dataset))]
    cameras = list(dataset.meta.camera_keys)
    names = [name for name in items[0] if isinstance(items[0][name], torch.Tensor)]
    arrays = {name: torch.stack([item[name] for item in items]).numpy() for name in names}
    np.savez(out, **arrays)

    step = 1 / dataset.fps
    shifts = {"observation.state": [-step, 0.0], "action": [0.0, step, 2 * step]}
    shifts |= {camera: [-step, 0.0] for camera in cameras}
    windows = LeRobotDataset(REPO, root=Path(root), delta_timestamps=shifts, return_uint8=True)
    agree = []
    for number in range(1, dataset.meta.episodes[0]["length"] - 2):
        window = windows[number]
        for camera in cameras:
            for place, other in ((0, number - 1), (1, number)):
                agree.append(torch.equal(window[camera][place], items[other][camera]))
        agree.append(torch.equal(window["action"][2], items[number + 2]["action"]))
        agree.append(torch.equal(window["observation.state"][0], items[number - 1]["observation.state"]))
    first, last = windows[0], windows[dataset.meta.episodes[0]["length"] - 1]
    loader = torch.utils.data.DataLoader(windows, batch_size=4, shuffle=True, num_workers=1)
    batches = list(loader)
    one = LeRobotDataset(REPO, root=Path(root), episodes=[1])
    return {
        "length": len(dataset),
        "episodes": dataset.num_episodes,
        "fps": dataset.fps,
        "robot": dataset.meta.robot_type,
        "backend": dataset._video_backend,
        "tasks": [item["task"] for item in items],
        "task_table": list(dataset.meta.tasks.index),
        "windows_agree": all(agree),
        "padded": [first["observation.state_is_pad"].tolist(), last["action_is_pad"].tolist()],
        "batched": sum(len(batch["index"]) for batch in batches),
        "batch_shapes": {name: list(batches[0][name].shape) for name in (*cameras, "action")},
        "of_episode_1": sorted({int(one[number]["episode_index"]) for number in range(len(one))}),
        "frames_of_episode_1": len(one),
        "stats": sorted(dataset.meta.stats),
        "mean_state": dataset.meta.stats["observation.state"]["mean"].tolist(),
    }


def append(root: str, task: str, length: str) -> dict[str, Any]:
    """Record one more episode."""
    dataset = LeRobotDataset.resume(REPO, root=Path(root))
    features = {name: entry for name, entry in dataset.features.items() if name not in BOOKKEEPING}
    for number in range(int(length)):
        frame: dict[str, Any] = {"task": task}
        for name, entry in features.items():
            if entry["dtype"] in ("image", "video"):
                frame[name] = np.full(entry["shape"], 120, np.uint8)
            else:
                frame[name] = np.full(entry["shape"], number % 2, entry["dtype"])
        dataset.add_frame(frame)
    dataset.save_episode()
    dataset.finalize()
    again = LeRobotDataset(REPO, root=Path(root))
    return {"length": len(again), "episodes": again.num_episodes, "last_task": again[len(again) - 1]["task"]}


def merge(out: str, *roots: str) -> dict[str, Any]:
    """Join sets."""
    sets = [LeRobotDataset(f"{REPO}{number}", root=Path(root)) for number, root in enumerate(roots)]
    merged = merge_datasets(sets, "local/merged", output_dir=Path(out))
    return _told(merged)


def delete(out: str, root: str, number: str) -> dict[str, Any]:
    """Take one episode out."""
    return _told(delete_episodes(LeRobotDataset(REPO, root=Path(root)), [int(number)], output_dir=Path(out)))


def write(root: str, kind: str) -> dict[str, Any]:
    """Record a set as their recorder does."""
    features: dict[str, Any] = {
        "observation.images.front": {"dtype": kind, "shape": (*SIZE, 3), "names": ["height", "width", "channels"]},
        "observation.state": {"dtype": "float32", "shape": (3,), "names": ["x", "y", "z"]},
        "action": {"dtype": "float32", "shape": (3,), "names": ["x", "y", "z"]},
        "next.reward": {"dtype": "float32", "shape": (1,), "names": None},
        "next.done": {"dtype": "bool", "shape": (1,), "names": None},
    }
    if kind == "video":
        features["observation.images.wrist"] = features["observation.images.front"]
        features["observation.effort"] = {"dtype": "float64", "shape": (2,), "names": ["a", "b"]}
    dataset = LeRobotDataset.create(
        REPO, FPS, features, root=Path(root), robot_type="so101_follower", use_videos=kind == "video"
    )
    for episode, (length, task) in enumerate(zip(LENGTHS, TASKS, strict=True)):
        for number in range(length):
            dataset.add_frame({**frame(features, episode, number, length), "task": task})
        dataset.save_episode()
    dataset.finalize()
    again = LeRobotDataset(REPO, root=Path(root), return_uint8=True)
    pictures = {
        name: torch.stack([again[i][name] for i in range(len(again))]).numpy() for name in again.meta.camera_keys
    }
    np.savez(Path(root).with_suffix(".npz"), **pictures)
    return _told(again)


def so101(root: str) -> dict[str, Any]:
    """Record an SO-101 that swings its joints: state and action of one name a motor, in degrees, gripper 0 to 100."""
    names = [f"{motor}.pos" for motor in MOTORS]
    features: dict[str, Any] = {
        "observation.images.front": {"dtype": "video", "shape": (*SIZE, 3), "names": ["height", "width", "channels"]},
        "observation.state": {"dtype": "float32", "shape": (len(names),), "names": names},
        "action": {"dtype": "float32", "shape": (len(names),), "names": names},
    }
    dataset = LeRobotDataset.create(REPO, 30, features, root=Path(root), robot_type="so101_follower", use_videos=True)
    for episode in range(6):
        for number in range(180):
            at = number / 30
            joints = [15 * np.sin((0.5 + 0.1 * episode) * at + joint) + middle for joint, middle in enumerate(MIDDLES)]
            values = np.array([*joints, 100.0 * (np.sin(at) > 0)], np.float32)
            picture = np.full((*SIZE, 3), number, np.uint8)
            dataset.add_frame(
                {"observation.images.front": picture, "observation.state": values, "action": values, "task": TASKS[0]}
            )
        dataset.save_episode()
    dataset.finalize()
    return _told(LeRobotDataset(REPO, root=Path(root)))


def frame(features: dict[str, Any], episode: int, number: int, length: int) -> dict[str, Any]:
    """One frame whose contents tell which one it is."""
    value = 10 * episode + number
    contents: dict[str, Any] = {}
    for name, entry in features.items():
        if entry["dtype"] in ("image", "video"):
            contents[name] = np.full(entry["shape"], 5 * value + (100 if name.endswith("wrist") else 40), np.uint8)
        elif entry["dtype"] == "bool":
            contents[name] = np.array([number == length - 1])
        else:
            contents[name] = np.full(entry["shape"], value, entry["dtype"])
    return contents


def _told(dataset: LeRobotDataset) -> dict[str, Any]:
    return {
        "length": len(dataset),
        "episodes": dataset.num_episodes,
        "tasks": [dataset[number]["task"] for number in range(len(dataset))],
        "states": [dataset[number]["observation.state"][0].item() for number in range(len(dataset))],
    }


BOOKKEEPING = ("timestamp", "frame_index", "episode_index", "index", "task_index")
VERBS = {"load": load, "append": append, "merge": merge, "delete": delete, "write": write, "so101": so101}

if __name__ == "__main__":
    print("\n" + json.dumps([VERBS[verb](*arguments) for verb, *arguments in json.loads(sys.argv[1])]))
