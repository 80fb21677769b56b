"""`worldarm benchmark record`: measures what a recording promises, and prints a table."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import msgspec
import tyro

from perception.benchmark.recording import Kills, Pace, measure_kills, measure_pace, running_sources
from robot.errors import ConfigurationError
from robot.system.files import make_folder, require_writable, write_json
from robot.wire.camera_spec import Images


def benchmark_record(
    cameras: Annotated[int, tyro.conf.arg(help="how many cameras, 320x240 at 30 Hz each")] = 2,
    seconds: Annotated[float, tyro.conf.arg(help="how long to record with each kind of pictures; 0: skip")] = 600.0,
    episode_s: Annotated[float, tyro.conf.arg(help="duration of an episode, seconds")] = 20.0,
    kills: Annotated[int, tyro.conf.arg(help="how many recordings to kill with each kind of pictures; 0: none")] = 500,
    images: Annotated[tuple[Images, ...], tyro.conf.arg(help="kinds of pictures")] = ("video", "png"),
    realtime: Annotated[
        bool, tyro.conf.arg(help="run the cameras with real-time priority, as `worldarm camera --realtime` does")
    ] = False,
    seed: Annotated[int, tyro.conf.arg(help="random seed of the times of the kills")] = 0,
    folder: Annotated[Path | None, tyro.conf.arg(help="folder for the recordings; default: a temporary folder")] = None,
    json: Annotated[Path | None, tyro.conf.arg(help="write every number to this file")] = None,
) -> None:
    """Measure what a recording promises: no picture lost, none late, saved at once, and complete after a kill.

    It starts a simulated driver and cameras that show a film; run no other work on the machine meanwhile.
    """
    if not 1 <= cameras <= 16:
        raise ConfigurationError(f"--cameras must be from 1 to 16, not {cameras}")
    if not 1.0 <= episode_s <= 300.0:
        raise ConfigurationError(f"--episode-s must be from 1 to 300, not {episode_s:g}")
    if not 0 <= seconds < float("inf") or kills < 0 or not images:
        raise ConfigurationError("--seconds and --kills must be 0 or more, and --images must name a kind")
    if json is not None:
        require_writable(json)
    if folder is not None:
        make_folder(folder)
    paces: list[Pace] = []
    killed: list[Kills] = []
    with tempfile.TemporaryDirectory(prefix="worldarm-", dir=folder) as name:
        place = Path(name)
        with running_sources(cameras, place, realtime) as (command, addresses):
            for kind in images if seconds > 0 else ():
                paces.append(measure_pace(command, addresses, kind, seconds, episode_s, place / kind))
            for kind in images if kills > 0 else ():
                killed.append(measure_kills(command, addresses, kind, kills, place / f"killed-{kind}", seed))
    print("\n".join(table(paces, killed)))
    if json is not None:
        write_json(json, {"pace": msgspec.to_builtins(paces), "kills": msgspec.to_builtins(killed)})
        print(f"numbers: {json}")


def table(paces: list[Pace], killed: list[Kills]) -> list[str]:
    """Return the measurements as the lines of Markdown tables."""
    lines: list[str] = []
    if paces:
        lines += [
            "| pictures | cameras | rows | rate | dropped | repeated | worst gap | age p50 / worst | saved p50 / worst "
            "| marked | size |",
            "|---|---|---|---|---|---|---|---|---|---|---|",
        ]
    lines += [
        f"| {one.images} | {one.cameras} | {one.rows} | {one.rate_hz:.3f} Hz | {one.dropped} | {one.repeated} "
        f"| {1e3 * one.worst_gap_s:.1f} ms | {1e3 * one.age_p50_s:.1f} / {1e3 * one.age_worst_s:.1f} ms "
        f"| {1e3 * one.save_p50_s:.0f} / {1e3 * one.save_worst_s:.0f} ms | {one.marked} of {one.episodes} "
        f"| {one.megabytes:.1f} MB |"
        for one in paces
    ]
    lines += [f"{one.problems} problems found in the data set of {one.images}" for one in paces if one.problems]
    if killed:
        lines += ["", "| pictures | kills | all episodes reported as saved are there | no problem found | episodes |"]
        lines.append("|---|---|---|---|---|")
    lines += [
        f"| {one.images} | {one.times} | {one.kept_all} of {one.times} | {one.sound} of {one.times} | {one.episodes}, "
        f"{one.told} reported |"
        for one in killed
    ]
    return lines
