"""Every error that worldarm raises on purpose: typed, in plain words, with what to do next."""

from __future__ import annotations


class WorldarmError(Exception):
    """Base of all errors that a command reports as one line instead of a traceback."""


class ConfigurationError(WorldarmError):
    """Something the user asked for cannot be: an unknown name, a value out of range, a missing extra."""


class WireError(WorldarmError):
    """A message that is not of this wire: malformed, of another schema version, or with a non-finite number."""


class ConnectionLost(WorldarmError):
    """The other process did not answer, or stopped sending, within the time allowed."""


class Refused(WorldarmError):
    """The driver refused a command; `reason` is the driver's own word for why."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"the driver refused the command ({reason}): {detail}")
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[type[Refused], tuple[str, str]]:
        """Let a worker process hand it to the one that waits for it."""
        return Refused, (self.reason, self.detail)


class AddressInUse(WorldarmError):
    """A socket could not be bound because another process holds the address."""


class UnreachableError(WorldarmError):
    """No joint configuration within the limits reaches the pose asked for."""


class ArmError(WorldarmError):
    """The arm itself cannot go on: its link is lost, it is in a fault, or it starts outside its limits."""


class DatasetError(WorldarmError):
    """A data set that is absent, empty, half-written, damaged, or without what was asked of it."""


class RecordingError(WorldarmError):
    """An episode could not be written (disk full, read-only folder); episodes kept earlier are whole."""


class CameraError(WorldarmError):
    """A camera that cannot be opened, or that stopped sending."""


class CameraAway(CameraError):
    """A camera that sends nothing for now and is tried again: stalled, unplugged, or its picture file replaced."""


class CalibrationError(WorldarmError):
    """Pictures that no calibration can be made from, or a calibration file that is missing, foreign, or of another
    camera's pictures."""


class GoalError(WorldarmError):
    """A goal picture that is missing, not an image, or not of the size that the model sees."""


class CheckpointError(WorldarmError):
    """A checkpoint that is missing, torn, foreign, of another schema, or for another arm or camera."""
