"""`worldarm keys new|list|allow|revoke`: this user's keys, and the keys that may connect over the network."""

from __future__ import annotations

from typing import Annotated, Literal

import tyro

from robot.errors import ConfigurationError
from robot.wire.keyring import Other, Role, usual_keyring


def new() -> None:
    """Make this user's key pair, once. The secret key stays in a file that no other user can read.

    Other machines need the public key to allow this one to connect, or to verify that they reach this one.
    """
    keyring = usual_keyring()
    keys = keyring.make()
    print(f"public key: {keys.public}")
    print(f"keys in {keyring.folder}; give the public key to the machines at the other ends of your connections")


def list_() -> None:
    """Show this user's public key, and all allowed keys with their roles."""
    keyring = usual_keyring()
    try:
        print(f"own public key: {keyring.own().public}")
    except ConfigurationError as error:
        print(f"own public key: none ({error})")
    others = sorted(keyring.others(), key=lambda other: other.name)
    if not others:
        print(f"no keys are on the list in {keyring.folder}")
    for other in others:
        where = f" at {other.host}" if other.host else ""
        print(f"{other.name:<20} {other.role.value:<8} {other.public}{where}")


def allow(
    name: Annotated[str, tyro.conf.Positional, tyro.conf.arg(help="a name for the key's owner")],
    key: Annotated[str, tyro.conf.Positional, tyro.conf.arg(help="their public key, as `worldarm keys list` prints")],
    role: Annotated[
        Literal["watch", "stop", "command", "serve"],
        tyro.conf.arg(
            help="watch: see states, frames and decisions; stop: also stop the arm; command: also move it; serve: a "
            "machine that this one connects to"
        ),
    ] = "watch",
    host: Annotated[str, tyro.conf.arg(help="with --role serve: the address of that machine")] = "",
) -> None:
    """Put a public key on the list. It takes effect at once, also for running drivers and cameras."""
    usual_keyring().allow(Other(name, key, Role(role), host))
    print(f"{name} is on the list: {role}{f' at {host}' if host else ''}")


def revoke(
    name: Annotated[str, tyro.conf.Positional, tyro.conf.arg(help="the name on the list")],
) -> None:
    """Remove a key from the list. Its commands are refused at once, and its subscriptions end within a second."""
    usual_keyring().revoke(name)
    print(f"{name} is off the list")
