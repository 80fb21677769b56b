"""Reads JSON that someone else wrote, into plain Python values, within the bounds of files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from robot.system.bounds import MAX_JSON_BYTES
from robot.system.files import read_bounded


def read_json(path: Path, longest: int = MAX_JSON_BYTES) -> Any:
    """Return what the JSON file `path`, of at most `longest` bytes, says.

    What it returns can be written again as UTF-8 JSON: numbers are finite, and text is whole. Raises `OSError`,
    `ConfigurationError` as `read_bounded` does, and `ValueError` when the file is not such JSON or is too deeply
    nested.
    """
    data = read_bounded(path, longest)
    try:
        found = json.loads(data)
        # An infinite number and half a character can be read but not written.
        json.dumps(found, ensure_ascii=False, allow_nan=False).encode()
    except RecursionError:
        raise ValueError("its brackets are nested too deeply") from None
    return found
