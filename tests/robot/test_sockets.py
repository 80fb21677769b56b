"""Loopback and nothing else, and a taken port is told in plain words."""

import pytest
import zmq

from robot import sockets
from robot.errors import AddressInUse, ConfigurationError


@pytest.mark.parametrize(
    ("address", "endpoint"),
    [
        ("tcp://127.0.0.1:5551", "tcp://127.0.0.1:5551"),
        ("tcp://127.0.0.1:*", "tcp://127.0.0.1:*"),
        ("tcp://127.8.0.1:0", "tcp://127.8.0.1:0"),
        ("tcp://localhost:5551", "tcp://127.0.0.1:5551"),
        ("tcp://[::1]:5551", "tcp://[::1]:5551"),
    ],
)
def test_loopback_addresses_pass(address: str, endpoint: str) -> None:
    assert sockets.loopback(address) == endpoint


@pytest.mark.parametrize(
    "address",
    [
        "tcp://0.0.0.0:5551",
        "tcp://*:5551",
        "tcp://192.168.1.2:5551",
        "tcp://[::]:5551",
        "tcp://127.0.0.1.example.com:5551",
        "tcp://example.com:5551",
        "tcp://127.0.0.1",
        "tcp://127.0.0.1:",
        "tcp://127.0.0.1:65536",
        "tcp://127.0.0.1:-1",
        "tcp://127.0.0.1:٣",
        "tcp://:5551",
        "tcp://eth0;127.0.0.1:5551",
        "ipc:///tmp/arm",
        "inproc://arm",
        "127.0.0.1:5551",
        "",
    ],
)
def test_everything_else_is_refused_before_a_socket_sees_it(address: str) -> None:
    with pytest.raises(ConfigurationError, match=r"tcp://127\.0\.0\.1|port"):
        sockets.loopback(address)


@pytest.mark.parametrize("port", ["*", "0"])
def test_a_chosen_port_is_filled_in_and_cannot_be_bound_twice(port: str) -> None:
    with zmq.Context() as context, sockets.make(context, zmq.PUB, 1) as one, sockets.make(context, zmq.PUB, 1) as two:
        endpoint = sockets.bind(one, f"tcp://127.0.0.1:{port}")
        assert int(endpoint.rpartition(":")[2]) > 0
        with pytest.raises(AddressInUse, match="held by another process"):
            sockets.bind(two, endpoint)


def test_one_cannot_connect_to_a_port_yet_to_be_chosen() -> None:
    with (
        zmq.Context() as context,
        sockets.make(context, zmq.SUB, 1) as one,
        pytest.raises(ConfigurationError, match="printed one"),
    ):
        sockets.connect(one, "tcp://127.0.0.1:*")
