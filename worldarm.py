"""The command line: one line a command, and nothing is imported before it is needed."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

# Each command is a function whose typed arguments and docstring make its own --help.
COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("sim.commands.demo:demo", "watch the arm solve held-out goals in real time, filmed"),
    "benchmark": ("sim.commands.benchmark:benchmark", "measure success on held-out goals, beside baselines"),
    "benchmark compare": (
        "sim.commands.benchmark_compare:compare",
        "compare the ways of deciding on the same goals and data",
    ),
    "benchmark ablate": (
        "sim.commands.benchmark_ablate:ablate",
        "train without one part at a time, and measure what that costs",
    ),
    "benchmark planner": (
        "control.benchmark.planner:benchmark_planner",
        "measure what a decision costs on this machine",
    ),
    "benchmark driver": (
        "robot.benchmark.driver:benchmark_driver",
        "measure what the driver promises: lapses, crashes, nonsense, strangers, lateness",
    ),
    "benchmark record": (
        "perception.benchmark.recording_command:benchmark_record",
        "measure what a recording promises: no picture lost, saved at once, whole after a kill",
    ),
    "benchmark teleop": (
        "tests.benchmarks.teleop:benchmark_teleop",
        "measure how long a drag on the page takes to move the arm",
    ),
    "benchmark demonstrations": (
        "tests.benchmarks.demonstrations:benchmark_demonstrations",
        "measure what a model learns from demonstrations at the page",
    ),
    "benchmark dataset": (
        "tests.benchmarks.dataset:benchmark_dataset",
        "measure how fast frames are read in any order, beside lerobot",
    ),
    "benchmark scaling": (
        "control.benchmark.scaling:benchmark_scaling",
        "measure how much faster several processes train together",
    ),
    "benchmark hand-eye": (
        "perception.benchmark.hand_eye:benchmark_hand_eye",
        "measure how exact calibrations are on drawn pictures",
    ),
    "driver": ("robot.commands.driver:driver", "run an arm, simulated or real, for whoever holds the lease"),
    "status": ("robot.commands.operator:status", "show how a running driver and its arm are doing"),
    "stop": ("robot.commands.operator:stop", "bring the arm to rest at once, until a reset"),
    "reset": ("robot.commands.operator:reset", "let a stopped arm be moved again"),
    "home": ("robot.commands.operator:home", "move the arm slowly to where it starts best"),
    "teleop": ("perception.commands.teleop:teleop", "move the arm by hand: keyboard, gamepad, a leader arm or a page"),
    "view": ("robot.commands.view:view", "watch arm, cameras and agent on a page in a browser"),
    "record": ("perception.commands.record:record", "record episodes of whatever moves the arm into a data set"),
    "replay": ("robot.commands.replay:replay", "have the arm do again what an episode of a data set did"),
    "snap": ("perception.commands.snap:snap", "take one picture from a camera, such as a goal"),
    "latency": ("robot.commands.latency:latency", "show how long a decision takes from light to motion, live"),
    "run": ("control.commands.run:run", "move the arm until the world looks like a picture"),
    "train": ("control.commands.train:train", "learn a world model, critic and actor from a data set"),
    "check": ("control.commands.check:check", "measure a checkpoint against a data set: plannable, or why not"),
    "camera": ("perception.commands.camera:camera", "publish a camera's pictures"),
    "calibrate board": ("perception.commands.calibrate:board", "write a calibration board to print, in true size"),
    "calibrate camera": ("perception.commands.calibrate:camera", "find a camera's lens from pictures of the board"),
    "calibrate hand-eye": (
        "perception.commands.calibrate_hand_eye:hand_eye",
        "find where a camera is, on the arm or beside it",
    ),
    "play": ("sim.commands.play:play", "fill a data set with scripted exploratory play"),
    "emulate so101": ("robot.commands.emulate:so101", "stand for an SO-101's servos, to try the driver without one"),
    "emulate ur": ("robot.commands.emulate:ur", "stand for a UR's controller, to try the driver without one"),
    "keys new": ("robot.commands.keys:new", "make this user's keys, for drivers and cameras on other machines"),
    "keys list": ("robot.commands.keys:list_", "show the public key, and whom this machine lets in"),
    "keys allow": ("robot.commands.keys:allow", "let someone watch, stop or command, or know a machine that serves"),
    "keys revoke": ("robot.commands.keys:revoke", "let someone in no longer"),
    "log show": ("robot.commands.log:show", "show what a driver was asked and did in its last minutes"),
    "log export": ("robot.commands.log:export", "write a driver's last minutes as an MCAP file"),
    "log replay": ("robot.commands.log:replay", "run a driver's last minutes through the governor again"),
    "dataset info": ("robot.commands.dataset:info", "show what a data set holds"),
    "dataset check": ("robot.commands.dataset:check", "tell whether a data set is whole"),
    "dataset repair": ("robot.commands.dataset:repair", "mend a data set that a crash left half-written"),
    "dataset merge": ("robot.commands.dataset_edit:merge", "join data sets into a new one"),
    "dataset split": ("robot.commands.dataset_edit:split", "copy parts of a data set into new ones"),
    "dataset delete": ("robot.commands.dataset_edit:delete", "take episodes out of a data set"),
    "dataset show": ("robot.commands.dataset_show:show", "make a film of an episode, with its state and action"),
    "dataset gallery": ("robot.commands.dataset_show:gallery", "make a page with pictures of every episode"),
    "dataset push": ("robot.commands.dataset_hub:push", "put a data set on the Hugging Face Hub"),
    "dataset pull": ("robot.commands.dataset_hub:pull", "bring a data set from the Hugging Face Hub"),
    "dataset quality": (
        "robot.commands.dataset_quality:quality",
        "measure how good a recording is, episode by episode",
    ),
}

FROM_A_CLONE = "tests.benchmarks."
"""Commands that need a browser or another library to measure are not installed."""
INTERRUPTED = 130
PIPE_CLOSED = 141


def main(arguments: list[str] | None = None) -> int:
    """Run the command that `arguments` (by default the process's own) name, and return its exit status.

    0 when it did what was asked, 1 for an error told in one line, 2 for a command line that makes no sense,
    129 when its terminal was closed, 130 after Ctrl-C, 141 when the reader of its output went away, 143 after SIGTERM.
    """
    words = sys.argv[1:] if arguments is None else arguments
    try:
        status = _dispatch(words)
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        print("worldarm: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        if not _stdout_is_closed():
            raise
        return PIPE_CLOSED


def _dispatch(words: list[str]) -> int:
    """Find the command at the front of `words` and run it with the rest."""
    if not words or words[0] in ("-h", "--help", "help"):
        print(_help())
        return 0
    if words[0] == "--version":
        return _version()
    for count in (2, 1):
        name = " ".join(words[:count])
        if name in COMMANDS:
            return _run(name, words[count:])
    return _unknown(words)


def _run(name: str, rest: list[str]) -> int:
    """Import one command and run it; an error meant for the user becomes one line."""
    from robot.errors import WorldarmError

    # Leaving by an exception lets every `finally` run: sockets close, the arm holds, files are whole.
    signal.signal(signal.SIGTERM, _leave)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup has it
        signal.signal(signal.SIGHUP, _leave)
    destructors_fail, sys.unraisablehook = sys.unraisablehook, _leave_all_the_same
    try:
        from importlib import import_module

        import tyro

        module, _, function = COMMANDS[name][0].partition(":")
        if module.startswith(FROM_A_CLONE):
            _find_clone(name)
        status = tyro.cli(getattr(import_module(module), function), prog=f"worldarm {name}", args=rest)
    except WorldarmError as error:
        print(f"worldarm: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        raise
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"worldarm: {where}{error.strerror or error}", file=sys.stderr)
        return 1
    finally:
        sys.unraisablehook = destructors_fail
    return status if isinstance(status, int) else 0


def _find_clone(name: str) -> None:
    """Let modules be imported that are not installed. Raise `ConfigurationError` where this is no clone."""
    from pathlib import Path

    from robot.errors import ConfigurationError

    root = Path(__file__).resolve().parent
    if not root.joinpath("tests", "benchmarks").is_dir():
        raise ConfigurationError(
            f"`worldarm {name}` is not part of the installed package: clone the repository, run `make setup` there, "
            f"then `.venv/bin/worldarm {name}`"
        )
    if str(root) not in sys.path:
        sys.path.append(str(root))


def _leave(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _leave_all_the_same(lost: sys.UnraisableHookArgs) -> None:
    """Send a signal again that took effect inside a destructor, where Python drops what it raises."""
    if issubclass(lost.exc_type, KeyboardInterrupt):
        number = int(signal.SIGINT)
    elif isinstance(lost.exc_value, SystemExit) and isinstance(lost.exc_value.code, int) and lost.exc_value.code > 128:
        number = lost.exc_value.code - 128
    else:
        sys.__unraisablehook__(lost)
        return
    from threading import Timer

    # A little later, or it would be dropped in here once more.
    Timer(0.01, os.kill, (os.getpid(), number)).start()


def _help(prefix: str = "") -> str:
    """Return the list of commands, those beginning with `prefix` only."""
    names = [name for name in COMMANDS if name.startswith(prefix)]
    width = max(map(len, names))
    lines = [f"  {name:<{width}}  {COMMANDS[name][1]}" for name in names]
    return "\n".join(
        [
            "Show a robot arm a picture of how things should be, and it moves until the world looks like it.",
            "",
            "usage: worldarm COMMAND [OPTIONS]      worldarm COMMAND --help      worldarm --version",
            "",
            *lines,
        ]
    )


def _version() -> int:
    from importlib.metadata import PackageNotFoundError, version

    try:
        print(f"worldarm {version('worldarm')}")
    except PackageNotFoundError:
        print("worldarm: not installed, so it has no version: run pip install -e .", file=sys.stderr)
        return 1
    return 0


def _unknown(words: list[str]) -> int:
    """Say what the user may have meant; status 2."""
    if any(name.startswith(f"{words[0]} ") for name in COMMANDS):
        if len(words) == 1 or words[1] in ("-h", "--help"):
            print(_help(f"{words[0]} "))
            return 0 if len(words) > 1 else 2
        asked = " ".join(words[:2])
    else:
        asked = words[0]
    from difflib import get_close_matches

    close = get_close_matches(asked.lstrip("-"), [*COMMANDS, *(name.split()[0] for name in COMMANDS)], n=1)
    hint = f"did you mean '{close[0]}'?" if close else "worldarm --help lists them"
    print(f"worldarm: there is no command '{asked}': {hint}", file=sys.stderr)
    return 2


def _stdout_is_closed() -> bool:
    """Whether the reader of our output went away; if so, nothing more is written to it, at exit either."""
    from select import POLLERR, poll

    output = poll()
    output.register(sys.stdout.fileno(), 0)
    closed = any(events & POLLERR for _, events in output.poll(0))
    if closed:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return closed


if __name__ == "__main__":
    sys.exit(main())
