"""The project says things in the field's words, and in sentences that need no second reading."""

from __future__ import annotations

import re

import pytest

from tests.commands import ROOT

FLOORS = ("robot", "perception", "control", "sim", "docs")
ALONE = ("worldarm.py", "README.md", "CONTRIBUTING.md")
INSTEAD = {
    r"so many\b": "name the quantity",
    r"whoever\b": "name who it is",
    r"alike\b": "both, in the same way",
    r"lest\b": "so that … not",
    r"felt\b": "measured",
    r"hangs? on\b": "depends on",
    r"(is|are|was|were|be|been) told\b": "is reported, is passed",
    r"black.?box(es)?\b": "flight log",
    r"thoughts?\b": "decision",
    r"scripted hand\b": "scripted policy",
}
KEPT = ('"black-box"', '"--black-box"')
"""The flight log's folder on disk, and the option's earlier name."""


@pytest.mark.parametrize("word", INSTEAD)
def test_the_product_avoids(word: str) -> None:
    files = [ROOT / name for name in ALONE]
    files += [path for floor in FLOORS for kind in ("*.py", "*.md") for path in (ROOT / floor).rglob(kind)]
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in files
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if re.search(rf"\b{word}", _without_kept(line), re.IGNORECASE)
    ]
    assert not found, f"{INSTEAD[word]} in place of {word!r}:\n" + "\n".join(found)


def _without_kept(line: str) -> str:
    for name in KEPT:
        line = line.replace(name, "")
    return line
