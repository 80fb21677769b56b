"""`worldarm benchmark driver`: what the driver promises, measured, as a table."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import msgspec
import tyro

from robot.benchmark.access import measure_access
from robot.benchmark.jitter import measure_jitter
from robot.benchmark.lapses import PROMISED_S, measure_lapses
from robot.benchmark.malformed import measure_malformed
from robot.benchmark.restarts import READABLE_S, measure_restarts
from robot.benchmark.round_trip import measure_round_trip
from robot.errors import ConfigurationError
from robot.system.files import require_writable, write_json

Part = Literal["lapses", "restarts", "malformed", "access", "jitter", "round-trip"]
PARTS: tuple[Part, ...] = get_args(Part)
CAMERA_AND_AGENT = (
    ("camera", "--state-address", "STATE", "--frames-address", "tcp://127.0.0.1:5573"),
    (
        *("run", "--goal", "GOAL", "--blocks", "None", "--command-address", "COMMAND"),
        *("--frames-address", "tcp://127.0.0.1:5573", "--decisions-address", "tcp://127.0.0.1:5574"),
    ),
)


def benchmark_driver(
    parts: Annotated[
        tuple[Part, ...],
        tyro.conf.arg(
            help="lapses: a client is killed or stopped in mid-motion; restarts: the driver is; malformed: nonsense to "
            "decoder and socket; access: strangers; jitter: the loop's lateness; round-trip: from command to "
            "set-point, beside REQ/REP with pickle"
        ),
    ] = PARTS,
    arm: Annotated[str, tyro.conf.arg(help="the arm, as for `worldarm driver`")] = "sim",
    address: Annotated[str | None, tyro.conf.arg(help="where it is, likewise")] = None,
    calibration: Annotated[Path | None, tyro.conf.arg(help="its calibration, likewise")] = None,
    realtime: Annotated[bool, tyro.conf.arg(help="run the driver before every ordinary process, likewise")] = False,
    lapses: Annotated[int, tyro.conf.arg(help="how many clients to interrupt")] = 1000,
    restarts: Annotated[int, tyro.conf.arg(help="how many times to kill the driver")] = 200,
    decoded: Annotated[int, tyro.conf.arg(help="malformed messages for the decoder")] = 1_000_000,
    sent: Annotated[int, tyro.conf.arg(help="malformed messages for the socket")] = 100_000,
    strangers: Annotated[int, tyro.conf.arg(help="tries of each kind of stranger")] = 10,
    seconds: Annotated[float, tyro.conf.arg(help="how long to watch the loop's lateness")] = 60.0,
    goal: Annotated[
        str | None,
        tyro.conf.arg(help="a goal picture for an agent that works beside the loop, with a camera; None for neither"),
    ] = None,
    commands: Annotated[int, tyro.conf.arg(help="round trips")] = 2000,
    seed: Annotated[int, tyro.conf.arg(help="of the nonsense")] = 0,
    json: Annotated[Path | None, tyro.conf.arg(help="write every number to this file")] = None,
) -> None:
    """Measure what a driver promises: that the arm comes to rest when its client is gone, that a crash loses neither
    place nor record, that nonsense and strangers get nowhere, and how late and how quick it is.

    Starts a driver of its own for each part; nothing else may use the arm meanwhile. It moves the arm's last joint.
    """
    counts = {"lapses": lapses, "restarts": restarts, "decoded": decoded, "sent": sent, "strangers": strangers}
    for option, count in {**counts, "commands": commands}.items():
        if count < 1:
            raise ConfigurationError(f"--{option} must be at least 1, not {count}")
    if not 1 <= seconds < float("inf"):
        raise ConfigurationError(f"--seconds must be at least 1, not {seconds:g}")
    if json is not None:
        require_writable(json)
    words = ["--arm", arm]
    words += ["--address", address] if address is not None else []
    words += ["--calibration", str(calibration)] if calibration is not None else []
    words += ["--realtime"] if realtime else []
    beside = [] if goal is None else [[goal if word == "GOAL" else word for word in each] for each in CAMERA_AND_AGENT]
    measures: dict[Part, Callable[[Path], msgspec.Struct]] = {
        "lapses": lambda folder: measure_lapses(words, lapses, folder),
        "restarts": lambda folder: measure_restarts(words, restarts, folder),
        "malformed": lambda folder: measure_malformed(words, decoded, sent, folder, seed),
        "access": lambda folder: measure_access(words, strangers, folder),
        "jitter": lambda folder: measure_jitter(words, seconds, beside, folder),
        "round-trip": lambda folder: measure_round_trip(words, commands, folder),
    }
    results: dict[str, object] = {}
    for part in parts:
        with tempfile.TemporaryDirectory(prefix="worldarm-") as folder:
            result = measures[part](Path(folder))
        results[part] = msgspec.to_builtins(result)
        print(f"\n{part}, arm {arm}\n{table(part, msgspec.to_builtins(result))}", flush=True)
    if json is not None:
        write_json(json, results)
        print(f"numbers: {json}")


def table(part: Part, found: dict[str, Any]) -> str:
    """Return what was `found` of one part, in words, a line a figure."""
    return "\n".join(f"  {line}" for line in _LINES[part](found))


def _lapses(found: dict[str, Any]) -> list[str]:
    times = found["times"]
    return [
        f"ramping within {1e3 * PROMISED_S:.0f} ms of the lapse   {found['in_time']} of {times}, the longest "
        f"{1e3 * found['longest_s']:.1f} ms",
        f"velocity, acceleration and jerk within limits   {found['within_limits']} of {times}",
        f"refused after it was let go on   {found['refused_after']} of {found['stopped']}",
        f"next hand-over without a jump   {found['without_jump']} of {times}",
    ]


def _restarts(found: dict[str, Any]) -> list[str]:
    times = found["times"]
    return [
        f"begins at the measured position   {found['where_measured']} of {times}",
        f"black box readable to within {1e3 * READABLE_S:.0f} ms of the end   {found['readable']} of {times}, the most "
        f"that was missing {1e3 * found['longest_missing_s']:.1f} ms",
    ]


def _malformed(found: dict[str, Any]) -> list[str]:
    return [
        f"through the decoder   {found['decoded']}, {found['refused']} refused, the rest whole by chance; memory "
        f"{found['decoder_growth_bytes'] / 2**20:+.1f} MiB",
        f"through the socket   {found['sent']}, {found['answered']} answered; the driver's memory "
        f"{found['driver_growth_bytes'] / 2**20:+.1f} MiB, {100 * found['on_time']:.3f} % of its deadlines kept",
        f"answers sense afterwards   {'yes' if found['alive'] else 'no'}",
    ]


def _access(found: dict[str, Any]) -> list[str]:
    return [
        f"{name.replace('_', ' ')}   refused {found[name]} of {found['times']}"
        for name in ("unknown_key", "revoked_key", "plain", "second_writer", "replayed")
    ]


def _jitter(found: dict[str, Any]) -> list[str]:
    beside = " and ".join(found["beside"]) or "nothing"
    return [
        f"{found['seconds']:g} s beside {beside}: {found['ticks']} ticks, {100 * found['on_time']:.3f} % on time",
        f"late by   p50 {found['p50_ms']:.3f} ms, p99 {found['p99_ms']:.3f} ms, p99.9 {found['p999_ms']:.3f} ms, worst "
        f"{found['worst_ms']:.1f} ms",
    ]


def _round_trip(found: dict[str, Any]) -> list[str]:
    ratio = found["answer_p50_ms"] / found["pickled_p50_ms"]

    def quantiles(name: str) -> str:
        return f"p50 {found[f'{name}_p50_ms']:.3f} ms, p99 {found[f'{name}_p99_ms']:.3f} ms"

    return [
        f"answer{', CURVE on' if found['curve'] else ''}   {quantiles('answer')}",
        f"set-point out   {quantiles('set_point')}",
        f"published state here   {quantiles('published')}",
        f"REQ/REP and pickle, in the clear   {quantiles('pickled')}; our answer takes {ratio:.1f} times as long",
    ]


_LINES: dict[Part, Callable[[dict[str, Any]], list[str]]] = {
    "lapses": _lapses,
    "restarts": _restarts,
    "malformed": _malformed,
    "access": _access,
    "jitter": _jitter,
    "round-trip": _round_trip,
}
