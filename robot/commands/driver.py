"""The command `worldarm driver`: a process that runs one arm until Ctrl-C, then brings it to rest and parks it.

`driver` raises `ConfigurationError` for an unknown arm, for an address that other machines reach while there are no
keys, and for an option that the system does not grant; `AddressInUse` when another process holds an address; `ArmError`
when the arm cannot start or ended in a fault; and, once the arm is parked, `KeyboardInterrupt` after Ctrl-C and
`SystemExit` with status 128 + signal number after another signal.
"""

from __future__ import annotations

import gc
import math
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import tyro

from robot import registry
from robot.arm.installation import Corners, apply_installation
from robot.arm.interface import Arm, ArmOptions, Readable
from robot.client.recovery import SPEED, Recovery
from robot.driver.driver import SHUTDOWN_S, Driver
from robot.driver.read_only import ReadOnlyDriver
from robot.errors import ArmError, ConfigurationError
from robot.system.scheduling import keep_pace
from robot.wire.addresses import COMMAND, STATE


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
    recovery = _recovery(made, options)
    engine = _engine(made, options)
    back = _Back(recovery, engine) if recovery is not None and isinstance(engine, Driver) else None

    def ready() -> None:
        _quieten_collector()
        print(
            f"driver: {'read-only ' * options.read_only}arm {options.arm}, command {engine.command_endpoint}, "
            f"state {engine.state_endpoint}; reach it with --command-address, stop it with Ctrl-C",
            flush=True,
        )
        if back is not None:
            back.start()

    with _interruptible(engine.finish, engine.stop) as came:
        try:
            report = engine.run(duration_s, ready)
        finally:
            gc.unfreeze()
    if signal.SIGHUP not in came:  # else no one is left to read it, and writing to a closed terminal fails
        print(f"driver: {_ending(engine)}; loop: {report}", flush=True)
    if came:
        raise KeyboardInterrupt if came[0] == signal.SIGINT else SystemExit(128 + came[0])
    if engine.fault:
        raise ArmError(f"the arm ended in a fault: {engine.fault}")
    if back is not None:
        back.require_done()


class _Back(threading.Thread):
    """Brings the arm of `engine` back inside its limits, and ends the driver."""

    def __init__(self, recovery: Recovery, engine: Driver) -> None:
        super().__init__(name="recover", daemon=True)
        self._recovery, self._engine = recovery, engine
        self._error: Exception | None = None

    def run(self) -> None:
        """Say what moves, and move it."""
        print(
            f"recover: moving {self._recovery.words}, with up to {math.degrees(SPEED):.0f} °/s; Ctrl-C stops it",
            flush=True,
        )
        try:
            self._recovery.move(self._engine.command_endpoint)
            print("recover: every joint is within its limits; start the driver again without --recover", flush=True)
        except Exception as error:  # noqa: BLE001 - raised again in the main thread
            self._error = error
        self._engine.finish()

    def require_done(self) -> None:
        """Raise the error that kept the arm from coming back, if there was one."""
        self.join()
        if self._error is not None:
            raise self._error


def _arm(options: DriverOptions) -> Arm:
    made: Arm = registry.load(registry.ARMS, options.arm)(ArmOptions(options.address, options.calibration))
    made.spec = apply_installation(made.spec, options.table_height, options.workspace, options.keep_out)
    return made


def _recovery(made: Arm, options: DriverOptions) -> Recovery | None:
    """With --recover, make the arm ready to be brought back."""
    if not options.recover:
        return None
    if options.read_only:
        raise ConfigurationError("--recover moves the arm: leave --read-only out")
    return Recovery(made)


def _engine(made: Arm, options: DriverOptions) -> Driver | ReadOnlyDriver:
    """Return the driver of the arm `made`, or with --read-only the one that only reads it."""
    addresses = options.state_address, options.command_address
    if not options.read_only:
        return Driver(made, *addresses, options.flight_log, options.curve)
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
