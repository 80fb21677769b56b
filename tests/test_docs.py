"""README and docs are right: their links lead somewhere, their paths and commands exist, their Python examples run."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands import ROOT, environment
from tests.forked import Outcome, outcomes
from worldarm import COMMANDS

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
EXAMPLES = [page for page in PAGES if "```python" in page.read_text()]
NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]
_LINK = re.compile(r"\]\((?!https?:)([^)\s]+)\)")
_CODE = re.compile(r"`([^`]+)`")
_PATH = re.compile(r"(?:robot|perception|control|sim|tests|docs|examples)/[\w./-]*|worldarm\.py")
_OPTION = re.compile(r"--[a-z][a-z0-9.-]*")
_PLACEHOLDERS = {"COMMAND"}


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 130


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    for link in _LINK.findall(page.read_text()):
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        if anchor:
            assert anchor in _anchors(target), link


def test_every_page_is_linked_from_the_readme() -> None:
    linked = {link.partition("#")[0] for link in _LINK.findall((ROOT / "README.md").read_text())}
    assert linked >= {name for name in NAMES if name != "README.md"}


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_path_that_is_named_exists(page: Path) -> None:
    named = [path for code in _CODE.findall(_prose(page)) for path in _PATH.findall(code) if code.startswith(path)]
    assert [path for path in named if not (ROOT / path).exists()] == []


@pytest.fixture(scope="module")
def helps(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """What each command that a page names says when it is asked for help."""
    used = sorted({name for page in PAGES for name, _ in _commands(page) if name in COMMANDS})
    ended = outcomes(tmp_path_factory.mktemp("helps"), [[*name.split(), "--help"] for name in used])
    return dict(zip(used, ended, strict=True))


@pytest.mark.timeout(240)
@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_command_line_is_one_that_worldarm_takes(page: Path, helps: dict[str, Outcome]) -> None:
    for name, words in _commands(page):
        if name not in COMMANDS:
            assert any(command.startswith(f"{name} ") for command in COMMANDS), f"there is no command {name!r}"
            continue
        known = set(_OPTION.findall(helps[name].stdout))
        for word in words:
            if _OPTION.fullmatch(word):
                assert word in known, f"worldarm {name} has no option {word}"


@pytest.mark.timeout(240)
@pytest.mark.parametrize("page", EXAMPLES, ids=[page.name for page in EXAMPLES])
def test_the_python_examples_of_a_page_run_in_order(page: Path, tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
    script = tmp_path / f"{page.stem}.py"
    script.write_text("\n".join(blocks))
    result = subprocess.run(
        [sys.executable, script], cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=200
    )
    assert result.returncode == 0, result.stderr


def test_a_command_line_with_an_unknown_option_or_command_would_be_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("Run `worldarm dataset check|repair` or\n\n    worldarm run --goal \\\n        a.png  # comment\n")
    assert list(_commands(page)) == [
        ("dataset check", []),
        ("dataset repair", []),
        ("run", ["--goal", "a.png"]),
    ]


def _prose(page: Path) -> str:
    """The text of a page without its fenced blocks."""
    return re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)


def _anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


def _commands(page: Path) -> Iterator[tuple[str, list[str]]]:
    """The name and the further words of each `worldarm …` command line, in the order of the page, inline ones first."""
    text = _prose(page)
    blocks = re.sub(r"\\\n\s*", " ", "\n".join(line[4:] for line in text.splitlines() if line.startswith("    ")))
    prose = "\n".join(line for line in text.splitlines() if not line.startswith("    "))
    inline = [" ".join(code.split()) for code in _CODE.findall(prose)]
    for line in [*inline, *blocks.splitlines()]:
        found = re.search(r"(?:^|[-/ ])worldarm (?!\d)(.+)", line)
        if found is None or line.startswith(("pip ", "git ")):
            continue
        words = shlex.split(found.group(1).replace("…", ""), comments=True)
        if words and words[0] not in _PLACEHOLDERS and not words[0].startswith("-"):
            yield from _spelled_out(words)


def _spelled_out(words: list[str]) -> Iterator[tuple[str, list[str]]]:
    """A command line for each of the alternatives A|B in its name."""
    for first in words[0].split("|"):
        group = any(command.startswith(f"{first} ") for command in COMMANDS)
        seconds = words[1].split("|") if group and len(words) > 1 else []
        names = [f"{first} {second}" for second in seconds if f"{first} {second}" in COMMANDS or first not in COMMANDS]
        if names:
            yield from ((name, words[2:]) for name in names)
        else:
            yield first, words[1:]
