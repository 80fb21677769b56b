"""Access control of a process that other machines reach: CURVE on its sockets, and a list of allowed keys whose changes
take effect at once."""

from __future__ import annotations

from types import TracebackType

import zmq
from zmq.auth.thread import ThreadAuthenticator

from robot.wire.keyring import Keyring, Other, Role


class Gate:
    """Guards the sockets of one `context` with the keys of `keyring`: every client proves that it owns its key, and
    connects only when the list allows that key. Raises `ConfigurationError` when this machine has no keys."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], keyring: Keyring) -> None:
        self._keyring = keyring
        self._own = keyring.own()
        self._authenticator = ThreadAuthenticator(context)
        self._authenticator.start()
        for role in Role:
            self._authenticator.configure_curve_callback(role.value, _Provider(keyring, role))

    def guard(self, socket: zmq.Socket[bytes], role: Role) -> None:
        """Require `role` of every client of `socket`, which must not be bound yet."""
        socket.curve_server = True
        socket.curve_publickey = self._own.public.encode()
        socket.curve_secretkey = self._own.secret.encode()
        socket.zap_domain = role.value.encode()

    def role_of(self, public: str) -> Role | None:
        """Return the role that the key `public` has here at present; None when it has none."""
        return self._keyring.role_of(public)

    def listed(self) -> tuple[Other, ...]:
        """Return the list at present, the same object until it changes; empty while it cannot be read."""
        return self._keyring.readable()

    def holders(self, role: Role) -> frozenset[str]:
        """Return the public keys that have `role` at present; none while the list cannot be read."""
        return self._keyring.holders(role)

    def close(self) -> None:
        """Reject all new connections; must be called before the context ends."""
        self._authenticator.stop()

    def __enter__(self) -> Gate:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Provider:
    """The callback with which the authenticator checks every connecting key."""

    def __init__(self, keyring: Keyring, role: Role) -> None:
        self._keyring = keyring
        self._role = role

    def callback(self, _domain: str, key: bytes) -> bool:
        """Return whether a client with the public `key` (Z85) may connect."""
        return self._keyring.allows(key.decode("ascii"), self._role)
