"""Keys: unknown, revoked and plain peers get nothing, each role gets what it is for, and the list changes while a
driver runs."""

from __future__ import annotations

import json
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import zmq
from hypothesis import given
from hypothesis import strategies as st

from robot.client.client import Client
from robot.errors import ConfigurationError, ConnectionLost, Refused
from robot.wire.keyring import OTHERS, OWN, Other, Role, includes, require_key
from robot.wire.messages import JointState
from robot.wire.subscription import Subscription
from tests.commands import in_process
from tests.robot.driver.checks import away, move, now
from tests.robot.driver.command import DriverProcess, until
from tests.robot.machines import HERE, Machines, user


@pytest.fixture
def machines(tmp_path: Path) -> Machines:
    return Machines(tmp_path)


@contextmanager
def guarded(machines: Machines) -> Iterator[DriverProcess]:
    with user(machines.folder / "driver"), DriverProcess(machines.folder, curve=True) as process:
        assert process.command, process.first_line
        yield process


def test_each_role_may_do_what_it_is_for_and_no_more(machines: Machines) -> None:
    people = {role: machines.person(role.value, role) for role in (Role.WATCH, Role.STOP, Role.COMMAND)}
    with guarded(machines) as process:
        for role, person in people.items():
            with user(person), process.client() as client:
                assert now(client).mode in ("idle", "holding")
                if role is Role.COMMAND:
                    client.acquire("me", 5.0)
                    move(client, away(6, 0.1, 0.5))
                    client.stop("enough")
                    client.reset()
                    continue
                for forbidden in (lambda c=client: c.acquire("me", 1.0), client.reset):
                    with pytest.raises(Refused, match="lacks the role command") as refused:
                        forbidden()
                    assert refused.value.reason == "not-allowed"
                if role is Role.WATCH:
                    with pytest.raises(Refused, match="lacks the role stop"):
                        client.stop("please")
                    assert now(client).mode == "idle"
                else:
                    client.stop("please")
                    until(lambda c=client: now(c).mode == "stopped")
                    with user(people[Role.COMMAND]), process.client() as other:
                        other.reset()


@pytest.mark.parametrize("who", ["unknown", "plain", "wrong server"])
def test_strangers_get_neither_an_answer_nor_a_state(machines: Machines, tmp_path: Path, who: str) -> None:
    stranger = machines.person("stranger", None)
    if who == "plain":
        stranger = tmp_path / "nobody"
    if who == "wrong server":
        stranger = machines.person("friend", Role.COMMAND)
        with user(stranger) as keyring:
            other = zmq.curve_keypair()[0].decode()
            keyring.allow(Other("arm", other, Role.SERVE, HERE))
    with guarded(machines) as process:
        with user(stranger):
            with pytest.raises(ConnectionLost):
                Client(process.command, 0.7)
            with Subscription(process.state, b"state", JointState) as states, pytest.raises(ConnectionLost):
                states.wait(0.7)
        with user(machines.person("later", Role.COMMAND)), process.client() as client:
            assert client.acquire("me", 1.0).holder == "me"


def test_whoever_is_revoked_is_cut_off_while_connected_and_others_are_not(machines: Machines) -> None:
    one, two = machines.person("one", Role.COMMAND), machines.person("two", Role.COMMAND)
    with guarded(machines) as process:
        with user(two):
            staying = process.client()
        with user(one), process.client(1.0) as client, staying:
            client.acquire("one", 5.0)
            move(client, away(6, 0.6, 3.0))
            machines.driver.revoke("one")
            with pytest.raises(Refused, match="lacks the role command"):
                client.renew()
            until(lambda: now(staying).mode == "holding")  # the lease lapsed, and the arm came to rest
            with pytest.raises(ConnectionLost):
                deadline = time.monotonic() + 10.0
                while time.monotonic() < deadline:
                    client.state(0.5)
            assert now(staying).mode == "holding"
            staying.acquire("two", 1.0)
            client._token = ""  # there is nothing it may give back


def test_a_list_that_cannot_be_read_lets_nobody_in(machines: Machines) -> None:
    person = machines.person("person", Role.COMMAND)
    with guarded(machines) as process, user(person), process.client(1.0) as client:
        (machines.driver.folder / OTHERS).write_text('[{"name": "per')
        with pytest.raises(Refused, match="lacks the role command"):
            client.acquire("me", 1.0)


def test_a_command_is_not_taken_twice(machines: Machines) -> None:
    with guarded(machines) as process, user(machines.person("person", Role.COMMAND)), process.client() as client:
        client.acquire("me", 5.0)
        move(client, away(6, 0.2, 0.5))
        client._sequence -= 1  # as one would who sends the same message again
        with pytest.raises(Refused) as refused:
            move(client, away(6, 0.2, 0.5))
        assert refused.value.reason == "stale-sequence"
        with user(machines.person("other", Role.COMMAND)), process.client() as other:
            with pytest.raises(Refused) as held:
                other.acquire("other", 1.0)
            assert held.value.reason == "held"
            other._token = client._token[:-1] + ("1" if client._token[-1] == "0" else "0")
            with pytest.raises(Refused) as foreign:
                move(other, away(6, 0.2, 0.5))
            assert foreign.value.reason == "not-holder"
            other._token = ""


def test_others_reach_a_driver_with_keys_alone(machines: Machines) -> None:
    with user(machines.folder / "nobody"), DriverProcess(machines.folder, state="tcp://0.0.0.0:*") as process:
        status, out, err = process.wait()
        assert (status, out) == (1, "")
        assert "worldarm keys new" in err
    with (
        user(machines.folder / "driver"),
        DriverProcess(machines.folder, state="tcp://0.0.0.0:*", command="tcp://0.0.0.0:*") as process,
    ):
        command = process.command.replace("0.0.0.0", HERE)
        with user(machines.folder / "nobody"), pytest.raises(ConnectionLost):
            Client(command, 0.7)
        with user(machines.person("person", Role.WATCH)), Client(command, 5.0) as client:
            assert client.state_address == process.state.replace("0.0.0.0", HERE)
            assert now(client).mode == "idle"


def test_the_commands_make_show_allow_and_revoke(tmp_path: Path) -> None:
    with user(tmp_path) as keyring:
        assert "own public key: none" in in_process("keys", "list").stdout
        made = in_process("keys", "new")
        public = made.stdout.split()[2]
        assert made.returncode == 0 and keyring.own().public == public
        assert keyring.own().secret not in made.stdout
        assert stat.S_IMODE((keyring.folder / OWN).stat().st_mode) == 0o600
        again = in_process("keys", "new")
        assert (again.returncode, keyring.own().public) == (1, public)
        other = zmq.curve_keypair()[0].decode()
        assert in_process("keys", "allow", "ann", other, "--role", "stop").returncode == 0
        assert keyring.others() == (Other("ann", other, Role.STOP),)
        shown = in_process("keys", "list").stdout.splitlines()
        assert shown == [f"own public key: {public}", f"{'ann':<20} stop     {other}"]
        for wrong in (
            ("allow", "ann", "short"),
            ("allow", "../ann", other),
            ("allow", "ann", other, "--role", "serve"),
            ("allow", "ann", other, "--host", "10.0.0.7"),
            ("revoke", "bob"),
        ):
            refused = in_process("keys", *wrong)
            assert (refused.returncode, refused.stdout) == (1, "")
            assert refused.stderr.startswith("worldarm: ")
        assert in_process("keys", "revoke", "ann").returncode == 0
        assert keyring.others() == ()


def test_keys_that_others_can_read_are_not_used(tmp_path: Path) -> None:
    with user(tmp_path) as keyring:
        keyring.make()
        (keyring.folder / OWN).chmod(0o644)
        with pytest.raises(ConfigurationError, match="chmod 600"):
            keyring.own()
        (keyring.folder / OWN).chmod(0o600)
        (keyring.folder / OWN).write_text(json.dumps({"public": "x", "secret": "y"}))
        with pytest.raises(ConfigurationError, match="damaged or do not belong together"):
            keyring.own()


@given(st.text(max_size=60))
def test_no_text_is_a_key_but_a_key(text: str) -> None:
    with pytest.raises(ConfigurationError):
        require_key(text if len(text) != 40 else text[1:])


def test_roles_include_one_another_in_order() -> None:
    order = [Role.WATCH, Role.STOP, Role.COMMAND]
    for has, role in enumerate(order):
        for wants, wanted in enumerate(order):
            assert includes(role, wanted) == (has >= wants)
        assert not includes(role, Role.SERVE) and not includes(Role.SERVE, role)
