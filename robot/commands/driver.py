"""The command `worldarm driver`: a process that runs one arm until Ctrl-C, then brings it to rest and parks it."""

from __future__ import annotations

import gc
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from robot import registry
from robot.arm.installation import Corners, placed
from robot.arm.interface import Arm, ArmOptions, Readable
from robot.driver.driver import SHUTDOWN_S, Driver
from robot.driver.read_only import ReadOnlyDriver
from robot.errors import ArmError, ConfigurationError
from robot.system.scheduling import keep_pace
from robot.wire.addresses import COMMAND, STATE


def driver(
    arm: str = "sim",
    address: str | None = None,
    calibration: Path | None = None,
    state_address: str = STATE,
    command_address: str = COMMAND,
    table_height: float | None = None,
    workspace: Corners | None = None,
    keep_out: tuple[Corners, ...] = (),
    duration_s: float | None = None,
    realtime: bool = False,
    black_box: Path | None = None,
    curve: bool = False,
    read_only: bool = False,
) -> None:
    """Run one arm, simulated or real, for whoever has the lease.

    Ctrl-C brings the arm to rest and parks it, and so do SIGTERM and a terminal that is closed (SIGHUP).

    Args:
        arm: name of the arm, as installed packages offer it.
        address: where a real arm is: a host, or a serial port. Simulated arms have none.
        calibration: the file of a real arm's calibration, where it has one.
        state_address: where the arm's state is published; port * has one chosen.
        command_address: where commands are taken; port * has one chosen.
        table_height: how high the table is that the arm must not touch, m above its base.
        workspace: where the tool may be: the lower and the upper corner of a box, x y z x y z, m in the base's frame.
        keep_out: boxes that no part of the arm may enter, each six numbers likewise.
        duration_s: stop by itself after this many seconds; runs until Ctrl-C when not given.
        black_box: folder for the last minutes of all that is asked and done, which survive a crash (`worldarm log`); by
            default one of worldarm's own under ~/.local/state.
        curve: ask for keys on this machine too; whoever comes from another needs one anyway (`worldarm keys`).
        read_only: publish where an arm is that is moved by hand, as a leader, and never move it; for arms that can be
            read without being enabled.
        realtime: run before every ordinary process (SCHED_FIFO), so that a busy machine does not make the loop late.

    Raises:
        ConfigurationError: an unknown arm, an address that others reach while there are no keys, or a wish that the
            system does not grant.
        AddressInUse: another process holds one of the addresses.
        ArmError: the arm cannot start, or ended in a fault.
        KeyboardInterrupt: Ctrl-C came, and the arm is parked.
        SystemExit: another signal came, and the arm is parked; the status is 128 and the signal's number.
    """
    if duration_s is not None and not 0 < duration_s < float("inf"):
        raise ConfigurationError(f"--duration-s must be more than 0, not {duration_s:g}")
    keep_pace(realtime)
    made: Arm = registry.load(registry.ARMS, arm)(ArmOptions(address, calibration))
    made.spec = placed(made.spec, table_height, workspace, keep_out)
    engine: Driver | ReadOnlyDriver
    if read_only:
        engine = _reader(arm, made, state_address, command_address, black_box, curve)
    else:
        engine = Driver(made, state_address, command_address, black_box, curve)

    def ready() -> None:
        _quieten_collector()
        print(
            f"driver: {'read-only ' * read_only}arm {arm}, command {engine.command_endpoint}, "
            f"state {engine.state_endpoint}; reach it with --command-address, stop it with Ctrl-C",
            flush=True,
        )

    with _interruptible(engine.finish) as came:
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


def _reader(
    name: str, made: object, state_address: str, command_address: str, black_box: Path | None, curve: bool
) -> ReadOnlyDriver:
    """Return the driver that reads an arm and no more."""
    if black_box is not None:
        raise ConfigurationError("a driver that only reads keeps no black box: leave --black-box out")
    if not isinstance(made, Readable):
        raise ConfigurationError(
            f"the arm '{name}' cannot be read without being enabled: leave --read-only out, and nobody moves it unless "
            "someone takes the lease"
        )
    return ReadOnlyDriver(made, state_address, command_address, curve)


def _ending(engine: Driver | ReadOnlyDriver) -> str:
    """How the arm was left, in words."""
    if engine.fault:
        return "ended in a fault"
    if isinstance(engine, ReadOnlyDriver):
        return "left as it is"
    if engine.at_rest:
        return "at rest and parked"
    return f"parked, but the arm was still moving {SHUTDOWN_S:g} s after it was told to rest"


@contextmanager
def _interruptible(finish: Callable[[], None]) -> Iterator[Sequence[int]]:
    """Turn SIGINT, SIGTERM and SIGHUP into a call of `finish`, as often as they come, and yield those that came.

    A signal must not raise here: in the middle of a tick it would leave the arm without its ramp to rest.
    """
    came: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        came.append(number)
        finish()

    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # `nohup` asks that a closed terminal be outlived
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, note) for number in numbers}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _quieten_collector() -> None:
    """Keep the cyclic garbage collector from pausing the loop.

    A full collection walks every object of every imported library, which takes tens of milliseconds: many ticks.
    What exists now is frozen out of its sight; what the loop makes is freed by reference counts, and the few
    cycles that an error may leave are then collected from a nearly empty heap, in microseconds.
    """
    gc.collect()
    gc.freeze()
