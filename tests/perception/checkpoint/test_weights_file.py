from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save

from perception.checkpoint.weights_file import tensor_shapes
from robot.errors import CheckpointError

SHAPES = st.dictionaries(st.text("abc.", min_size=1), st.lists(st.integers(0, 5), max_size=3), max_size=4)


def file_of(header: Any, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


@given(SHAPES, st.sampled_from([torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.bool]))
def test_the_shapes_are_those_of_the_tensors(
    tmp_path_factory, shapes: dict[str, list[int]], dtype: torch.dtype
) -> None:
    path = tmp_path_factory.mktemp("weights") / "model.safetensors"
    path.write_bytes(save({name: torch.zeros(shape, dtype=dtype) for name, shape in shapes.items()}, {"note": "any"}))
    assert tensor_shapes(path) == {name: tuple(shape) for name, shape in shapes.items()}


@given(st.randoms(use_true_random=False), st.integers(1, 6))
def test_a_damaged_header_is_a_plain_error_or_true_to_the_file(
    tmp_path_factory, chance: random.Random, count: int
) -> None:
    path = tmp_path_factory.mktemp("weights") / "model.safetensors"
    data = bytearray(save({"one": torch.zeros(3, 4), "two": torch.zeros(5, dtype=torch.float16)}))
    for _ in range(count):
        data[chance.randrange(len(data) - 58)] = chance.randrange(256)
    path.write_bytes(data)
    try:
        found = tensor_shapes(path)
    except CheckpointError as error:
        assert str(error)
    else:
        assert sum(int(np.prod(shape)) for shape in found.values()) <= len(data)


ENTRY = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not a safetensors file"),
        ((1 << 62).to_bytes(8, "little") + b"{}", "its header has"),
        (file_of(b"[" * 100_000), "not a safetensors file"),
        (file_of(b"\xff\xfe"), "not a safetensors file"),
        (file_of([]), "not a safetensors file"),
        (file_of({"a": {**ENTRY, "shape": [10**9, 10**9]}}, bytes(8)), "of another size"),
        (file_of({"a": {**ENTRY, "data_offsets": [0, 10**12], "shape": [10**12 // 4]}}, bytes(8)), "outside the file"),
        (file_of({"a": {**ENTRY, "shape": [-2]}}, bytes(8)), "outside the file"),
        (file_of({"a": {**ENTRY, "shape": [2.0]}}, bytes(8)), "has the shape"),
        (file_of({"a": {**ENTRY, "shape": [1] * 1000}}, bytes(8)), "has the shape"),
        (file_of({"a": {**ENTRY, "dtype": "C64"}}, bytes(8)), "of another size"),
        (file_of({"a": 1}), "not a safetensors file"),
    ],
)
def test_a_header_that_is_not_of_its_file_is_refused(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=words):
        tensor_shapes(path)


def test_what_is_not_a_file_or_too_large_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CheckpointError, match="is not a file"):
        tensor_shapes(tmp_path / "pipe")
    with pytest.raises(CheckpointError, match="cannot be read"):
        tensor_shapes(tmp_path / "absent")
    with (tmp_path / "large").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(CheckpointError, match="larger than 8 GiB"):
        tensor_shapes(tmp_path / "large")
