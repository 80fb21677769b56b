"""The first run of a UR and a Franka arm whose set-points reach the wrong joint: their encoders show it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from robot.client.client import Client
from robot.errors import Refused
from robot.first_run.joints import JointChecks
from robot.first_run.operator import ENTER
from tests.robot.driver.command import until
from tests.robot.first_run.miswired import JOINT
from tests.robot.hardware.arm_bench import FRANKA, UR, Bench, Driving, driver_process, standing

pytestmark = [pytest.mark.real_time, pytest.mark.alone]


class Trusting:
    """A person who starts every motion and sees nothing wrong."""

    def say(self, line: str) -> None:
        pass

    def ask(self, question: str, answers: Mapping[str, str]) -> str:
        return ENTER if ENTER in answers else "y"

    def pressed(self) -> bool:
        return False


@pytest.fixture(scope="module", params=[UR, FRANKA], ids=lambda bench: bench.name)
def wired(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Client, Path]]:
    """A client of the arm's driver, and the file that names the fault between the two."""
    bench: Bench = request.param
    folder = tmp_path_factory.mktemp("wired")
    package = folder / "miswired-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: miswired\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text("[worldarm.arms]\nmiswired = tests.robot.first_run.miswired:make_arm\n")
    fault = folder / "fault"
    fault.write_text("none")
    with standing(bench, folder) as stand:
        address = f"{bench.name}|{stand.words[-1]}|{fault}"
        words = ("--arm", "miswired", "--address", address, "--flight-log", str(folder / "log"))
        with driver_process(*words, paths=(folder,)) as process:
            driving = Driving(process)
            assert driving.command, driving.first_line + process.communicate(timeout=300)[1]
            with driving.client() as client:
                yield client, fault


@pytest.mark.parametrize(
    "fault, says",
    [
        ("none", ""),
        ("swapped", "turned in its place"),
        ("inverted", "inverted"),
        ("dead", "did not turn"),
        ("narrow", "wider than it can turn"),
    ],
)
def test_the_encoders_show_where_a_set_point_went(wired: tuple[Client, Path], fault: str, says: str) -> None:
    client, file = wired
    checks = JointChecks(client, Trusting())
    file.write_text(fault)
    seen = file.with_suffix(".seen")
    until(lambda: seen.exists() and seen.read_text() == fault)
    try:
        found = checks.range(JOINT, upper=True) if fault == "narrow" else checks.direction(JOINT)
    finally:
        file.write_text("none")
        until(lambda: _well(client))
    assert found.joint == client.arm.joint_names[JOINT]
    assert (found.result, says in found.found) == ("failed" if says else "passed", True), found


def _well(client: Client) -> bool:
    """Whether the arm can be moved; a fault that the driver noticed is reset."""
    try:
        if client.state(10.0).mode == "fault":
            client.reset()
        return client.state(10.0).mode != "fault"
    except Refused:
        return False
