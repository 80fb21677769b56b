"""A driver's machine and those of others, each with keys of their own, played by one process."""

from __future__ import annotations

from pathlib import Path

from robot.benchmark.key_holders import HOST as HERE
from robot.benchmark.key_holders import person, user
from robot.wire.keyring import Role

__all__ = ["HERE", "Machines", "user"]


class Machines:
    """The users of a driver's machine and of others, who know the driver's key."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with user(folder / "driver") as keyring:
            self.public = keyring.make().public
            self.driver = keyring

    def person(self, name: str, role: Role | None) -> Path:
        """Return the folder of one more person, whom the driver's machine allows `role`."""
        return person(self.folder / name, self.driver, self.public, role)
