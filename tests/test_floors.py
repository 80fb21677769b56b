"""Imports only go down: robot, perception, control, sim, and the command line on top; rooms have no circles."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from robot.dataset.format import columns
from robot.wire import topics
from tests.commands import ROOT, environment
from worldarm import COMMANDS

FLOORS = ("robot", "perception", "control", "sim", "worldarm")
UNKNOWN_TO = {
    "robot": {"torch", "safetensors", "pybullet", "pybullet_data"},
    "perception": {"pybullet", "pybullet_data"},
    "control": {"pybullet", "pybullet_data"},
}
WRITTEN_ONCE = {
    "robot.wire.topics": {value for value in vars(topics).values() if isinstance(value, bytes)},
    "robot.dataset.format.columns": {
        value
        for name, value in vars(columns).items()
        if name.isupper() and isinstance(value, str) and value not in (columns.ACTION, columns.INDEX, columns.TIMESTAMP)
    },
}
"""Module → names that no other module may write. Three column names are everyday words, and left out."""
MOST_LINES = 59
"""Of a function, its signature and docstring included: it fits on a screen."""


def modules(floor: str) -> list[str]:
    """All modules of a floor, as import names."""
    files = [*(ROOT / floor).rglob("*.py"), *ROOT.glob(f"{floor}.py")]
    parts = [file.relative_to(ROOT).with_suffix("").parts for file in files]
    return sorted(".".join(part[:-1] if part[-1] == "__init__" else part) for part in parts)


def source(module: str) -> Path:
    """The file of a module."""
    path = ROOT.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@cache
def tree(module: str) -> ast.Module:
    """The parsed source of a module."""
    path = source(module)
    return ast.parse(path.read_text(), str(path))


def imports(module: str) -> Iterator[tuple[int, str]]:
    """Line and full name of every import in a module, those inside functions too."""
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = module if node.level else node.module or ""
            for alias in node.names:
                inner = f"{origin}.{alias.name}"
                yield node.lineno, inner if source(inner).exists() else origin


def room(module: str) -> str:
    """The folder that a module stands in; a file directly on a floor is a room of its own."""
    parts = module.split(".")
    if source(module).name == "__init__.py" or len(parts) < 3:
        return module
    return ".".join(parts[:-1])


@pytest.mark.parametrize("floor", FLOORS)
def test_imports_only_go_down(floor: str) -> None:
    above = {*FLOORS[FLOORS.index(floor) + 1 :], "tests"}
    forbidden = above | UNKNOWN_TO.get(floor, set())
    assert modules(floor), f"nothing on the floor {floor}"
    wrong = [
        f"{module}:{line} imports {name}"
        for module in modules(floor)
        for line, name in imports(module)
        if name.split(".")[0] in forbidden
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("floor", FLOORS[:-1])
def test_rooms_of_a_floor_have_no_circle(floor: str) -> None:
    known = set(modules(floor))
    arrows: dict[str, dict[str, str]] = {}
    for module in known:
        for line, name in imports(module):
            if name in known and room(name) != room(module):
                arrows.setdefault(room(module), {})[room(name)] = f"{module}:{line} imports {name}"
    left = set(arrows) | {there for each in arrows.values() for there in each}
    while free := {here for here in left if not left & arrows.get(here, {}).keys()}:
        left -= free  # nothing that is left is imported from these
    circle = [why for here in sorted(left) for there, why in arrows.get(here, {}).items() if there in left]
    assert not circle, "\n".join(circle)


def test_nobody_imports_commands_but_the_command_line() -> None:
    wrong = [
        f"{module}:{line} imports {name}"
        for floor in FLOORS[:-1]
        for module in modules(floor)
        for line, name in imports(module)
        if "commands" in name.split(".")[1:-1] or name.endswith(".commands")
    ]
    assert not wrong, "\n".join(wrong)


def test_a_command_stands_in_a_file_named_as_its_word() -> None:
    for name, (target, _) in COMMANDS.items():
        module, _, _ = target.partition(":")
        assert source(module).exists(), f"{name} points to {module}, which is not there"
        file = module.rpartition(".")[2]
        if ".commands." in module and file != "operator":  # status, stop, reset and home are one file
            assert file.split("_")[0] == name.split()[0], f"{name} stands in {module}"


@pytest.mark.parametrize("home", WRITTEN_ONCE)
def test_names_of_topics_and_columns_are_written_once(home: str) -> None:
    wrong = []
    for floor in FLOORS[:-1]:
        for module in modules(floor):
            if module == home:
                continue
            docs = {id(node.value) for node in ast.walk(tree(module)) if isinstance(node, ast.Expr)}
            for node in ast.walk(tree(module)):
                if isinstance(node, ast.Constant) and node.value in WRITTEN_ONCE[home] and id(node) not in docs:
                    wrong.append(f"{module}:{node.lineno} writes {node.value!r}, which stands in {home}")
    assert not wrong, "\n".join(wrong)


def test_a_function_fits_on_a_screen() -> None:
    wrong = []
    for floor in FLOORS:
        for module in modules(floor):
            for node in ast.walk(tree(module)):
                if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno + 1 > MOST_LINES:
                    wrong.append(f"{module}:{node.lineno} {node.name}: {(node.end_lineno or 0) - node.lineno + 1}")
    assert not wrong, f"functions of more than {MOST_LINES} lines:\n" + "\n".join(wrong)


def test_no_module_of_robot_brings_torch_or_pybullet_in_by_a_side_door() -> None:
    script = f"""
import importlib, sys
for name in {modules("robot")!r}:
    importlib.import_module(name)
print(*sorted({UNKNOWN_TO["robot"]!r} & set(sys.modules)))
"""
    result = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=300
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == ""
