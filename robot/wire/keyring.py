"""This machine's identity on the network and the machines that it admits: CURVE keys in a folder of the user's.

`own.json` holds this user's key pair, readable only by this user; `others.json` holds the public keys of others, each
with its role. Both files are read again whenever they change, so that a change takes effect in running processes.
"""

from __future__ import annotations

import os
import re
import struct
from enum import Enum
from pathlib import Path

import msgspec
import zmq
from zmq.utils import z85

from robot.errors import ConfigurationError
from robot.system.files import atomic_write, make_folder, read_bounded
from robot.system.text import escape_fields, printable
from robot.wire.limits import MAX_KEY_FILE_BYTES, MAX_KEYS

OWN, OTHERS = "own.json", "others.json"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
KEY_LENGTH = 40
_NEW_PAIR = "delete it, make new keys with `worldarm keys new`, and tell the public key to those who rely on it"


class Role(str, Enum):
    """What another key may do here: `watch` states, frames and decisions; `stop` the arm as well; `command` the arm as
    well. `serve` is the opposite direction: it marks a machine to which this one may connect."""

    WATCH = "watch"
    STOP = "stop"
    COMMAND = "command"
    SERVE = "serve"


_ORDER = (Role.WATCH, Role.STOP, Role.COMMAND)


def includes(role: Role, wanted: Role) -> bool:
    """Return whether `role` includes the permissions of `wanted`."""
    if Role.SERVE in (role, wanted):
        return role is wanted
    return _ORDER.index(role) >= _ORDER.index(wanted)


class OwnKeys(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A CURVE key pair, each key as 40 characters of Z85 text."""

    public: str
    secret: str


class Other(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Another party's `public` key with its role, and for the role serve its `host`."""

    name: str
    public: str
    role: Role
    host: str = ""

    def __post_init__(self) -> None:
        escape_fields(self, ("name", "public", "host"))


class Keyring:
    """The keys in `folder`, which may be empty or absent."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._stamp: tuple[int, int, int, int] | None = None
        self._others: tuple[Other, ...] = ()

    def own(self) -> OwnKeys:
        """Return this user's key pair. Raises `ConfigurationError` when there is none, when it is damaged, or when
        other users can read it. No error shows the secret key."""
        path = self.folder / OWN
        try:
            content = read_bounded(path, MAX_KEY_FILE_BYTES)
            mode = path.stat().st_mode
            keys = msgspec.json.decode(content, type=OwnKeys)
        except FileNotFoundError:
            raise ConfigurationError("this machine has no keys yet: make some with `worldarm keys new`") from None
        except OSError as error:
            raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error
        except (ValueError, RecursionError) as error:
            raise ConfigurationError(f"{path} does not hold a key pair: {_NEW_PAIR}") from error
        if mode & 0o077:
            raise ConfigurationError(f"{path} can be read by others: `chmod 600 {path}`, or make new keys")
        if not (_is_key(keys.public) and _is_key(keys.secret)) or _public_of(keys.secret) != keys.public:
            raise ConfigurationError(f"the keys in {path} are damaged or do not belong together: {_NEW_PAIR}")
        return keys

    def others(self) -> tuple[Other, ...]:
        """Return all entries of the list at present. Raises `ConfigurationError` when it cannot be read, is damaged, or
        can be changed by other users."""
        path = self.folder / OTHERS
        try:
            found = path.stat()
            stamp = (found.st_mtime_ns, found.st_ino, found.st_mode, found.st_size)
            if stamp != self._stamp:
                self._others = _decoded(path)
                self._stamp = stamp
        except FileNotFoundError:
            self._others, self._stamp = (), None
        except OSError as error:
            raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error
        return self._others

    def role_of(self, public: str) -> Role | None:
        """Return what the key `public` may do here at present; None when it may do nothing, and while the list cannot
        be read."""
        roles = [other.role for other in self.readable() if other.public == public and other.role in _ORDER]
        return max(roles, key=_ORDER.index, default=None)

    def allows(self, public: str, wanted: Role) -> bool:
        """Return whether the key `public` has the permissions of `wanted`. A list that cannot be read allows no key."""
        return any(other.public == public and includes(other.role, wanted) for other in self.readable())

    def holders(self, wanted: Role) -> frozenset[str]:
        """Return the public keys that have the permissions of `wanted`; none while the list cannot be read."""
        return frozenset(other.public for other in self.readable() if includes(other.role, wanted))

    def readable(self) -> tuple[Other, ...]:
        """Return the list, the same object until the file changes; empty while it cannot be read."""
        try:
            return self.others()
        except ConfigurationError:
            return ()

    def server_at(self, host: str) -> str | None:
        """Return the public key that the server at `host` must have; None when the list has none."""
        return next((other.public for other in self.others() if other.role is Role.SERVE and other.host == host), None)

    def make(self) -> OwnKeys:
        """Make this user's key pair. Raises `ConfigurationError` when there is one already."""
        path = self.folder / OWN
        if path.exists():
            raise ConfigurationError(
                f"{path} exists already, and other machines may rely on its key; delete it first to replace it"
            )
        public, secret = (key.decode() for key in zmq.curve_keypair())
        keys = OwnKeys(public, secret)
        make_folder(self.folder)
        self.folder.chmod(0o700)
        with atomic_write(path) as beside:
            beside.touch(0o600)
            beside.chmod(0o600)
            beside.write_bytes(msgspec.json.encode(keys))
        return keys

    def allow(self, other: Other) -> None:
        """Put `other` on the list; it replaces an entry of the same name.

        Raises `ConfigurationError` for an invalid name or key, and for a host that is missing or does not belong to the
        role.
        """
        if not _NAME.fullmatch(other.name):
            raise ConfigurationError(f"{other.name!r} is not a name: use up to 64 letters, digits, dots and dashes")
        require_key(other.public)
        if (other.role is Role.SERVE) != bool(other.host):
            raise ConfigurationError(
                "--role serve needs --host, the address of the serving machine; no other role does"
            )
        self._write((*(each for each in self.others() if each.name != other.name), other))

    def revoke(self, name: str) -> None:
        """Remove `name` from the list. Raises `ConfigurationError` when the list lacks it."""
        others = self.others()
        if all(each.name != name for each in others):
            known = ", ".join(each.name for each in others) or "nobody"
            raise ConfigurationError(f"{name!r} is not on the list; on it: {known}")
        self._write(tuple(each for each in others if each.name != name))

    def _write(self, others: tuple[Other, ...]) -> None:
        make_folder(self.folder)
        with atomic_write(self.folder / OTHERS) as beside:
            beside.touch(0o600)
            beside.chmod(0o600)  # a list that others can change is not taken
            beside.write_bytes(msgspec.json.format(msgspec.json.encode(others), indent=2) + b"\n")


def require_key(text: str) -> None:
    """Raise `ConfigurationError` unless `text` is a CURVE key in Z85."""
    if not _is_key(text):
        raise ConfigurationError(
            f"{printable(text, KEY_LENGTH)!r} is not a public key; `worldarm keys list` prints one of 40 characters"
        )


def _is_key(text: str) -> bool:
    try:
        return len(text) == KEY_LENGTH and len(z85.decode(text.encode("ascii"))) == 32
    except (ValueError, KeyError, struct.error):
        return False


def _public_of(secret: str) -> str:
    return zmq.curve_public(secret.encode()).decode()


def _decoded(path: Path) -> tuple[Other, ...]:
    """Return the entries of the list in `path`. Raises `OSError` and `ConfigurationError`."""
    content = read_bounded(path, MAX_KEY_FILE_BYTES)
    if path.stat().st_mode & 0o022:
        raise ConfigurationError(f"{path} can be changed by other users: `chmod go-w {path}`, and check its entries")
    try:
        others = msgspec.json.decode(content, type=tuple[Other, ...])
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{path} is damaged ({printable(str(error))}): repair or delete it") from error
    if len(others) > MAX_KEYS:
        raise ConfigurationError(f"{path} has {len(others)} entries; at most {MAX_KEYS} are taken")
    for other in others:
        if not (_NAME.fullmatch(other.name) and _is_key(other.public)):
            raise ConfigurationError(f"{path}: the entry {printable(other.name, 64)!r} is damaged: repair or delete it")
    return others


def usual_keyring() -> Keyring:
    """Return this user's keyring: the folder $XDG_CONFIG_HOME/worldarm/keys, usually ~/.config/worldarm/keys."""
    config = os.environ.get("XDG_CONFIG_HOME", "")
    base = Path(config) if os.path.isabs(config) else Path.home() / ".config"
    return Keyring(base / "worldarm" / "keys")
