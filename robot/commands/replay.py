"""`worldarm replay DATASET N`: an arm repeats the motion of an episode; the deviation from it is reported."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from tqdm import tqdm

from robot.arm.interface import ArmSpec
from robot.client.client import Client
from robot.client.episode_replay import Deviation, replay_trace
from robot.client.recorded_motion import read_trace
from robot.dataset.reader import Dataset
from robot.system.files import require_writable, write_json
from robot.wire.addresses import COMMAND


def replay(
    dataset: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(help="the data set")],
    episode: Annotated[int, tyro.conf.Positional, tyro.conf.arg(help="the episode's number")],
    command_address: Annotated[str, tyro.conf.arg(help="where the driver takes commands")] = COMMAND,
    speed: Annotated[
        float, tyro.conf.arg(help="share of each joint's velocity limit on the way to the beginning, up to 1")
    ] = 0.2,
    json: Annotated[Path | None, tyro.conf.arg(help="write every number to this file")] = None,
) -> None:
    """Repeat the motion of an episode: slowly to its beginning, then at the rate at which it was recorded.

    The recorded governed set-points are sent, under a lease and through the governor like any motion. A motion that
    this arm cannot make is refused before anything moves; on Ctrl-C the arm holds.
    """
    if json is not None:
        require_writable(json)
    source = Dataset.open(dataset)
    with Client(command_address) as client, tqdm(total=100, unit="%", desc="replay", leave=False, delay=1.0) as bar:
        trace = read_trace(source, episode, client.arm)
        print(
            f"replay: episode {episode} of {dataset}, {trace.seconds[-1]:.1f} s, on {client.arm.name}; on Ctrl-C it "
            "holds",
            flush=True,
        )

        def show(share: float) -> None:
            bar.update(round(100 * share) - bar.n)

        found = replay_trace(client, trace, speed, show)
        arm = client.arm
    print("\n".join(lines_of(found, arm)))
    if json is not None:
        write_json(json, found)


def lines_of(found: Deviation, arm: ArmSpec) -> list[str]:
    """Return a deviation in words, one line for each figure."""
    rows = zip(arm.joint_names, np.degrees(found.rms_rad), np.degrees(found.worst_rad), strict=True)
    width = max(map(len, arm.joint_names))
    return [
        f"from what was {found.of} then, over {found.moments} moments in {found.seconds:.1f} s:",
        f"  {'tool':<{width}}  rms {1e3 * found.tool_rms_m:6.2f} mm  worst {1e3 * found.tool_worst_m:6.2f} mm",
        *(f"  {name:<{width}}  rms {rms:6.3f}°   worst {worst:6.3f}°" for name, rms, worst in rows),
        f"  the governor changed a set-point in {found.clamped} states",
    ]
