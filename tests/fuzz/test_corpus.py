"""Every input that the fuzzer knows, and each that ever crashed a reader, is read or refused in plain words."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.targets import CORPUS, TARGETS, feed

INPUTS = sorted(path for path in CORPUS.glob("*/*"))


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_no_input_gets_past_the_reader_s_own_error(path: Path) -> None:
    feed(TARGETS[path.parent.name], path.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_each_target_has_an_input_that_it_accepts(name: str) -> None:
    accepted = [path for path in INPUTS if path.parent.name == name and path.name.startswith("good")]
    assert accepted, f"put one into {CORPUS / name}"
    for path in accepted:
        TARGETS[name].read(path.read_bytes())
