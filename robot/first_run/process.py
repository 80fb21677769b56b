"""The first run as a process beside its driver: at the driver's terminal, and a client as any other."""

from __future__ import annotations

import sys

import msgspec

from robot.client.client import Client
from robot.errors import WorldarmError
from robot.first_run.checks import first_run
from robot.first_run.operator import TerminalOperator
from robot.first_run.report import Identity, write_report
from robot.teleop.devices.terminal import Terminal

UNFINISHED = 2
"""The exit status of a first run without a report."""
_TIMEOUT_S = 3.0


class Task(msgspec.Struct, frozen=True):
    """What the process is to do: check the arm `identity` of the driver at `command_address`, and the `cameras`."""

    identity: Identity
    command_address: str
    cameras: tuple[str, ...]


def main(word: str) -> int:
    """Do the first run that `word`, a `Task` in JSON, describes, and write its report; return the exit status: 1 when
    something is wrong, `UNFINISHED` when it ended before its end."""
    task = msgspec.json.decode(word, type=Task)
    try:
        with Client(task.command_address, _TIMEOUT_S) as client, Terminal() as terminal:
            operator = TerminalOperator(terminal)
            operator.say(
                f"first run of {task.identity.arm}, with a fifth of its speed. Ctrl-C ends it: the arm comes to rest "
                "and holds. While it moves, any key stops it."
            )
            outcomes = first_run(client, operator, task.cameras)
    except WorldarmError as error:
        print(f"first run: {error}", flush=True)
        return UNFINISHED
    except KeyboardInterrupt:
        print("first run: ended before its end: nothing was written", flush=True)
        return UNFINISHED
    report = write_report(task.identity, outcomes)
    skipped = sum(outcome.result == "skipped" for outcome in outcomes)
    print(
        f"first run: {len(outcomes)} checks, {len(report.failures)} failed, {skipped} left out; report "
        f"{task.identity.path}",
        flush=True,
    )
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
