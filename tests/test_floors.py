"""Imports only go down: robot, perception, control, sim, and the command line on top."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.commands import ROOT, environment

FLOORS = ("robot", "perception", "control", "sim", "worldarm")
UNKNOWN_TO = {
    "robot": {"torch", "safetensors", "pybullet", "pybullet_data"},
    "perception": {"pybullet", "pybullet_data"},
    "control": {"pybullet", "pybullet_data"},
}


def modules(floor: str) -> list[str]:
    """All modules of a floor, as import names."""
    files = [*(ROOT / floor).rglob("*.py"), *ROOT.glob(f"{floor}.py")]
    parts = [file.relative_to(ROOT).with_suffix("").parts for file in files]
    return sorted(".".join(part[:-1] if part[-1] == "__init__" else part) for part in parts)


def imports(module: str) -> Iterator[tuple[int, str]]:
    """Line and top-level package of every import in a module, those inside functions too."""
    path = ROOT.joinpath(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.split(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            top = module if node.level else node.module or ""
            yield node.lineno, top.split(".")[0]


@pytest.mark.parametrize("floor", FLOORS)
def test_imports_only_go_down(floor: str) -> None:
    above = {*FLOORS[FLOORS.index(floor) + 1 :], "tests"}
    forbidden = above | UNKNOWN_TO.get(floor, set())
    assert modules(floor), f"nothing on the floor {floor}"
    wrong = [
        f"{module}:{line} imports {name}"
        for module in modules(floor)
        for line, name in imports(module)
        if name in forbidden
    ]
    assert not wrong, "\n".join(wrong)


def test_no_module_of_robot_brings_torch_or_pybullet_in_by_a_side_door() -> None:
    script = f"""
import importlib, sys
for name in {modules("robot")!r}:
    importlib.import_module(name)
print(*sorted({UNKNOWN_TO["robot"]!r} & set(sys.modules)))
"""
    result = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == ""
