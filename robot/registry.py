"""Arms, cameras, encoders, simulated scenes, action conventions and senses by name, as installed packages register them
through entry points.

A package adds an arm, a camera or an encoder by naming a factory in its metadata, for instance in pyproject.toml:

    [project.entry-points."worldarm.cameras"]
    mine = "my_package.camera:make_camera"
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Any

from robot.errors import ConfigurationError

ARMS = "worldarm.arms"
CAMERAS = "worldarm.cameras"
ENCODERS = "worldarm.encoders"
SCENES = "worldarm.scenes"
"""Simulated scenes, each by the name of the arm whose driver runs it."""
CONVENTIONS = "worldarm.conventions"
"""Action conventions, each by the tag of its struct."""
SENSES = "worldarm.senses"
"""Entries of the observed state, each by its own name."""


def names(group: str) -> tuple[str, ...]:
    """Return the names that are registered in `group`, in alphabetical order."""
    return tuple(sorted({entry.name for entry in entry_points(group=group)}))


def load(group: str, name: str) -> Any:
    """Return the object registered in `group` under `name`, such as the factory of an arm.

    Raises `ConfigurationError` when no package registers that name, when two packages do, or when a Python package that
    it needs is not installed.
    """
    kind = group.rpartition(".")[2].removesuffix("s")
    found = {entry.value: entry for entry in entry_points(group=group, name=name)}
    if not found:
        known = ", ".join(names(group)) or "none, because worldarm itself is not installed (pip install -e .)"
        raise ConfigurationError(f"there is no {kind} called '{name}'; known: {known}")
    if len(found) > 1:
        claims = " and ".join(sorted(f"{entry.value} of {_package(entry)}" for entry in found.values()))
        raise ConfigurationError(f"two packages offer the {kind} '{name}': {claims}; uninstall one")
    (entry,) = found.values()
    try:
        return entry.load()
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"the {kind} '{name}' needs the Python package '{error.name}': {_remedy(entry, error.name)}"
        ) from error
    except AttributeError as error:
        raise ConfigurationError(f"the {kind} '{name}' of {_package(entry)} cannot be loaded: {error}") from error


def _package(entry: EntryPoint) -> str:
    """Return the name of the installed package that declared `entry`."""
    return entry.dist.metadata["Name"] if entry.dist is not None else "an unknown package"


def _remedy(entry: EntryPoint, missing: str | None) -> str:
    """Return what to install: the extra named like the entry where its package has one, else the missing module."""
    extras = (entry.dist.metadata.get_all("Provides-Extra") or []) if entry.dist is not None else []
    if entry.name in extras:
        return f"pip install '{_package(entry)}[{entry.name}]'"
    return f"install it, or reinstall {_package(entry)} with all its dependencies (missing: {missing})"
