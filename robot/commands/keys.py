"""`worldarm keys new|list|allow|revoke`: who this machine is, and whom it lets in over the network."""

from __future__ import annotations

from typing import Annotated, Literal

import tyro

from robot.errors import ConfigurationError
from robot.wire.keyring import Other, Role, usual_keyring


def new() -> None:
    """Make this user's pair of keys, once: the secret one stays in a file that nobody else can read.

    Others need the public key, to let this machine in or to know that they reach it.
    """
    keyring = usual_keyring()
    keys = keyring.make()
    print(f"public key: {keys.public}")
    print(f"keys in {keyring.folder}; give the public one to whom you connect to, and to who connects to you")


def list_() -> None:
    """Show this user's public key, and everybody on the list with what each may do."""
    keyring = usual_keyring()
    try:
        print(f"own public key: {keyring.own().public}")
    except ConfigurationError as error:
        print(f"own public key: none ({error})")
    others = sorted(keyring.others(), key=lambda other: other.name)
    if not others:
        print(f"nobody is on the list in {keyring.folder}")
    for other in others:
        where = f" at {other.host}" if other.host else ""
        print(f"{other.name:<20} {other.role.value:<8} {other.public}{where}")


def allow(
    name: Annotated[str, tyro.conf.Positional, tyro.conf.arg(help="what to call whoever has the key")],
    key: Annotated[str, tyro.conf.Positional, tyro.conf.arg(help="their public key, as `worldarm keys list` prints")],
    role: Annotated[
        Literal["watch", "stop", "command", "serve"],
        tyro.conf.arg(
            help="watch: see states, frames and decisions; stop: stop the arm too; command: move it too; serve: a "
            "machine that this one connects to"
        ),
    ] = "watch",
    host: Annotated[str, tyro.conf.arg(help="with --role serve: the address at which it is reached")] = "",
) -> None:
    """Put a public key on the list; at once, while drivers and cameras run."""
    usual_keyring().allow(Other(name, key, Role(role), host))
    print(f"{name} is on the list: {role}{f' at {host}' if host else ''}")


def revoke(
    name: Annotated[str, tyro.conf.Positional, tyro.conf.arg(help="who shall no longer be let in")],
) -> None:
    """Take someone off the list; at once: commands are refused, and what they watch is cut off within a second."""
    usual_keyring().revoke(name)
    print(f"{name} is off the list")
