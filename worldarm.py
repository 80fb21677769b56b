"""The command line: a table of commands. The module of a command is imported only when that command runs."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

Command = tuple[str, str]
"""Where a command's function is, MODULE:FUNCTION, and what it does in one line."""

# A function's typed arguments and docstring make the --help of its command.
GROUPS: dict[str, dict[str, Command]] = {
    "Try it": {
        "demo": ("sim.commands.demo:demo", "watch the simulated arm solve held-out goals in real time, and film it"),
        "emulate so101": (
            "robot.commands.emulate:so101",
            "emulate an SO-101's servos, to try the driver without the arm",
        ),
        "emulate ur": ("robot.commands.emulate:ur", "emulate a UR controller, to try the driver without the arm"),
    },
    "Run an arm": {
        "driver": (
            "robot.commands.driver:driver",
            "run one arm, simulated or real, for the client that holds the lease",
        ),
        "camera": ("perception.commands.camera:camera", "publish the pictures of one camera, simulated or real"),
        "run": ("control.commands.run:run", "let the agent move the arm until the world looks like a goal picture"),
        "snap": ("perception.commands.snap:snap", "take one picture from a camera, for example as a goal"),
        "teleop": (
            "perception.commands.teleop:teleop",
            "move the arm by keyboard, gamepad, leader arm or browser page",
        ),
        "view": ("robot.commands.view:view", "watch arm, cameras and agent on a browser page"),
        "status": ("robot.commands.operator:status", "show mode, lease, rates and clamps of a running driver"),
        "stop": ("robot.commands.operator:stop", "bring the arm to rest at once and keep it stopped until a reset"),
        "reset": ("robot.commands.operator:reset", "allow motion again after a stop or a fault"),
        "home": ("robot.commands.operator:home", "move the arm slowly to its home position"),
        "log show": ("robot.commands.log:show", "show what a driver was asked and what it did in its last minutes"),
        "log export": ("robot.commands.log:export", "write a driver's last minutes to an MCAP file"),
        "log replay": ("robot.commands.log:replay", "pass a driver's last minutes through the governor again"),
        "calibrate board": ("perception.commands.calibrate:board", "write a calibration board to print, in true size"),
        "calibrate camera": (
            "perception.commands.calibrate:camera",
            "find a camera's lens parameters from pictures of the board",
        ),
        "calibrate hand-eye": (
            "perception.commands.calibrate_hand_eye:hand_eye",
            "find the pose of a camera on the arm or beside it",
        ),
        "keys new": ("robot.commands.keys:new", "make this user's keys, for access from other machines"),
        "keys list": ("robot.commands.keys:list_", "show this user's public key and the keys that have access"),
        "keys allow": ("robot.commands.keys:allow", "give a key access: to watch, to stop, to command or to serve"),
        "keys revoke": ("robot.commands.keys:revoke", "take a key's access away"),
    },
    "Collect data": {
        "record": ("perception.commands.record:record", "record episodes into a data set while anything moves the arm"),
        "replay": ("robot.commands.replay:replay", "repeat the motion of a recorded episode on the arm"),
        "play": ("sim.commands.play:play", "fill a data set with scripted exploratory play in simulation"),
        "dataset info": ("robot.commands.dataset:info", "show what a data set contains"),
        "dataset show": ("robot.commands.dataset_show:show", "make a film of one episode, with its states and actions"),
        "dataset gallery": ("robot.commands.dataset_show:gallery", "make a page with pictures of every episode"),
        "dataset quality": (
            "robot.commands.dataset_quality:quality",
            "report rates, gaps, ages and clamps of a recording",
        ),
        "dataset check": ("robot.commands.dataset:check", "check whether a data set is whole"),
        "dataset repair": ("robot.commands.dataset:repair", "repair a data set after a crash"),
        "dataset merge": ("robot.commands.dataset_edit:merge", "join data sets into a new one"),
        "dataset split": ("robot.commands.dataset_edit:split", "copy parts of a data set into new ones"),
        "dataset delete": ("robot.commands.dataset_edit:delete", "delete episodes from a data set"),
        "dataset adopt": (
            "perception.commands.dataset_adopt:adopt",
            "prepare another program's data set to learn from",
        ),
        "dataset push": ("robot.commands.dataset_hub:push", "upload a data set to the Hugging Face Hub"),
        "dataset pull": ("robot.commands.dataset_hub:pull", "download a data set from the Hugging Face Hub"),
    },
    "Learn": {
        "train": ("control.commands.train:train", "train world model, critic and actor on a data set"),
        "check": ("control.commands.check:check", "check whether a checkpoint can be planned with, and why not"),
    },
    "Measure": {
        "latency": ("robot.commands.latency:latency", "show the time from a picture to the arm's motion, live"),
        "benchmark": ("sim.commands.benchmark:benchmark", "measure success on held-out goals, beside baselines"),
        "benchmark compare": (
            "sim.commands.benchmark_compare:compare",
            "compare methods of deciding on the same goals and data",
        ),
        "benchmark ablate": (
            "sim.commands.benchmark_ablate:ablate",
            "train without one part at a time, and measure the difference",
        ),
        "benchmark goals": (
            "sim.commands.benchmark_goals:goals",
            "measure which goal pictures are refused as unknown to the model",
        ),
        "benchmark planner": ("control.benchmark.planner:benchmark_planner", "measure how long a decision takes"),
        "benchmark scaling": (
            "control.benchmark.scaling:benchmark_scaling",
            "measure how much faster several processes train together",
        ),
        "benchmark driver": (
            "robot.benchmark.driver:benchmark_driver",
            "test the driver against lapses, crashes, malformed messages and intruders",
        ),
        "benchmark record": (
            "perception.benchmark.recording_command:benchmark_record",
            "test a recording for lost pictures, saving time and kills",
        ),
        "benchmark hand-eye": (
            "perception.benchmark.hand_eye:benchmark_hand_eye",
            "measure the accuracy of calibrations on rendered pictures",
        ),
        "benchmark teleop": (
            "tests.benchmarks.teleop:benchmark_teleop",
            "measure the time from a drag on the page to the arm's motion",
        ),
        "benchmark demonstrations": (
            "tests.benchmarks.demonstrations:benchmark_demonstrations",
            "measure a model that learns from demonstrations on the page",
        ),
        "benchmark exact": (
            "tests.benchmarks.exact:benchmark_exact",
            "measure what the agent reaches when it sees the exact poses of all objects",
        ),
        "benchmark dataset": (
            "tests.benchmarks.dataset:benchmark_dataset",
            "measure random reading of frames, beside lerobot",
        ),
    },
}
COMMANDS: dict[str, Command] = {name: command for group in GROUPS.values() for name, command in group.items()}
"""Every command by its name."""

FROM_A_CLONE = "tests.benchmarks."
"""Modules that the installed package lacks: these commands need a browser or another library."""
INTERRUPTED = 130
PIPE_CLOSED = 141


def main(arguments: list[str] | None = None) -> int:
    """Run the command that `arguments` name (by default those of the process), and return its exit status.

    0: the command succeeded. 1: it reported an error, in one line. 2: the command line is wrong. 129: the terminal
    was closed. 130: Ctrl-C. 141: the reader of the output closed it. 143: SIGTERM.
    """
    from robot.system.console_output import adapt_output

    adapt_output()
    words = sys.argv[1:] if arguments is None else arguments
    try:
        status = _dispatch(words)
        if sys.stdout is not None:  # None where the descriptor is closed
            sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        _close_progress_bars()
        print("worldarm: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        if not _stdout_is_closed():
            raise
        return PIPE_CLOSED
    except OSError as error:
        _discard_output()
        print(f"worldarm: the output cannot be written: {error.strerror}", file=sys.stderr)
        return 1


def _close_progress_bars() -> None:
    """Draw the progress bars that an interruption left open for the last time: otherwise they would be drawn once more
    after the last message, when the process ends."""
    progress = sys.modules.get("tqdm")
    if progress is not None:
        for bar in list(progress.tqdm._instances):
            bar.close()


def _dispatch(words: list[str]) -> int:
    """Find the command that `words` begin with and run it with the remaining words."""
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
    """Import the command `name` and run it with the arguments `rest`. An error meant for the user becomes one line."""
    from robot.errors import WorldarmError
    from robot.system.text import printable

    # An exception runs every `finally`: sockets close, the arm holds, files stay whole.
    signal.signal(signal.SIGTERM, _exit_on_signal)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup ignores it
        signal.signal(signal.SIGHUP, _exit_on_signal)
    previous_hook, sys.unraisablehook = sys.unraisablehook, _resend_lost_signal
    try:
        from importlib import import_module

        import tyro

        module, _, function = COMMANDS[name][0].partition(":")
        if module.startswith(FROM_A_CLONE):
            _find_clone(name)
        status = tyro.cli(getattr(import_module(module), function), prog=f"worldarm {name}", args=rest)
    except WorldarmError as error:
        # What it names may come from a file or from another process; a terminal would obey its escapes.
        print(f"worldarm: {printable(' '.join(str(error).split()))}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        raise
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"worldarm: {printable(f'{where}{error.strerror or error}')}", file=sys.stderr)
        return 1
    finally:
        sys.unraisablehook = previous_hook
    return status if isinstance(status, int) else 0


def _find_clone(name: str) -> None:
    """Make modules importable that only a clone of the repository has.

    Raises `ConfigurationError` when this is not a clone.
    """
    from pathlib import Path

    from robot.errors import ConfigurationError

    root = Path(__file__).resolve().parent
    if not root.joinpath("tests", "benchmarks").is_dir():
        raise ConfigurationError(
            f"`worldarm {name}` is not part of the installed package: clone the repository, run `make setup` there, "
            f"then run `.venv/bin/worldarm {name}`"
        )
    if str(root) not in sys.path:
        sys.path.append(str(root))


def _exit_on_signal(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _resend_lost_signal(lost: sys.UnraisableHookArgs) -> None:
    """Send a signal again that arrived inside a destructor, where Python drops the exception it raises."""
    if issubclass(lost.exc_type, KeyboardInterrupt):
        number = int(signal.SIGINT)
    elif isinstance(lost.exc_value, SystemExit) and isinstance(lost.exc_value.code, int) and lost.exc_value.code > 128:
        number = lost.exc_value.code - 128
    else:
        sys.__unraisablehook__(lost)
        return
    from threading import Timer

    # After a delay: at once, it would be dropped here again. On a busy machine a short delay is over too early as well.
    delay_s = 0.01
    while True:
        try:
            Timer(delay_s, os.kill, (os.getpid(), number)).start()
            return
        except (KeyboardInterrupt, SystemExit):
            delay_s *= 4


def _help() -> str:
    """Return the help text: what worldarm is, how it is called, and every command in its group."""
    width = max(map(len, COMMANDS))
    lines = [
        "Show a robot arm a picture of how things should be, and it moves until the world looks like the picture.",
        "",
        "usage: worldarm COMMAND [OPTIONS]      worldarm COMMAND --help      worldarm --version",
    ]
    for title, group in GROUPS.items():
        lines += ["", f"{title}:", *_listing(group, width)]
    return "\n".join(lines)


def _group_help(word: str) -> str:
    """Return the list of the commands whose first word is `word`."""
    group = {name: command for name, command in COMMANDS.items() if name.startswith(f"{word} ")}
    usage = f"usage: worldarm {word} COMMAND [OPTIONS]      worldarm {word} COMMAND --help"
    return "\n".join([usage, "", *_listing(group, max(map(len, group)))])


def _listing(commands: dict[str, Command], width: int) -> list[str]:
    """Return one line for each command, with its name padded to `width` characters."""
    return [f"  {name:<{width}}  {line}" for name, (_, line) in commands.items()]


def _version() -> int:
    from importlib.metadata import PackageNotFoundError, version

    try:
        print(f"worldarm {version('worldarm')}")
    except PackageNotFoundError:
        print("worldarm: it is not installed, so its version is unknown: run `pip install -e .`", file=sys.stderr)
        return 1
    return 0


def _unknown(words: list[str]) -> int:
    """List the group that `words` name, or report an unknown command with the nearest known one. Return the status."""
    if any(name.startswith(f"{words[0]} ") for name in COMMANDS):
        if len(words) == 1 or words[1] in ("-h", "--help"):
            print(_group_help(words[0]))
            return 0 if len(words) > 1 else 2
        asked = " ".join(words[:2])
    else:
        asked = words[0]
    from difflib import get_close_matches

    close = get_close_matches(asked.lstrip("-"), [*COMMANDS, *(name.split()[0] for name in COMMANDS)], n=1)
    hint = f"did you mean '{close[0]}'?" if close else "`worldarm --help` lists all commands"
    print(f"worldarm: there is no command '{asked}': {hint}", file=sys.stderr)
    return 2


def _stdout_is_closed() -> bool:
    """Return whether the reader of our output closed it. If so, discard what is written from now on, at exit too."""
    from select import POLLERR, poll

    output = poll()
    output.register(sys.stdout.fileno(), 0)
    closed = any(events & POLLERR for _, events in output.poll(0))
    if closed:
        _discard_output()
    return closed


def _discard_output() -> None:
    """Discard what is written to standard output from now on, at exit too."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
