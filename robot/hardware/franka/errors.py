"""Plain messages for the errors of a Franka arm, with what to do about each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import franky

from robot.errors import ArmError

FCI_WHEELS = "https://timschneider42.github.io/franky/getting-started/faq.html"

MODES = {
    "Other": "it is not ready to move: unlock its brakes and activate FCI in Desk",
    "Guiding": "it is being guided by hand: let go of its guiding buttons",
    "UserStopped": "its user stop is pressed: release it",
    "Reflex": "it has stopped itself",
    "AutomaticErrorRecovery": "it is still recovering from an error: wait until its light is blue or white",
    "Move": "another program moves it: end that first",
}
"""Why the arm does not accept set-points, by the name of its mode; in `Idle` it accepts them."""


CURES = {
    "reflex": "free the arm of what it ran into",
    "user stop": "release the user stop",
    "safety": "release the user stop or close the safeguard, see Desk",
    "communication_constraints": "reduce the load of this computer, or use a kernel with real-time scheduling",
    "position_limits": "move the arm back by hand, in guiding mode",
    "collision": "move the arm apart by hand, in guiding mode",
    "velocity": "let it move more slowly",
    "discontinuity": "reduce the load of this computer, or use a kernel with real-time scheduling",
    "power_limit": "lighten its load",
    "tau_j_range": "lighten its load",
}
"""What to do about an error, by a part of its name in the library's message."""


@contextmanager
def plain_words(host: str) -> Iterator[None]:
    """Wrap calls of franky: its exceptions become `ArmError`."""
    try:
        yield
    except TimeoutError as error:
        raise ArmError(
            f"the arm at {host} does not answer: {error}; is it switched on, and is this its address?"
        ) from error
    except franky.NetworkException as error:
        raise ArmError(
            f"the arm at {host} cannot be reached ({said(error)}): is it on, is this its address, is FCI active "
            "in Desk, and is no other program connected to it?"
        ) from error
    except (franky.IncompatibleVersionException, franky.ProtocolException) as error:
        raise ArmError(
            f"the arm at {host} speaks another version of FCI ({said(error)}): install the wheel of franky-control for "
            f"its server version, see {FCI_WHEELS}"
        ) from error
    except franky.RealtimeException as error:
        raise ArmError(
            f"this kernel has real-time scheduling but does not grant it ({said(error)}): raise the limit rtprio of "
            "your user to 99"
        ) from error
    except (franky.CommandException, franky.ControlException, franky.ModelException) as error:
        raise ArmError(f"the arm at {host} has stopped: {said(error)}") from error


def said(error: Exception) -> str:
    """Return the library's message in `error`, without the library's name."""
    return str(error).removeprefix("libfranka: ").strip()


def cure_of(message: str) -> str:
    """Return what to do about the error in `message`, the library's."""
    return next((cure for part, cure in CURES.items() if part in message.lower()), "see Desk for what is wrong")


def named(errors: franky.Errors) -> str:
    """Return the names of `errors`, such as `joint reflex`."""
    names = [name for name in dir(errors) if not name.startswith("_") and getattr(errors, name)]
    return ", ".join(name.replace("_", " ") for name in names)
