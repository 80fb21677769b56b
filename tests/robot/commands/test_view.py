"""Watching: arm, cameras and an agent's decisions on a page, of processes that come and go; nothing can be moved."""

import signal
import time
from contextlib import closing
from pathlib import Path

import pytest

from robot.wire import topics
from robot.wire.camera_spec import CameraSpec
from robot.wire.entity_mark import EntityMark
from robot.wire.messages import DecisionReport, Frame, encode
from robot.wire.publisher import Publisher
from tests.commands import Running, worldarm
from tests.commands import running as command
from tests.robot.driver.checks import now
from tests.robot.driver.command import DriverProcess, until
from tests.robot.kinematic_arm import Options
from tests.robot.web.page import Page
from tests.robot.wire.decision_reports import report

NOW, WANTED, IMAGINED = (4.0, 4.0), (12.0, 4.0), (8.0, 12.0)
MARK = EntityMark("blue", (0, 0, 255), (NOW,), (WANTED,), ((IMAGINED,),))


def address_of(view: Running) -> str:
    """The address of the page."""
    assert view.first_line.startswith("view: "), view.end()[2]
    return view.first_line.partition("page ")[2].partition(";")[0]


def publish(agent: Publisher, report: DecisionReport) -> None:
    """As an agent does."""
    agent.send(topics.DECISION, encode(report, 1, report.time_ns))


def test_it_shows_what_an_agent_thinks_and_offers_nothing_to_move_the_arm_with(
    running: DriverProcess, tmp_path: Path
) -> None:
    with closing(Publisher("tcp://127.0.0.1:*", 8)) as agent:
        words = ("--command-address", running.command, "--decisions-address", agent.endpoint, "--port", "0")
        with command("view", *words, "--camera", "tcp://127.0.0.1:9") as view:
            assert view.first_line.startswith("view: "), view.end()[2]
            url = view.first_line.partition("page ")[2].partition(";")[0]
            with Page(url) as page, running.client() as client:
                until(lambda: "no agent is running" in page.text and "lease: <b>free</b>" in page.text)
                client.acquire("someone", 5.0)
                until(lambda: "lease: <b>someone</b>" in page.text)
                client.give_back()
                decisions = iter(range(1_000_000))

                def sent(*told: str) -> bool:
                    publish(agent, report(next(decisions)))
                    time.sleep(0.05)
                    return all(each in page.text for each in told)

                until(lambda: sent("agent: <b>moving</b>", "1 sub-goal ahead", "decided in 21 ms"))
                publish(agent, report(0, (4, 4, 3)))
                until(lambda: "as a picture of (4, 4, 3)" in page.text)
                until(lambda: sent("blocks to go"))
                assert not page.shows("STOP") and "/handle" not in page.parts
                page.send("GuiUpdateMessage", uuid="nothing", updates={"value": True})
                assert now(client).holder == ""
            status, out, error = view.end(signal.SIGINT)
            assert (status, out, error) == (130, "", "worldarm: interrupted\n")


def test_it_shows_nothing_of_a_driver_that_ended_and_the_next_one_when_it_is_there(tmp_path: Path) -> None:
    with DriverProcess(tmp_path) as first:
        words = ("--command-address", first.command, "--port", "0", "--camera", "tcp://127.0.0.1:9")
        with command("view", *words) as view, Page(address_of(view)) as page:
            until(lambda: "lease: <b>free</b>" in page.text)
            first.kill()
            gone = f"the driver at {first.command} is gone"
            until(lambda: f"<b>{gone}" in page.text and not page.parts["/arm/0"]["visible"])
            until(lambda: "lease:" not in page.text)
            with DriverProcess(tmp_path, command=first.command) as second:
                assert second.state != first.state
                until(lambda: "lease: <b>free</b>" in page.text and page.parts["/arm/0"]["visible"])
                assert gone not in page.text
            with DriverProcess(tmp_path, Options(named="crane"), command=first.command):
                status, out, err = view.end()
    assert status == 1 and "now runs the arm 'crane'" in err
    assert [line.partition(f"{first.command} ")[2] for line in out.splitlines()] == [
        "is gone: no state for 1 s; waiting until it is there",
        "is there again",
        "is gone: no state for 1 s; waiting until it is there",
    ]


def test_pictures_of_another_camera_are_not_shown(running: DriverProcess) -> None:
    with closing(Publisher("tcp://127.0.0.1:*", 8)) as camera:
        words = ("--command-address", running.command, "--port", "0", "--camera", camera.endpoint)
        with command("view", *words) as view, Page(address_of(view)) as page:
            shown: dict[str, object] = {}

            def sent(name: str, *told: str) -> bool:
                spec = CameraSpec(name, 4, 4, (4.0, 4.0), (2.0, 2.0))
                frame = Frame(time.monotonic_ns(), 0, spec, "rgb8", bytes(48))
                camera.send(topics.FRAME, encode(frame, 0, time.monotonic_ns()))
                time.sleep(0.05)
                shown.update({str(part.get("label")): part for part in list(page.parts.values())})
                return all(each in page.text for each in told)

            until(lambda: sent("front", "camera front") and "front" in shown)
            until(lambda: sent("<b>side", "now sends pictures of the camera &#x27;&lt;b&gt;side&#x27; (4x4, rgb8)"))
            assert "<b>side" not in shown and "began with &#x27;front&#x27;" in page.text
            until(lambda: sent("front") and "now sends pictures" not in page.text)


def test_it_marks_what_an_agent_sees_wants_and_imagines_in_the_pictures_of_the_agent_s_camera_only(
    running: DriverProcess,
) -> None:
    def ringed(page: Page, label: str) -> list[bool]:
        """Whether there is a ring round each of the three places, in the picture of this label."""
        shown = page.picture(label).astype(int)
        if shown.shape != (320, 320, 3):
            return []
        rings = [shown[20 * int(y) - 11 : 20 * int(y) - 6, 20 * int(x)] for x, y in (NOW, WANTED, IMAGINED)]
        return [bool((ring[:, 2] - ring[:, 0] > 100).any()) for ring in rings]

    with (
        closing(Publisher("tcp://127.0.0.1:*", 8)) as agent,
        closing(Publisher("tcp://127.0.0.1:*", 8)) as front,
        closing(Publisher("tcp://127.0.0.1:*", 8)) as side,
    ):
        words = ("--command-address", running.command, "--decisions-address", agent.endpoint, "--port", "0")
        with (
            command("view", *words, "--camera", front.endpoint, side.endpoint) as view,
            Page(address_of(view)) as page,
        ):

            def shown(*labels: str) -> list[list[bool]]:
                publish(agent, report(100, entities=(MARK,)))
                for name, camera in (("front", front), ("side", side)):
                    spec = CameraSpec(name, 16, 16, (4.0, 4.0), (2.0, 2.0))
                    frame = Frame(time.monotonic_ns(), 0, spec, "rgb8", bytes([120] * 16 * 16 * 3))
                    camera.send(topics.FRAME, encode(frame, 0, time.monotonic_ns()))
                time.sleep(0.05)
                return [ringed(page, label) for label in labels if page.shows(label)]

            until(lambda: shown("goal", "imagined") == [[False, True, False], [False, False, True]])
            until(lambda: shown("front", "side") == [[True, False, False], [False, False, False]])


def test_without_a_driver_it_says_so() -> None:
    result = worldarm("view", "--command-address", "tcp://127.0.0.1:9", "--port", "0")
    assert result.returncode == 1 and "is it running there?" in result.stderr


def test_the_same_goes_into_a_file_for_rerun(running: DriverProcess, tmp_path: Path) -> None:
    pytest.importorskip("rerun")
    log = tmp_path / "log.rrd"
    with closing(Publisher("tcp://127.0.0.1:*", 8)) as agent:
        words = ("--command-address", running.command, "--decisions-address", agent.endpoint, "--port", "0")
        with command("view", *words, "--camera", "tcp://127.0.0.1:9", "--rerun", str(log)) as view:
            assert view.first_line.startswith("view: "), view.end()[2]
            for number in range(20):
                publish(agent, report(number, entities=() if number < 10 else (MARK,)))
                time.sleep(0.05)
            assert view.end(signal.SIGINT)[0] == 130
    data = log.read_bytes()
    assert data.startswith(b"RRF")
    for entity in (b"agent/distance", b"agent/goal", b"arm/0", b"joints/panda_joint1/measured", b"agent/goal/things"):
        assert entity in data
