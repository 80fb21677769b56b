"""`worldarm record` as a person and as a script use it, with the simulated arm and a camera that shows a film."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from robot.client.scene_client import SceneClient
from robot.dataset import Dataset
from robot.dataset.edit.check import check
from robot.dataset.edit.repair import repair
from robot.dataset.format.columns import ABSENT_BELOW_M
from robot.embodiment.actions import TABLETOP
from robot.embodiment.description import read_recorded_embodiment
from robot.embodiment.joint_displacement import JointDisplacement
from sim.tasks.rearrange import Rearrangement
from sim.world.panda import panda_spec
from tests.commands import running, worldarm
from tests.perception.recording.lens import Lens
from tests.robot.driver.command import until
from tests.robot.teleop.person import Person
from tests.sim.execution.process_table import SimulatedDriver, simulated_driver
from worldarm import main


@pytest.fixture(scope="module")
def driver() -> Iterator[SimulatedDriver]:
    with simulated_driver() as process:
        yield process


@pytest.fixture(scope="module")
def lens() -> Iterator[Lens]:
    with Lens() as camera:
        yield camera


def words(root: Path, driver: SimulatedDriver, lens: Lens, *more: str) -> list[str]:
    addresses = ["--camera", f"front={lens.endpoint}", "--command-address", driver.command]
    return ["record", "--dataset", str(root), "--task", "wait", *addresses, *more]


@pytest.mark.real_time
def test_a_person_records_with_keys(driver: SimulatedDriver, lens: Lens, tmp_path: Path) -> None:
    root = tmp_path / "set"
    with Person(*words(root, driver, lens)) as person:
        person.sees("s start   k keep   d discard")
        person.sees("ready episode 0")
        person.type("k")
        person.sees("there is no episode to keep: start one")
        person.type("s")
        person.sees("recording episode 0")
        person.type("t")
        person.sees("type the task and ENTER")
        person.type("ein Würfel\x7flchen\r")
        person.type("k")
        person.sees("episode 0 is saved")
        person.type("s")
        person.sees("recording episode 1")
        person.type("r")
        person.type("t")
        person.type("nothing of this\x1b")
        person.type("d")
        person.sees("discarded")
        person.type("s")
        person.sees("recording episode 1 | 0.")
        person.type("x")  # what is under way is forgotten
        assert person.end() == 0
        person.sees("record: 1 episodes kept in ")
        assert person.restored()
    assert check(root).sound
    assert [episode.tasks for episode in Dataset.open(root).episodes] == [("ein Würfelchen",)]


@pytest.mark.real_time
def test_episodes_of_a_set_length_are_recorded_without_a_hand(
    driver: SimulatedDriver, lens: Lens, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "set"
    with SceneClient(driver.state) as scenes:
        before = scenes.latest(5.0)
        assert main(words(root, driver, lens, "--episodes", "2", "--episode-s", "0.5", "--reset-s", "0.1")) == 0
        after = scenes.latest(5.0, epoch=before.epoch + 2)
    told = capsys.readouterr().out
    assert told.count("the scene was reset: ") == 2 and told.count(" is saved, ") == 2
    assert told.startswith("record: panda-sim seen by front 32x24 into ") and "2 episodes kept" in told
    assert {item.name for item in after.objects if item.position[2] > 0} <= {item.name for item in after.objects}
    assert check(root).sound and Dataset.open(root).lengths.tolist() == [15, 15]
    assert re.search(r"episode 1 is saved, \d+\.\d\d s after it was kept", told)


@pytest.mark.real_time
def test_displacements_of_the_joints_are_recorded_for_the_arm_that_is_there(
    driver: SimulatedDriver, lens: Lens, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "set"
    hands_free = ("--episodes", "1", "--episode-s", "0.5", "--reset-s", "0.1")
    assert main(words(root, driver, lens, "--actions", "joints", *hands_free)) == 0
    assert "the scene was reset: " in capsys.readouterr().out
    recorded = read_recorded_embodiment(Dataset.open(root).info)
    assert recorded is not None and recorded.action == JointDisplacement.of(panda_spec())
    other = words(root, driver, lens, *hands_free)
    assert main(other) == 1 and "was recorded for other actions" in capsys.readouterr().err


def test_ctrl_c_and_sigkill_leave_what_was_kept(driver: SimulatedDriver, lens: Lens, tmp_path: Path) -> None:
    for how, status in ((signal.SIGINT, 130), (signal.SIGKILL, -9)):
        root = tmp_path / how.name
        hands_free = ("--episodes", "1000", "--episode-s", "0.3", "--reset-s", "0")
        with running(*words(root, driver, lens, *hands_free)) as process:
            told = ""
            assert process.process.stdout is not None
            while told.count(" is saved, ") < 2:
                line = process.process.stdout.readline()
                assert line, "the recording ended"
                told += line
            code, rest, _ = process.end(how)
        assert code == status
        kept = (told + rest).count(" is saved, ")
        report = repair(root)
        assert kept <= report.episodes <= kept + 2 and check(root).sound
        if how is signal.SIGINT:
            assert report.sound, "Ctrl-C leaves nothing to mend"


def test_the_scene_is_not_reset_while_somebody_has_the_arm(driver: SimulatedDriver, lens: Lens, tmp_path: Path) -> None:
    with driver.client() as client, Person(*words(tmp_path / "set", driver, lens)) as person:
        person.sees("ready episode 0")
        client.acquire("somebody", 10.0)
        person.type("n")
        until(lambda: client.renew() and "the scene was not reset" in person.screen)
        assert "somebody" in person.screen and "then reset the scene" in person.screen
        client.release()
        assert person.end(signal.SIGINT) == 130
        assert person.restored()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--episodes", "0"), "--episodes must be at least 1"),
        (("--episodes", "1", "--episode-s", "0"), "--episode-s must be"),
        (("--episodes", "1", "--reset-s", "-1"), "--reset-s must be"),
        (("--episodes", "1", "--fps", "0"), "--fps must be"),
        (("--episodes", "1", "--longest-s", "0"), "from 1 to 3600 s"),
        (("--episodes", "1", "--camera", "a/b=tcp://127.0.0.1:5"), "without '/'"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_written(
    more: tuple[str, ...],
    said: str,
    driver: SimulatedDriver,
    lens: Lens,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(words(tmp_path / "set", driver, lens, *more)) == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "set").exists()


def test_keys_need_a_terminal(driver: SimulatedDriver, lens: Lens, tmp_path: Path) -> None:
    done = worldarm(*words(tmp_path / "set", driver, lens))
    assert done.returncode == 1 and "give --episodes N" in done.stderr and not (tmp_path / "set").exists()


def test_a_rearrangement_puts_tool_and_things_where_episodes_begin(driver: SimulatedDriver) -> None:
    rearrange = Rearrangement(driver.command, TABLETOP, seed=1)
    assert rearrange().startswith("the scene was reset: ")
    with driver.client() as client:
        state = client.state()
        assert state.holder == "" and np.isfinite(state.measured).all()
    with SceneClient(driver.state) as scenes:
        there = [item for item in scenes.latest(5.0).objects if item.position[2] > ABSENT_BELOW_M]
        assert 1 <= len(there) <= 3
