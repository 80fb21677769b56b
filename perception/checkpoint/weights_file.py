"""Reads what a file of weights says of itself before any of it is loaded: the shape of every tensor.

Layout of safetensors: 8 bytes with the length of the header, the header as JSON, the tensors.
"""

from __future__ import annotations

import json
import math
import os
import stat
from pathlib import Path
from typing import Any

from robot.errors import CheckpointError
from robot.system.bounds import MAX_WEIGHTS_BYTES, MAX_WEIGHTS_HEADER_BYTES

_LENGTH_BYTES = 8
_MOST_DIMENSIONS = 8
_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
"""Bytes of a number by its type; those that worldarm's models have ever had."""


def tensor_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the shape of each tensor in the safetensors file `path`, whose header fits its size.

    Raises `CheckpointError` when it is missing, too large, or not such a file.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise CheckpointError(f"{path} is not a file; copy the whole checkpoint folder")
            if found.st_size > MAX_WEIGHTS_BYTES:
                raise CheckpointError(f"{path} is larger than {MAX_WEIGHTS_BYTES >> 30} GiB: no model of worldarm is")
            length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
            if not 2 <= length <= min(MAX_WEIGHTS_HEADER_BYTES, found.st_size - _LENGTH_BYTES):
                raise CheckpointError(f"{path} is not a safetensors file: its header has {length} bytes; copy it again")
            header = file.read(length)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}; copy the whole checkpoint folder") from error
    try:
        entries = json.loads(header)
        shapes = {
            name: _shape(entry, found.st_size - _LENGTH_BYTES - length)
            for name, entry in entries.items()
            if name != "__metadata__"
        }
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{path} is not a safetensors file: {error}; copy it again") from error
    return shapes


def _shape(entry: Any, size: int) -> tuple[int, ...]:
    """Return the shape of one tensor. Raises `ValueError` unless it takes exactly its part of the `size` bytes."""
    shape, (begin, end) = tuple(entry["shape"]), entry["data_offsets"]
    if any(type(each) is not int for each in (*shape, begin, end)) or len(shape) > _MOST_DIMENSIONS:
        raise ValueError(f"a tensor has the shape {str(shape)[:80]}")
    if min((*shape, 0)) < 0 or not 0 <= begin <= end <= size:
        raise ValueError(f"a tensor of the shape {shape} lies outside the file")
    if entry["dtype"] not in _BYTES or math.prod(shape) * _BYTES[entry["dtype"]] != end - begin:
        raise ValueError(f"a tensor of the shape {shape} and the type {str(entry['dtype'])[:16]!r} is of another size")
    return shape
