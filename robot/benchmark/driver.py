"""`worldarm benchmark driver`: measures what the driver promises and prints a table."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import msgspec
import tyro

from robot.benchmark.access import measure_access
from robot.benchmark.attacks import ATTACK_NAMES, AttackName, measure_attacks
from robot.benchmark.jitter import measure_jitter
from robot.benchmark.lapses import PROMISED_S, measure_lapses
from robot.benchmark.malformed import measure_malformed
from robot.benchmark.restarts import READABLE_S, measure_restarts
from robot.benchmark.round_trip import measure_round_trip
from robot.errors import ConfigurationError
from robot.system.files import require_writable, write_json

Part = Literal["lapses", "restarts", "malformed", "access", "attacks", "jitter", "round-trip"]
PARTS: tuple[Part, ...] = get_args(Part)
CAMERA_AND_AGENT = (
    ("camera", "--state-address", "STATE", "--frames-address", "tcp://127.0.0.1:5573"),
    (
        *("run", "--goal", "GOAL", "--blocks", "None", "--command-address", "COMMAND"),
        *("--frames-address", "tcp://127.0.0.1:5573", "--decisions-address", "tcp://127.0.0.1:5574"),
    ),
)


@dataclass(frozen=True)
class DriverBenchmarkOptions:
    """The options of `worldarm benchmark driver`; the help of each says what it is."""

    parts: Annotated[
        tuple[Part, ...],
        tyro.conf.arg(
            help="lapses: a client is killed or stopped in mid-motion; restarts: the driver is killed; malformed: "
            "malformed messages to decoder and socket; access: clients without a valid key; attacks: what the arm does "
            "while the driver's sockets are attacked; jitter: the loop's lateness; round-trip: time from command to "
            "set-point, compared with REQ/REP with pickle"
        ),
    ] = PARTS
    arm: Annotated[str, tyro.conf.arg(help="the arm, as for `worldarm driver`")] = "sim"
    address: Annotated[str | None, tyro.conf.arg(help="the arm's address, as for `worldarm driver`")] = None
    calibration: Annotated[Path | None, tyro.conf.arg(help="the arm's calibration, as for `worldarm driver`")] = None
    realtime: Annotated[bool, tyro.conf.arg(help="run the driver before every ordinary process")] = False
    lapses: Annotated[int, tyro.conf.arg(help="number of clients to interrupt")] = 1000
    restarts: Annotated[int, tyro.conf.arg(help="number of times to kill the driver")] = 200
    decoded: Annotated[int, tyro.conf.arg(help="number of malformed messages for the decoder")] = 1_000_000
    sent: Annotated[int, tyro.conf.arg(help="number of malformed messages for the socket")] = 100_000
    strangers: Annotated[int, tyro.conf.arg(help="number of tries of each kind of client without a valid key")] = 10
    attacks: Annotated[
        tuple[AttackName, ...], tyro.conf.arg(help="which attacks; none: the same motion without one")
    ] = ATTACK_NAMES
    seconds: Annotated[float, tyro.conf.arg(help="how long to watch the loop's lateness, s")] = 60.0
    goal: Annotated[
        str | None,
        tyro.conf.arg(help="goal picture of an agent that runs at the same time, with a camera; None: neither runs"),
    ] = None
    commands: Annotated[int, tyro.conf.arg(help="number of round trips")] = 2000
    seed: Annotated[int, tyro.conf.arg(help="seed of the malformed messages and of the attacks")] = 0
    json: Annotated[Path | None, tyro.conf.arg(help="write every number to this file")] = None


def benchmark_driver(
    options: Annotated[DriverBenchmarkOptions, tyro.conf.arg(name="")] = DriverBenchmarkOptions(),
) -> None:
    """Measure what a driver promises: that the arm comes to rest when its client is gone, that a crash loses neither
    position nor flight log, that malformed messages and unknown clients are refused, that attacks on its sockets do not
    reach the arm, and how late and how quick it is.

    Starts a driver of its own for each part; nothing else may use the arm meanwhile. It moves the arm's last joint.
    """
    _require_valid(options)
    measures = _measures(options)
    results: dict[str, object] = {}
    for part in options.parts:
        with tempfile.TemporaryDirectory(prefix="worldarm-") as folder:
            result = measures[part](Path(folder))
        results[part] = msgspec.to_builtins(result)
        print(f"\n{part}, arm {options.arm}\n{table(part, msgspec.to_builtins(result))}", flush=True)
    if options.json is not None:
        write_json(options.json, results)
        print(f"numbers: {options.json}")


def _require_valid(options: DriverBenchmarkOptions) -> None:
    """Raise `ConfigurationError` for a count or a duration below 1, or a file that cannot be written."""
    for option in ("lapses", "restarts", "decoded", "sent", "strangers", "commands"):
        if (count := getattr(options, option)) < 1:
            raise ConfigurationError(f"--{option} must be at least 1, not {count}")
    if not 1 <= options.seconds < float("inf"):
        raise ConfigurationError(f"--seconds must be at least 1, not {options.seconds:g}")
    if options.json is not None:
        require_writable(options.json)


def _measures(options: DriverBenchmarkOptions) -> dict[Part, Callable[[Path], msgspec.Struct]]:
    """Return how each part is measured, in a folder of its own."""
    words = ["--arm", options.arm]
    words += ["--address", options.address] if options.address is not None else []
    words += ["--calibration", str(options.calibration)] if options.calibration is not None else []
    words += ["--realtime"] if options.realtime else []
    goal = options.goal
    beside = [] if goal is None else [[goal if word == "GOAL" else word for word in each] for each in CAMERA_AND_AGENT]
    return {
        "lapses": lambda folder: measure_lapses(words, options.lapses, folder),
        "restarts": lambda folder: measure_restarts(words, options.restarts, folder),
        "malformed": lambda folder: measure_malformed(words, options.decoded, options.sent, folder, options.seed),
        "access": lambda folder: measure_access(words, options.strangers, folder),
        "attacks": lambda folder: measure_attacks(words, options.attacks, folder, options.seed),
        "jitter": lambda folder: measure_jitter(words, options.seconds, beside, folder),
        "round-trip": lambda folder: measure_round_trip(words, options.commands, folder),
    }


def table(part: Part, found: dict[str, Any]) -> str:
    """Return the results `found` of one part, in words, one line for each figure."""
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
        f"flight log readable to within {1e3 * READABLE_S:.0f} ms of the end   {found['readable']} of {times}, the "
        f"most that was missing {1e3 * found['longest_missing_s']:.1f} ms",
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


def _attacks(found: dict[str, Any]) -> list[str]:
    lines = [
        "| attack | alive | worst gap, ms | speed / plan | stopped, ms | at rest, ms | driver, MiB | sockets, MiB |"
    ]
    lines.append("|---|---|---|---|---|---|---|---|")
    for row in found["rows"]:
        lines.append(
            f"| {row['name']} | {'yes' if row['alive'] else 'NO'} | {row['gap_ms']:.1f} | {row['speed']:.3f} "
            f"| {row['stop_ms']:.1f} | {row['rest_ms']:.1f} | {row['driver_mib']:.0f} | {row['socket_mib']:.0f} |"
        )
    return lines


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
    "attacks": _attacks,
    "jitter": _jitter,
    "round-trip": _round_trip,
}
