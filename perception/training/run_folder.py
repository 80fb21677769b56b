"""The settings recorded in a run's folder, so that no run resumes parts that were trained under other settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

from perception.checkpoint.upgrade import upgraded_settings
from robot.errors import CheckpointError, ConfigurationError
from robot.system.files import atomic_write
from robot.system.plain_json import read_json

RUN_FILE = "run.json"
RESUME_SUFFIX = ".resume"

Settings: TypeAlias = Mapping[str, str | int | float]


def claim_run(folder: Path, parts: Mapping[str, Settings]) -> None:
    """Record in `folder`, for each of `parts`, the settings that its weights depend on by dotted name: its own, its
    data's, and those of the parts that it builds on.

    Raises `CheckpointError` when a part was begun there under other settings.
    """
    path = folder / RUN_FILE
    for part, before in _read(path).items():
        now = parts.get(part)
        if now is None or not (folder / (part + RESUME_SUFFIX)).exists():
            continue
        changed = [
            f"{name} was {before.get(name, 'absent')}, now {now.get(name, 'absent')}"
            for name in sorted(before.keys() | now.keys())
            if before.get(name) != now.get(name)
        ]
        if changed:
            raise CheckpointError(
                f"{folder} holds the {part} of a run with other settings ({'; '.join(changed)}); "
                "give the same settings to resume it, or another --run folder to start over"
            )
    with atomic_write(path) as beside:
        beside.write_text(json.dumps({part: dict(settings) for part, settings in parts.items()}, indent=2) + "\n")


def _read(path: Path) -> dict[str, dict[str, str | int | float]]:
    """Return the recorded settings of each part; none when there is no file yet."""
    if not path.exists():
        return {}
    try:
        found = read_json(path)
        return {part: upgraded_settings(settings) for part, settings in found.items()}
    except (OSError, ValueError, AttributeError, TypeError, ConfigurationError) as error:
        raise CheckpointError(f"{path} cannot be read ({error}); choose another --run folder") from error
