"""The command `worldarm driver`: a process that runs one arm until Ctrl-C, then brings it to rest and parks it.

`driver` raises `ConfigurationError` for an unknown arm, for an address that other machines reach while there are no
keys, for an arm whose first run failed, and for an option that the system does not grant; `AddressInUse` when another
process holds an address; `ArmError` when the arm cannot start, ended in a fault or did not pass its first run; and,
once the arm is parked, `KeyboardInterrupt` after Ctrl-C and `SystemExit` with status 128 + signal number after another
signal.
"""

from __future__ import annotations

import gc
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, Protocol

import tyro

from robot import registry
from robot.arm.installation import Corners, apply_installation, slowed
from robot.arm.interface import Arm, ArmOptions, HasScene, Readable
from robot.client.recovery import Recovery, RecoveryThread
from robot.driver.driver import SHUTDOWN_S, Driver
from robot.driver.read_only import ReadOnlyDriver
from robot.errors import ArmError, ConfigurationError
from robot.first_run.beside import FirstRunProcess
from robot.first_run.report import Identity, ask_for_report, identity_of
from robot.system.scheduling import keep_pace
from robot.wire.addresses import COMMAND, STATE

FIRST_RUN_SHARE = 0.2
"""The share of its limits of velocity, acceleration and jerk, and of its gripper's speed, that an arm has in its first
run."""


@dataclass(frozen=True)
class DriverOptions:
    """The options of `worldarm driver`; the help of each says what it is."""

    arm: Annotated[str, tyro.conf.arg(help="name of the arm, as installed packages offer it")] = "sim"
    address: Annotated[
        str | None, tyro.conf.arg(help="where a real arm is: a host or a serial port; simulated arms have none")
    ] = None
    calibration: Annotated[Path | None, tyro.conf.arg(help="calibration file of a real arm, where it has one")] = None
    state_address: Annotated[
        str, tyro.conf.arg(help="where the arm's state is published; with port * the system chooses one")
    ] = STATE
    command_address: Annotated[
        str, tyro.conf.arg(help="where commands are accepted; with port * the system chooses one")
    ] = COMMAND
    table_height: Annotated[
        float | None, tyro.conf.arg(help="height of the table that the arm must not touch, m above the arm's base")
    ] = None
    workspace: Annotated[
        Corners | None,
        tyro.conf.arg(
            help="where the tool may be: lower and upper corner of a box, x y z x y z, m in the base's frame"
        ),
    ] = None
    keep_out: Annotated[
        tuple[Corners, ...], tyro.conf.arg(help="boxes that no part of the arm may enter, six numbers each likewise")
    ] = ()
    duration_s: Annotated[float | None, tyro.conf.arg(help="end after this many seconds; None: run until Ctrl-C")] = (
        None
    )
    realtime: Annotated[
        bool,
        tyro.conf.arg(help="run before every ordinary process (SCHED_FIFO), so that a busy machine delays no tick"),
    ] = False
    flight_log: Annotated[
        Path | None,
        tyro.conf.arg(
            aliases=("--black-box",),
            help="folder that keeps the last minutes of all requests and motions, also through a crash (`worldarm "
            "log`); None: a folder under ~/.local/state",
        ),
    ] = None
    curve: Annotated[
        bool, tyro.conf.arg(help="require keys on this machine too; other machines always need one (`worldarm keys`)")
    ] = False
    first_run: Annotated[
        bool,
        tyro.conf.arg(
            help="check a real arm with a fifth of its speed, one joint at a time, each motion on a key; its report is "
            "what the driver asks for until it has one"
        ),
    ] = False
    camera: Annotated[
        tuple[str, ...], tyro.conf.arg(help="with --first-run: addresses of cameras whose pictures are checked too")
    ] = ()
    skip_first_run: Annotated[
        bool, tyro.conf.arg(help="do not ask for a first run, also after one that failed; the flight log notes it")
    ] = False
    read_only: Annotated[
        bool,
        tyro.conf.arg(
            help="publish where an arm is that a person moves by hand, as a leader, and never move it; for arms that "
            "can be read without being enabled"
        ),
    ] = False
    recover: Annotated[
        bool,
        tyro.conf.arg(
            help="move joints that stand outside their limits back inside, slowly, and end; keep clear of the arm"
        ),
    ] = False


def driver(options: Annotated[DriverOptions, tyro.conf.arg(name="")] = DriverOptions()) -> None:
    """Run one arm, simulated or real, for the client that holds the lease.

    Ctrl-C brings the arm to rest and parks it; so do SIGTERM and a closed terminal (SIGHUP). SIGUSR1 stops the arm as
    `worldarm stop` does.
    """
    duration_s = options.duration_s
    if duration_s is not None and not 0 < duration_s < float("inf"):
        raise ConfigurationError(f"--duration-s must be more than 0, not {duration_s:g}")
    keep_pace(options.realtime)
    made = _arm(options)
    beside = _beside(options, made)
    remark = "" if beside is not None else _first_run_remark(options, made)
    engine = _engine(options, made, remark)

    def ready() -> None:
        _quieten_collector()
        print(
            f"driver: {'read-only ' * options.read_only}arm {options.arm}, command {engine.command_endpoint}, "
            f"state {engine.state_endpoint}; reach it with --command-address, stop it with Ctrl-C",
            flush=True,
        )
        if remark:
            print(f"driver: {remark}", flush=True)
        if beside is not None:
            beside.begin(engine.command_endpoint, engine.finish)

    with _interruptible(engine.finish, engine.stop) as came:
        try:
            report = engine.run(duration_s, ready)
        finally:
            gc.unfreeze()
            if beside is not None:
                beside.end()
    if signal.SIGHUP not in came:  # else no one is left to read it, and writing to a closed terminal fails
        print(f"driver: {_ending(engine)}; loop: {report}", flush=True)
    if came:
        raise KeyboardInterrupt if came[0] == signal.SIGINT else SystemExit(128 + came[0])
    if engine.fault:
        raise ArmError(f"the arm ended in a fault: {engine.fault}")
    if beside is not None:
        beside.require_done()


class Beside(Protocol):
    """What a driver was started for: it moves the arm as any client does, and the driver ends with it."""

    def begin(self, command_address: str, ended: Callable[[], None]) -> None:
        """Begin, with the driver at `command_address`; call `ended` at the end, from any thread."""

    def end(self) -> None:
        """End it, if it has not ended: the driver has."""

    def require_done(self) -> None:
        """Raise the error that it ended with, if any."""


def _beside(options: DriverOptions, made: Arm) -> Beside | None:
    """Return what the driver of the arm `made` is started for with --first-run or --recover, None without them. Raises
    `ConfigurationError` for options that do not fit together."""
    if options.camera and not options.first_run:
        raise ConfigurationError("--camera is for --first-run, which checks the age of its pictures")
    if options.recover:
        if options.read_only or options.first_run:
            raise ConfigurationError("--recover moves the arm: leave --read-only out, and do the first run afterwards")
        return RecoveryThread(Recovery(made))
    if not options.first_run:
        return None
    if options.read_only or options.skip_first_run or options.duration_s is not None:
        raise ConfigurationError("--first-run goes with neither --read-only, --skip-first-run nor --duration-s")
    return FirstRunProcess(_identity(options), options.camera)


def _first_run_remark(options: DriverOptions, made: Arm) -> str:
    """Return what is to be said about the first run of the arm `made`, empty when it has passed or none is needed: a
    simulated arm and one that is only read need none. Raises `ConfigurationError` as `ask_for_report`."""
    if options.read_only or isinstance(made, HasScene):
        return ""
    if options.skip_first_run:
        return "started without asking for a first run (--skip-first-run)"
    return ask_for_report(_identity(options))


def _identity(options: DriverOptions) -> Identity:
    return identity_of(options.arm, ArmOptions(options.address, options.calibration))


def _arm(options: DriverOptions) -> Arm:
    """Return the arm in `options`, as it is installed; in its first run it has less than its full speed."""
    made: Arm = registry.load(registry.ARMS, options.arm)(ArmOptions(options.address, options.calibration))
    made.spec = apply_installation(made.spec, options.table_height, options.workspace, options.keep_out)
    if options.first_run:
        made.spec = slowed(made.spec, FIRST_RUN_SHARE)
    return made


def _engine(options: DriverOptions, made: Arm, remark: str) -> Driver | ReadOnlyDriver:
    """Return the driver of the arm `made`, or with --read-only the one that only reads it. The driver's flight log
    notes `remark`."""
    addresses = options.state_address, options.command_address
    if not options.read_only:
        return Driver(made, *addresses, options.flight_log, options.curve, remark)
    if options.flight_log is not None:
        raise ConfigurationError("a driver that only reads keeps no flight log: leave --flight-log out")
    if not isinstance(made, Readable):
        raise ConfigurationError(
            f"the arm '{options.arm}' cannot be read without being enabled: leave --read-only out; the driver then "
            "moves it only for a client that takes the lease"
        )
    return ReadOnlyDriver(made, *addresses, options.curve)


def _ending(engine: Driver | ReadOnlyDriver) -> str:
    """Return how the arm was left, in words."""
    if engine.fault:
        return "ended in a fault"
    if isinstance(engine, ReadOnlyDriver):
        return "left as it is"
    if engine.at_rest:
        return "at rest and parked"
    return f"parked, but the arm was still moving {SHUTDOWN_S:g} s after the command to rest"


@contextmanager
def _interruptible(finish: Callable[[], None], stop: Callable[[], None]) -> Iterator[Sequence[int]]:
    """Turn SIGINT, SIGTERM and SIGHUP into a call of `finish`, as often as they come, and yield those that came. Turn
    SIGUSR1 into a call of `stop`.

    A signal must not raise here: in the middle of a tick it would leave the arm without its ramp to rest.
    """
    came: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        came.append(number)
        finish()

    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # under `nohup` the process outlives a closed terminal
        numbers.append(signal.SIGHUP)
    before: dict[int, Any] = {number: signal.signal(number, note) for number in numbers}
    before[signal.SIGUSR1] = signal.signal(signal.SIGUSR1, lambda *_: stop())
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _quieten_collector() -> None:
    """Keep the cyclic garbage collector from pausing the loop.

    A full collection walks every object of every imported library, which takes tens of milliseconds: many ticks.
    All present objects are excluded from collection. Objects that the loop makes are freed by reference counts, and the
    few cycles that an error may leave are then collected from a nearly empty heap, in microseconds.
    """
    gc.collect()
    gc.freeze()
