"""Several users with keys of their own, represented by one process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from robot.wire.keyring import Keyring, Other, Role, usual_keyring

HOST = "127.0.0.1"
_CONFIG = "XDG_CONFIG_HOME"


@contextmanager
def user(folder: Path) -> Iterator[Keyring]:
    """A context in which this process is the user whose keys are under `folder`."""
    before = os.environ.get(_CONFIG)
    os.environ[_CONFIG] = str(folder.resolve())
    try:
        yield usual_keyring()
    finally:
        if before is None:
            del os.environ[_CONFIG]
        else:
            os.environ[_CONFIG] = before


def person(folder: Path, driver: Keyring, public: str, role: Role | None) -> Path:
    """Make keys for another person, who knows the driver's public key and to whom the driver allows `role`."""
    with user(folder) as keyring:
        own = keyring.make().public
        keyring.allow(Other("arm", public, Role.SERVE, HOST))
    if role is not None:
        driver.allow(Other(folder.name, own, role))
    return folder
