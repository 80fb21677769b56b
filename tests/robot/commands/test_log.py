"""`worldarm log`: what it shows of a driver that was used and then killed, the file it exports, and its replay."""

import json
import shutil
from pathlib import Path

import pytest
from mcap.reader import make_reader

from robot.errors import Refused
from robot.flight_log.records import Changed, Closed, Measured, Ticked, WaypointsReceived, read_flight_log
from tests.commands import in_process
from tests.robot.driver.checks import away, move, now
from tests.robot.driver.command import DriverProcess, until


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The flight log of a driver that moved, refused, was stopped and reset, moved again and was killed in motion."""
    folder = tmp_path_factory.mktemp("used")
    with DriverProcess(folder) as process, process.client() as client:
        client.acquire("someone", 5.0)
        move(client, away(6, 0.4, 0.5))
        until(lambda: now(client).governed_velocity[6] > 0.1)
        client.stop("a hand came near")
        with pytest.raises(Refused):
            client.acquire("someone", 5.0)
        client.reset()
        until(lambda: max(map(abs, now(client).governed_velocity)) == 0.0)
        client.acquire("another", 5.0)
        move(client, away(6, 0.8, 0.9))
        until(lambda: now(client).governed_velocity[6] > 0.1)
        # The log is written beside the loop, and is to hold what is asked for below.
        until(lambda: sum(isinstance(each, WaypointsReceived) for each in read_flight_log(folder / "black-box")) == 2)
        process.kill()
    return folder / "black-box"


def test_the_last_minutes_are_told_line_by_line(used: Path) -> None:
    shown = in_process("log", "show", str(used))
    assert shown.returncode == 0, shown.stderr
    lines = [line.partition("  ")[2] for line in shown.stdout.splitlines()[1:]]
    expected = [
        "run ",
        "took over at (",
        "mode active, lease: someone",
        "AcquireLease, lease: someone",
        "1 waypoint(s) over ",
        "came to rest as quickly as the limits allow",
        "mode stopped (a hand came near), lease: free",
        "Stop, lease: free",
        "AcquireLease refused: stopped: a hand came near",
        "mode idle, lease: free",
        "Reset, lease: free",
        "mode active, lease: another",
        "1 waypoint(s) over ",
    ]
    at = 0
    for words in expected:
        at = next(i for i in range(at, len(lines)) if lines[i].startswith(words)) + 1
    assert "killed, or running still" in shown.stdout.splitlines()[0]
    assert not any(line.startswith(("set-point", "measured")) for line in lines)
    everything = in_process("log", "show", str(used), "--everything", "--last", "0.1")
    assert sum("set-point" in line for line in everything.stdout.splitlines()) in range(2, 28)


def test_it_replays_to_the_last_bit_and_says_when_it_does_not(used: Path, tmp_path: Path) -> None:
    replayed = in_process("log", "replay", str(used))
    assert replayed.returncode == 0, replayed.stderr
    assert "2 commands replayed, every set-point the same" in replayed.stdout


def test_the_export_is_what_the_fields_own_reader_reads(used: Path, tmp_path: Path) -> None:
    exported = in_process("log", "export", str(used), "--output", str(tmp_path / "a.mcap"))
    assert exported.returncode == 0, exported.stderr
    records = list(read_flight_log(used))
    with (tmp_path / "a.mcap").open("rb") as stream:
        reader = make_reader(stream, validate_crcs=True)
        messages = [
            (channel.topic, json.loads(message.data), message) for _, channel, message in reader.iter_messages()
        ]
        assert {channel.topic for channel in reader.get_summary().channels.values()} == {
            "/set_point",
            "/measured",
            "/events",
        }
    assert len(messages) == len(records)
    points = [body for topic, body, _ in messages if topic == "/set_point"]
    assert points[-1]["position"] == list([each for each in records if isinstance(each, Ticked)][-1].governed)
    assert any(body["event"] == "Asked" and body["refused"] for topic, body, _ in messages if topic == "/events")


def test_without_a_driver_there_is_nothing_to_show(tmp_path: Path) -> None:
    for command in ("show", "export", "replay"):
        nothing = in_process("log", command, str(tmp_path))
        assert (nothing.returncode, nothing.stdout) == (1, "")
        assert "no flight log" in nothing.stderr


@pytest.mark.parametrize("ends", ["in order", "killed"])
def test_a_driver_notes_all_until_its_end(tmp_path: Path, ends: str) -> None:
    with DriverProcess(tmp_path) as process, process.client() as client:
        until(lambda: now(client).tick > 40)  # what a killed driver noted in its last instants may be lost
        if ends == "in order":
            process.end()
        else:
            process.kill()
    records = list(read_flight_log(tmp_path / "black-box"))
    assert isinstance(records[-1], Closed) == (ends == "in order")
    assert sum(isinstance(record, Ticked) for record in records) > 20
    assert sum(isinstance(record, Measured) for record in records) > 20
    assert any(isinstance(record, Changed) and record.mode == "stopped" for record in records) == (ends == "in order")
    # Another goes on in the same place, and what was there stays readable.
    with DriverProcess(tmp_path) as process, process.client() as client:
        until(lambda: now(client).tick > 5)
    assert len(list(read_flight_log(tmp_path / "black-box"))) > len(records)
    shutil.rmtree(tmp_path / "black-box")
