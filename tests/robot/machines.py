"""Users of several machines, each with keys of their own, played by one process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from robot.keys import Keyring, Other, Role, usual_keyring

HERE = "127.0.0.1"


@contextmanager
def user(folder: Path) -> Iterator[Keyring]:
    """Within, this process is the user whose keys are under `folder`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(folder))
        yield usual_keyring()


class Machines:
    """The users of a driver's machine and of others, who know the driver's key."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with user(folder / "driver") as keyring:
            self.public = keyring.make().public
            self.driver = keyring

    def person(self, name: str, role: Role | None) -> Path:
        """Return the folder of one more person, whom the driver's machine allows `role`."""
        with user(self.folder / name) as keyring:
            public = keyring.make().public
            keyring.allow(Other("arm", self.public, Role.SERVE, HERE))
        if role is not None:
            self.driver.allow(Other(name, public, role))
        return self.folder / name
