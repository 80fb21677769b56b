"""Publishes messages to all subscribers that may watch, through a process of its own that no subscriber can use to
delay this one."""

from __future__ import annotations

from types import TracebackType

from robot.wire.broker import Broker, Task

_MODULE = "robot.wire.publisher_process"


class Publisher:
    """Publishes at `address`, with a queue of at most `queue` messages for each slow subscriber; `endpoint` is the
    address actually bound. Other machines need keys to connect; with `curve`, this machine's processes need keys too.

    Raises `ConfigurationError` and `AddressInUse`, as `sockets.bind` and `sockets.gate_for` do, and `ConnectionLost`
    when the process does not start.
    """

    def __init__(self, address: str, queue: int, curve: bool = False) -> None:
        self._broker = Broker(_MODULE, Task(address, queue, curve))
        self.endpoint = self._broker.endpoint

    def send(self, topic: bytes, payload: bytes, patience_s: float = 0.0) -> bool:
        """Send `payload` on `topic` without waiting for any subscriber; return whether it left this process. It does
        not when the process that publishes is behind, and has no room for it within `patience_s`."""
        return self._broker.send([topic, payload], patience_s)

    def close(self) -> None:
        """Unbind."""
        self._broker.close()

    def __enter__(self) -> Publisher:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
