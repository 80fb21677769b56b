"""Pictures taken live are not lost when the calibration that they were taken for is refused."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from robot.errors import CalibrationError


@contextmanager
def kept_if_refused(save: Path | None) -> Iterator[Path]:
    """A context for taking pictures: it yields the folder for them. That is `save`, or else a temporary folder, which
    is deleted unless the calibration is refused: then the error names the folder."""
    if save is not None:
        yield save
        return
    folder = Path(tempfile.mkdtemp(prefix="worldarm-pictures-"))
    refused = False
    try:
        yield folder
    except CalibrationError as error:
        refused = any(folder.iterdir())
        if not refused:
            raise
        raise CalibrationError(f"{error} (the pictures are kept: --pictures {folder})") from error
    finally:
        if not refused:
            shutil.rmtree(folder)
