"""The gate of a process that others reach over the network: CURVE on its sockets, and who may pass, from a list that
takes effect while it runs."""

from __future__ import annotations

from types import TracebackType

import zmq
from zmq.auth.thread import ThreadAuthenticator

from robot.wire.keyring import Keyring, Role


class Gate:
    """Guards the sockets of one `context` with the keys of `keyring`: whoever connects proves to have its own key, and
    is let in when the list says so. Raises `ConfigurationError` when this machine has no keys."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], keyring: Keyring) -> None:
        self._keyring = keyring
        self._own = keyring.own()
        self._authenticator = ThreadAuthenticator(context)
        self._authenticator.start()
        for role in Role:
            self._authenticator.configure_curve_callback(role.value, _Provider(keyring, role))

    def guard(self, socket: zmq.Socket[bytes], role: Role) -> None:
        """Let nobody connect to `socket`, which is not bound yet, but who has `role`."""
        socket.curve_server = True
        socket.curve_publickey = self._own.public.encode()
        socket.curve_secretkey = self._own.secret.encode()
        socket.zap_domain = role.value.encode()

    def allows(self, public: str, role: Role) -> bool:
        """Whether the owner of the key `public` may do what `role` stands for, as of now."""
        return self._keyring.allows(public, role)

    def watchers(self) -> frozenset[str]:
        """Return the public keys of all that may watch, as of now: of nobody while the list cannot be read."""
        return self._keyring.holders(Role.WATCH)

    def close(self) -> None:
        """Let nobody in any more; to be called before the context ends."""
        self._authenticator.stop()

    def __enter__(self) -> Gate:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Provider:
    """What the authenticator asks for every key that wants in."""

    def __init__(self, keyring: Keyring, role: Role) -> None:
        self._keyring = keyring
        self._role = role

    def callback(self, _domain: str, key: bytes) -> bool:
        """Return whether whoever has the public `key` (Z85) is let in."""
        return self._keyring.allows(key.decode("ascii"), self._role)
