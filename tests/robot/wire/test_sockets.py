"""Loopback in the clear and nothing else, and a taken port is told in plain words."""

import pytest
import zmq

from robot.errors import AddressInUse, ConfigurationError
from robot.wire import sockets
from robot.wire.keyring import Role
from robot.wire.limits import MAX_MESSAGE_BYTES


@pytest.mark.parametrize(
    ("address", "endpoint", "loopback"),
    [
        ("tcp://127.0.0.1:5551", "tcp://127.0.0.1:5551", True),
        ("tcp://127.0.0.1:*", "tcp://127.0.0.1:*", True),
        ("tcp://127.8.0.1:0", "tcp://127.8.0.1:0", True),
        ("tcp://localhost:5551", "tcp://127.0.0.1:5551", True),
        ("tcp://[::1]:5551", "tcp://[::1]:5551", True),
        ("tcp://0.0.0.0:5551", "tcp://0.0.0.0:5551", False),
        ("tcp://*:5551", "tcp://0.0.0.0:5551", False),
        ("tcp://192.168.1.2:5551", "tcp://192.168.1.2:5551", False),
        ("tcp://[::]:5551", "tcp://[::]:5551", False),
        ("tcp://127.0.0.1.example.com:5551", "tcp://127.0.0.1.example.com:5551", False),
        ("tcp://arm-computer:5551", "tcp://arm-computer:5551", False),
    ],
)
def test_an_address_is_this_machines_own_or_not(address: str, endpoint: str, loopback: bool) -> None:
    assert (sockets.parse(address).endpoint, sockets.parse(address).loopback) == (endpoint, loopback)


@pytest.mark.parametrize(
    "address",
    [
        "tcp://127.0.0.1",
        "tcp://127.0.0.1:",
        "tcp://127.0.0.1:65536",
        "tcp://127.0.0.1:-1",
        "tcp://127.0.0.1:٣",
        "tcp://127.0.0.256:5551",
        "tcp://:5551",
        "tcp://eth0;127.0.0.1:5551",
        "tcp://-arm:5551",
        "ipc:///tmp/arm",
        "inproc://arm",
        "127.0.0.1:5551",
        "",
    ],
)
def test_what_is_no_address_is_refused_before_a_socket_sees_it(address: str) -> None:
    with pytest.raises(ConfigurationError, match=r"tcp://127\.0\.0\.1|port"):
        sockets.parse(address)


@pytest.mark.parametrize("address", ["tcp://0.0.0.0:*", "tcp://*:*", "tcp://[::]:*"])
def test_nothing_is_bound_where_others_reach_it_without_a_gate(address: str) -> None:
    with zmq.Context() as context, sockets.make(context, zmq.PUB, 1) as one:
        with pytest.raises(ConfigurationError, match="only with keys"):
            sockets.bind(one, address, Role.WATCH, MAX_MESSAGE_BYTES)
        with pytest.raises(ConfigurationError, match="worldarm keys new"):
            sockets.gate_for(context, address)


def test_nothing_connects_to_another_machine_whose_key_is_not_known() -> None:
    with zmq.Context() as context, sockets.make(context, zmq.SUB, 1) as one:
        with pytest.raises(ConfigurationError, match=r"no key of 192\.168\.1\.2 is known"):
            sockets.connect(one, "tcp://192.168.1.2:5551")
        with pytest.raises(ConfigurationError, match="names no machine"):
            sockets.connect(one, "tcp://*:5551")


def test_where_all_addresses_are_bound_the_one_reached_is_told() -> None:
    assert sockets.seen_from("tcp://10.0.0.7:5552", "tcp://0.0.0.0:5551") == "tcp://10.0.0.7:5551"
    assert sockets.seen_from("tcp://10.0.0.7:5552", "tcp://10.0.0.8:5551") == "tcp://10.0.0.8:5551"


@pytest.mark.parametrize("port", ["*", "0"])
def test_a_chosen_port_is_filled_in_and_cannot_be_bound_twice(port: str) -> None:
    with zmq.Context() as context, sockets.make(context, zmq.PUB, 1) as one, sockets.make(context, zmq.PUB, 1) as two:
        endpoint = sockets.bind(one, f"tcp://127.0.0.1:{port}", Role.WATCH, MAX_MESSAGE_BYTES)
        assert int(endpoint.rpartition(":")[2]) > 0
        with pytest.raises(AddressInUse, match="held by another process"):
            sockets.bind(two, endpoint, Role.WATCH, MAX_MESSAGE_BYTES)


def test_one_cannot_connect_to_a_port_yet_to_be_chosen() -> None:
    with (
        zmq.Context() as context,
        sockets.make(context, zmq.SUB, 1) as one,
        pytest.raises(ConfigurationError, match="printed one"),
    ):
        sockets.connect(one, "tcp://127.0.0.1:*")
