"""Every error that worldarm raises on purpose. Each message is in plain words and says what to do next."""

from __future__ import annotations


class WorldarmError(Exception):
    """Base of all errors that a command reports as one line instead of a traceback."""


class ConfigurationError(WorldarmError):
    """The user asked for something impossible: an unknown name, a value out of range, a missing extra."""


class SettingError(ConfigurationError, ValueError):
    """A setting with an invalid value; a `ValueError` too, so that msgspec adds where it was read."""


class WireError(WorldarmError):
    """A message that this wire protocol does not accept: malformed, of another schema version, or with a non-finite
    number."""


class ConnectionLost(WorldarmError):
    """The other process did not answer, or stopped sending, within the time allowed."""


class OtherArm(WorldarmError):
    """A driver that is followed, recorded or drawn was started again with another arm."""


class Refused(WorldarmError):
    """The driver refused a command; `reason` is the driver's code for why, such as "late", and `detail` explains it."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"the driver refused the command ({reason}): {detail}")
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[type[Refused], tuple[str, str]]:
        """Make the error picklable, so that a worker process can pass it to the process that waits for it."""
        return Refused, (self.reason, self.detail)


class AddressInUse(WorldarmError):
    """A socket could not be bound because another process holds the address."""


class UnreachableError(WorldarmError):
    """No joint configuration within the limits reaches the requested pose."""


class ArmError(WorldarmError):
    """The arm cannot continue: its link is lost, it is in a fault, or it starts outside its limits."""


class DatasetError(WorldarmError):
    """A data set that is absent, empty, half-written or damaged, or that lacks the requested content."""


class PictureNotRead(DatasetError):
    """A data set's picture is of a kind that worldarm does not read; the set may well be sound."""


class RecordingError(WorldarmError):
    """An episode could not be written (disk full, read-only folder); episodes kept earlier are complete."""


class CameraError(WorldarmError):
    """A camera that cannot be opened, or that stopped sending pictures."""


class CameraAway(CameraError):
    """A camera that sends nothing at present and is retried: stalled, unplugged, or its picture file is being
    replaced."""


class CalibrationError(WorldarmError):
    """Pictures from which no calibration can be computed, or a calibration file that is missing, not worldarm's, or
    made for another camera."""


class GoalError(WorldarmError):
    """A goal picture that is missing, is not an image, or has a size other than the model's input; or a thing or place
    of which no goal can be made."""


class ThingNotFound(GoalError):
    """A thing that a goal names, and that the model does not find in the picture."""


class CheckpointError(WorldarmError):
    """A checkpoint that is missing, truncated, not worldarm's, of another schema, or for another arm or camera."""
