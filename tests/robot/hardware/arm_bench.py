"""Arms to put the driver through: each with the process that stands for it, as the command line would start both."""

from __future__ import annotations

import itertools
import os
import re
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from robot.client.client import Client
from robot.errors import Refused
from robot.hardware.franka.arm import CONNECT_S
from robot.hardware.timeouts import within
from robot.wire.messages import Waypoint
from tests.commands import environment
from tests.preloaded import Preloaded
from tests.robot.driver.command import until

ANY = "tcp://127.0.0.1:*"
PATIENCE_S = 300.0


@dataclass
class Stand:
    """What stands for an arm: the words by which `worldarm driver` reaches it, and how its link is cut and mended.

    `process` is the emulator, None for the simulated arm.
    """

    words: Sequence[str]
    process: Preloaded | None

    def cut(self) -> None:
        """Let nothing come from the arm any more."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def mend(self) -> None:
        """Let it go on."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def end(self) -> str:
        """End it, and return the rest of what it said."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        return self.process.communicate(timeout=PATIENCE_S)[0]


@dataclass(frozen=True)
class Bench:
    """One kind of arm: how to set it up, with the joints elsewhere where wanted; how far from its set-point it may lag
    behind, in rad, moving at a quarter of its speed; a posture outside its limits; and what to assert of one that was
    parked, with its driver gone. `walled` sets it up so that its last joint runs into something 0.3 rad above home, and
    `stopped_by` is what is then said."""

    name: str
    set_up: Callable[[Path, Sequence[float] | None], Stand]
    lag: float
    outside: tuple[float, ...]
    assert_holding: Callable[[Stand], None] | None = None
    walled: Callable[[Path], Stand] | None = None
    stopped_by: str = ""

    @property
    def has_link(self) -> bool:
        """Whether there is a process to part it from."""
        return self.assert_holding is not None


class Driving:
    """A driver of that arm, as the command line starts it."""

    def __init__(self, process: Preloaded) -> None:
        self.process = process
        assert process.stdout is not None
        self.first_line = process.stdout.readline()
        found = re.search(r"command (tcp://\S+), state (tcp://[^\s;]+)", self.first_line)
        self.command, self.state = found.groups() if found else ("", "")

    def client(self) -> Client:
        return Client(self.command, 3.0)

    def end(self, number: signal.Signals = signal.SIGINT) -> tuple[int, str, str]:
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, out, err


@contextmanager
def driving(stand: Stand, folder: Path, *options: str) -> Iterator[Driving]:
    """Start the driver, its flight log in `folder`/black-box; it is gone in the end."""
    with driver_process("--black-box", str(folder / "black-box"), *stand.words, *options) as process:
        yield Driving(process)


@contextmanager
def driver_process(*words: str, paths: tuple[Path, ...] = ()) -> Iterator[Preloaded]:
    """A process that `worldarm driver WORDS` starts, with the packages installed in `paths`; it is gone in the end."""
    addresses = ("--state-address", ANY, "--command-address", ANY)
    process = Preloaded(["-m", "worldarm", "driver", *addresses, *words], environment(*paths))
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@contextmanager
def standing(bench: Bench, folder: Path, start: Sequence[float] | None = None) -> Iterator[Stand]:
    """Set the arm up; what stands for it is gone in the end."""
    stand = bench.set_up(folder, start)
    with ended(stand):
        yield stand


@contextmanager
def ended(stand: Stand) -> Iterator[None]:
    """What stands for the arm is gone in the end."""
    try:
        yield
    finally:
        if stand.process is not None:
            stand.process.send_signal(signal.SIGCONT)
            stand.process.kill()
            stand.process.communicate()


def start_emulator(*words: str) -> tuple[Preloaded, str]:
    """Start `worldarm emulate WORDS`, and return its process and the first line that it says."""
    process = Preloaded(["-m", "worldarm", "emulate", *words], environment())
    return process, process.stdout.readline()


def _simulated(folder: Path, start: Sequence[float] | None) -> Stand:
    assert start is None
    return Stand(("--arm", "sim"), None)


def _so101(folder: Path, start: Sequence[float] | None, *options: str) -> Stand:
    calibration = folder / "calibration.json"
    joints = () if start is None else ("--start", *map(str, (*start, 0.0)))
    process, line = start_emulator("so101", "--calibration", str(calibration), *joints, *options)
    path = re.search(r"on (/dev/\S+),", line)
    assert path, line
    return Stand(("--arm", "so101", "--address", path.group(1), "--calibration", str(calibration)), process)


def _assert_torque_was_kept(stand: Stand) -> None:
    assert "torque was dropped 0 times" in stand.end()


def so101_with(*options: str) -> Bench:
    """An SO-101 whose emulator is given `options`."""
    return Bench(
        "so101",
        lambda folder, start: _so101(folder, start, *options),
        0.08,
        (1.80, -0.6, 0.6, 1.0, 2.9),
        _assert_torque_was_kept,
        lambda folder: _so101(folder, None, "--wall", "0.3", *options),
        r"wrist_roll \(servo 5\) was overloaded and has switched its torque off: hold the arm, free the joint",
    )


def _ur(folder: Path, start: Sequence[float] | None, *options: str) -> Stand:
    joints = () if start is None else ("--start", *map(str, start))
    process, line = start_emulator("ur", "--host", free_host(), *joints, *options)
    address = re.search(r"--address (\S+)`", line)
    assert address, line
    return Stand(("--arm", "ur", "--address", address.group(1)), process)


def free_host() -> str:
    """An address of this machine at which nobody serves: a UR's ports are fixed, so each of several has its own."""
    return f"127.0.{1 + os.getpid() % 254}.{next(_HOSTS)}"


_HOSTS = itertools.count(2)


def ur_with(*options: str) -> Bench:
    """A UR5e whose emulator is given `options`."""
    outside = (0.0, -1.57, 3.3, -1.57, -1.57, 0.0)
    return Bench(
        "ur",
        lambda folder, start: _ur(folder, start, *options),
        0.08,
        outside,
        _assert_torque_was_kept,
        lambda folder: _ur(folder, None, "--wall", "0.3", *options),
        "the arm is in a protective stop: see what it ran into, then unlock it on the pendant",
    )


def start_franka(*options: str) -> tuple[Preloaded, str]:
    """Start a peer for the arm `franka` at a loopback address of its own; return its process and the address."""
    # Its ports are fixed, so the address tells one from another: of every process and of every arm within it.
    host = f"127.{64 + next(_FRANKAS) % 128}.{os.getpid() // 254 % 256}.{os.getpid() % 254 + 1}"
    process = Preloaded(["-m", "tests.robot.hardware.franka.peer", host, *options], environment())
    assert process.stdout.readline() == f"arm at {host}\n"
    return process, host


_FRANKAS = itertools.count()


def _franka(_: Path, start: Sequence[float] | None, *options: str) -> Stand:
    process, host = start_franka(*options, *(() if start is None else ("--start", *map(str, start))))
    return Stand(("--arm", "franka", "--address", host), process)


def _assert_it_stands_still(stand: Stand) -> None:
    """Look at a Franka arm twice, as another program would that connects to it."""
    import franky

    # Connecting gives the calling thread real-time priority, and all that the thread starts afterwards inherits it.
    robot = within(CONNECT_S, lambda: franky.Robot(stand.words[-1], realtime_config=franky.RealtimeConfig.Ignore))
    parked = robot.state
    time.sleep(3.0)
    later = robot.state
    assert later.robot_mode == franky.RobotMode.Idle
    assert later.time.to_msec() - parked.time.to_msec() > 1000
    assert np.abs(later.q - parked.q).max() < 1e-3
    assert np.abs(later.dq).max() < 1e-3


SIMULATED = Bench("sim", _simulated, 0.05, ())
SO101 = so101_with()
# Of each servo's answers; a measurement takes six of them, so that one in five is lost.
LOSSY_SO101 = so101_with("--lost", "0.02", "--torn", "0.02")
FRANKA = Bench(
    "franka",
    _franka,
    0.08,
    (0.0, -0.1, 0.0, -3.0, 0.0, 2.4, 0.785),
    _assert_it_stands_still,
    lambda folder: _franka(folder, None, "--wall", "1.085"),
    "has stopped: .*reflex.* at franka_joint7: free the arm of what it ran into",
)
UR = ur_with()
BENCHES = (SIMULATED, SO101, LOSSY_SO101, UR, FRANKA)


def reset_until_mended(client: Client) -> None:
    """Send resets until one starts the arm anew."""

    def anew() -> bool:
        try:
            client.reset()
        except Refused:
            return False
        return client.state(10.0).mode == "idle"

    until(anew)


def sine(client: Client, amplitudes: Mapping[int, float], period_s: float, seconds: float) -> NDArray[np.float64]:
    """Move joints, by number, to and fro about where they are, for so long; return their measured and governed
    positions on the way (N, 2, J)."""
    joints = list(amplitudes)
    centre = np.array(client.state(10.0).governed)
    width = client.state(10.0).gripper_command
    begin_ns = time.monotonic_ns() + 200_000_000
    step_ns = 50_000_000
    seen, sent = [], 0
    while True:
        elapsed_ns = time.monotonic_ns() - begin_ns
        if elapsed_ns > seconds * 1e9:
            return np.array(seen)
        while sent * step_ns < elapsed_ns + 400_000_000 and sent * step_ns < seconds * 1e9:
            waypoints = []
            for number in range(sent, sent + 4):
                place = centre.copy()
                place[joints] += np.array(list(amplitudes.values())) * np.sin(
                    2 * np.pi * number * step_ns * 1e-9 / period_s
                )
                waypoints.append(Waypoint(begin_ns + number * step_ns, tuple(place.tolist()), width))
            client.send_waypoints(waypoints, time.monotonic_ns() + 5_000_000_000)
            sent += 4
        state = client.state(10.0)
        seen.append((np.array(state.measured)[joints], np.array(state.governed)[joints]))
        time.sleep(0.01)
