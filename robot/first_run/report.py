"""The report of an arm's first run: one file for each arm and calibration, which the driver asks for at its start."""

from __future__ import annotations

import hashlib
from datetime import datetime, timezone
from pathlib import Path
from typing import Literal

import msgspec

from robot.arm.interface import ArmOptions
from robot.errors import ConfigurationError
from robot.system.bounds import MAX_SMALL_JSON_BYTES
from robot.system.files import read_bounded, sha256_of, state_folder, write_json
from robot.system.text import escape_fields

Result = Literal["passed", "skipped", "failed"]


class Outcome(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The result of one check, of a joint where it concerns one, and what was found."""

    check: str
    result: Result
    found: str
    joint: str = ""

    def __post_init__(self) -> None:
        escape_fields(self, ("check", "found", "joint"))

    @property
    def line(self) -> str:
        """The outcome in one line."""
        return f"{self.result:<8} {' '.join(filter(None, (self.joint, self.check)))}: {self.found}"


class FirstRunReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a first run found of the arm `arm` at `address`, whose calibration file has the SHA-256 `calibration`; the
    last two are empty where there is none. `ended` is the time in UTC, ISO 8601."""

    version: Literal[1]
    arm: str
    address: str
    calibration: str
    ended: str
    outcomes: tuple[Outcome, ...]

    @property
    def failures(self) -> tuple[Outcome, ...]:
        """What was found to be wrong."""
        return tuple(outcome for outcome in self.outcomes if outcome.result == "failed")


class Identity(msgspec.Struct, frozen=True):
    """What tells one arm from another: its name and its calibration's SHA-256 or, without one, its address. A serial
    port is none: it changes with the order in which arms are plugged in."""

    arm: str
    address: str
    calibration: str

    @property
    def path(self) -> Path:
        """The file of its report."""
        distinct = f"{self.arm}\n{self.calibration or self.address}"
        name = "".join(letter if letter.isalnum() else "_" for letter in self.arm)
        return state_folder() / "first-run" / f"{name}-{hashlib.sha256(distinct.encode()).hexdigest()[:16]}.json"

    def report(self, outcomes: tuple[Outcome, ...]) -> FirstRunReport:
        """Return the report of a first run that ends now."""
        ended = datetime.now(timezone.utc).isoformat(timespec="seconds")
        return FirstRunReport(1, self.arm, self.address, self.calibration, ended, outcomes)


def identity_of(arm: str, options: ArmOptions) -> Identity:
    """Return the identity of the arm `arm` with `options`. Raises `ConfigurationError` when its calibration cannot be
    read."""
    digest = ""
    if options.calibration is not None:
        try:
            digest = sha256_of(options.calibration)
        except OSError as error:
            raise ConfigurationError(f"{options.calibration} cannot be read: {error.strerror}") from error
    return Identity(arm, options.address or "", digest)


def write_report(identity: Identity, outcomes: tuple[Outcome, ...]) -> FirstRunReport:
    """Write the report of a first run that ends now, and return it. Raises `RecordingError` when it cannot be
    written."""
    report = identity.report(outcomes)
    write_json(identity.path, report)
    return report


def read_report(identity: Identity) -> FirstRunReport | None:
    """Return the report of the arm's last first run, None when there is none. Raises `ConfigurationError` for a file
    that cannot be read."""
    path = identity.path
    try:
        return msgspec.json.decode(read_bounded(path, MAX_SMALL_JSON_BYTES), type=FirstRunReport)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigurationError(f"the report of the first run {path} cannot be read: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigurationError(
            f"{path} is not the report of a first run that this version reads: {error}; delete it and do the first run "
            "again"
        ) from error


def ask_for_report(identity: Identity) -> str:
    """Return a sentence that asks for a first run, empty once one has passed.

    Raises `ConfigurationError` when the last first run found something wrong, or its report cannot be read.
    """
    report = read_report(identity)
    if report is None:
        return (
            "this arm has had no first run: start it once with --first-run, which checks its joints slowly, one at a "
            "time; until then go slowly"
        )
    if report.failures:
        raise ConfigurationError(
            f"the first run of this arm found: {'; '.join(_named(each) for each in report.failures)}. Mend that and "
            "start with --first-run again; --skip-first-run starts the driver all the same"
        )
    return ""


def _named(outcome: Outcome) -> str:
    return f"{outcome.joint}: {outcome.found}" if outcome.joint else outcome.found
