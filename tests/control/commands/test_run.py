from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest

from control.model.trained_model import load_trained
from control.runtime.decision_publisher import DecisionPublisher
from perception.camera.image_file import save_picture
from perception.checkpoint.card import Card, HeadsConfig
from perception.checkpoint.files import WEIGHTS_FILE
from robot.wire.messages import JointState
from robot.wire.subscription import Subscription
from tests.commands import Running, in_process, running, worldarm
from tests.control.runtime.scripted_arm import (
    ANY_PORT,
    AT_ONCE,
    Stage,
    card,
    changed,
    checkpoint,
    entity_card,
    goal_file,
    stage,
    states,
    tool,
)
from tests.robot.driver.checks import S, assert_no_jump, now, steady
from worldarm import main

REMEMBERING = HeadsConfig(0.96, landmarks=2, masked=True)
RANDOM = ("--method", "random", "--blocks", "None")


@pytest.fixture(scope="module")
def here() -> Iterator[Stage]:
    with stage() as processes:
        yield processes


def in_motion(agent: Running, blocks: int = 4) -> None:
    """Wait until the agent has sent some blocks."""
    assert agent.process.stdout is not None
    assert agent.first_line.startswith("run: towards"), agent.end()
    for _ in range(blocks):
        line = agent.process.stdout.readline()
        assert line.startswith("block"), line


def assert_comes_to_hold(here: Stage, following: Subscription[JointState]) -> None:
    """Assert that the arm ramped to rest without a jump, and that no one has it."""
    deadline = time.monotonic() + 10.0
    with here.driver.client() as client:
        while (state := now(client)).mode != "holding" and time.monotonic() < deadline:
            time.sleep(0.02)
        state = steady(client)
    assert (state.mode, state.holder) == ("holding", "")
    following.drain()
    assert_no_jump(list(following.history))


@pytest.mark.real_time
@pytest.mark.alone
def test_runs_to_the_end_of_its_budget_and_tells(here: Stage, tmp_path: Path) -> None:
    result = worldarm(*here.words(tmp_path, "--method", "actor-only", "--blocks", "6"))
    assert (result.returncode, result.stderr) == (1, "")
    lines = result.stdout.splitlines()
    assert "method actor-only; decisions on tcp://127.0.0.1:" in lines[0]
    assert 2 <= sum(line.startswith("block") for line in lines) <= 6
    assert "not reached: 6 blocks are over" in lines[-3]
    assert "median" in lines[-2] and "p99" in lines[-2] and "late" in lines[-2]
    strip = cv2.imread(str(tmp_path / "out" / "strip.png"))
    assert strip.shape[0] >= 256 and strip.shape[1] >= 4 * 256
    assert str(tmp_path / "out" / "strip.png") in lines[-1]


@pytest.mark.real_time
@pytest.mark.alone
def test_what_a_camera_sends_is_cut_and_resized_and_so_is_what_was_snapped(tmp_path: Path) -> None:
    snapped = tmp_path / "snapped.png"
    with stage(160, 120) as wide:
        assert in_process("snap", "--output", str(snapped), "--camera", wide.frames).returncode == 0
        assert cv2.imread(str(snapped)).shape == (120, 160, 3)
        words = wide.words(tmp_path, "--blocks", "5")
        words[words.index("--goal") + 1] = str(snapped)
        checkpoint(tmp_path / "model", card(AT_ONCE))
        result = in_process(*words)
        assert (result.returncode, result.stderr) == (0, "")
        assert "run: camera front sends 160x120; the model sees the middle of it as 64x64" in result.stdout
        odd = tmp_path / "odd.png"
        save_picture(odd, np.zeros((64, 80, 3), np.uint8))
        words[words.index("--goal") + 1] = str(odd)
        result = in_process(*words)
        assert result.returncode == 1
        assert "is 80x64 pixels; the model sees camera front at 64x64, and gets 160x120" in result.stderr


@pytest.mark.real_time
@pytest.mark.alone
def test_a_goal_that_is_reached_is_status_0(here: Stage, tmp_path: Path) -> None:
    words = here.words(tmp_path)
    checkpoint(tmp_path / "model", msgspec.structs.replace(card(AT_ONCE), picture_errors=None))
    result = in_process(*words)
    assert (result.returncode, result.stderr) == (0, "")
    assert "cannot tell goal pictures that the model knows from others; `worldarm check --calibrate`" in result.stdout
    assert "\nreached: the world looks like the goal" in result.stdout
    with here.driver.client() as client:
        assert steady(client).mode == "holding"


@pytest.mark.real_time
@pytest.mark.alone
def test_of_several_goals_each_is_told(here: Stage, tmp_path: Path) -> None:
    words = here.words(tmp_path)
    at = words.index("--goal") + 1
    words.insert(at, words[at])
    checkpoint(tmp_path / "model", card(AT_ONCE))
    result = in_process(*words)
    assert (result.returncode, result.stderr) == (0, "")
    assert "\nsub-goal 1: reached after 1 blocks\nreached: the world looks like the goal" in result.stdout


def coloured_goal(path: Path) -> Path:
    """Write a goal picture with a red and a blue square."""
    picture = np.full((64, 64, 3), 120, np.uint8)
    picture[10:20, 10:20], picture[40:54, 30:44] = (217, 26, 26), (31, 64, 217)
    save_picture(path, picture)
    return path


@pytest.mark.real_time
@pytest.mark.alone
def test_of_a_goal_picture_some_things_may_be_all_that_matters(here: Stage, tmp_path: Path) -> None:
    words = here.words(tmp_path, "--only", "red_cube")
    checkpoint(tmp_path / "model", entity_card(AT_ONCE))
    coloured_goal(tmp_path / "goal.png")
    result = in_process(*words)
    assert (result.returncode, result.stderr) == (0, "")
    assert "run: in goal 1 these matter: red_cube (token" in result.stdout
    assert "\nreached: the world looks like the goal" in result.stdout


@pytest.mark.real_time
@pytest.mark.alone
def test_one_thing_is_moved_to_a_place_that_no_picture_shows(here: Stage, tmp_path: Path) -> None:
    run, _, _, *words = here.words(tmp_path, "--move", "red_cube", "--to", "0.5,0.1")
    checkpoint(tmp_path / "model", msgspec.structs.replace(entity_card(AT_ONCE), heads=REMEMBERING))
    result = in_process(run, *words)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("run: towards red_cube at 0.5,0.1 with")
    assert "run: in goal 1 these matter: red_cube (token" in result.stdout
    assert "\nreached: the world looks like the goal" in result.stdout
    assert cv2.imread(str(tmp_path / "out" / "strip.png")) is not None


def test_a_thing_that_the_camera_does_not_see_is_not_moved_onto(
    here: Stage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, _, _, *words = here.words(tmp_path, "--move", "red_cube", "--on", "blue_box")
    checkpoint(tmp_path / "model", msgspec.structs.replace(entity_card(), heads=REMEMBERING))
    assert "nothing blue is in the picture; seen are red" in told(capsys, run, *words)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "--goal needs at least one picture; or name a thing by --move"),
        (["--move", "red"], "--move needs either --to X,Y or --on THING"),
        (["--move", "red", "--to", "0.4;0.1"], "a place is two numbers, x and y in metres"),
        (["--to", "0.4,0.1"], "name the thing by --move"),
        (["--move", "red", "--on", "blue", "--goal", "goal.png"], "give it without --goal and --only"),
        (["--move", "red", "--on", "blue", "--only", "red"], "give it without --goal and --only"),
    ],
)
def test_options_of_which_no_goal_can_be_made_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert said in told(capsys, "run", "--checkpoint", str(checkpoint(tmp_path / "model")), *words)


@pytest.mark.parametrize(
    ("made", "only", "said"),
    [
        (card(), ["red"], "this one has a flat latent: train one with --sizes.entities 7 --heads.masks 0.65"),
        (
            msgspec.structs.replace(entity_card(), heads=HeadsConfig(0.96)),
            ["red"],
            "train its critic and actor with --heads.masks 0.65",
        ),
        (entity_card(), ["red", "green_cup"], "nothing green is in the picture; seen are blue, red"),
        (entity_card(), ["cup"], "'cup' names no colour; a thing is named by one colour"),
    ],
)
def test_things_that_cannot_be_picked_out_are_refused_before_anything_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], made: Card, only: list[str], said: str
) -> None:
    model, goal = checkpoint(tmp_path / "model", made), coloured_goal(tmp_path / "goal.png")
    words = [word for name in only for word in ("--only", name)]
    assert said in told(capsys, "run", "--goal", str(goal), "--checkpoint", str(model), *words)


@pytest.mark.real_time
@pytest.mark.alone
def test_ctrl_c_leaves_the_arm_holding(here: Stage, tmp_path: Path) -> None:
    with running(*here.words(tmp_path, *RANDOM)) as agent, states(here.driver.state) as following:
        in_motion(agent)
        status, _, err = agent.end(signal.SIGINT)
        assert (status, err) == (130, "worldarm: interrupted\n")
        assert_comes_to_hold(here, following)


@pytest.mark.real_time
@pytest.mark.alone
def test_a_killed_agent_leaves_the_arm_holding_and_the_next_one_takes_over(here: Stage, tmp_path: Path) -> None:
    words = here.words(tmp_path, *RANDOM)
    with running(*words) as agent, states(here.driver.state) as following:
        in_motion(agent)
        agent.end(signal.SIGKILL)
        assert_comes_to_hold(here, following)
        with here.driver.client() as client:
            assert "lapsed" in now(client).reason
            stopped = tool(now(client))
    with running(*words) as agent, states(here.driver.state) as following:
        in_motion(agent)
        agent.end(signal.SIGINT)
        following.drain()
        history = list(following.history)
        np.testing.assert_allclose(tool(history[0]), stopped, atol=1e-3)
        assert_no_jump(history)


@pytest.mark.real_time
@pytest.mark.alone
def test_a_camera_that_falls_silent_ends_it_with_the_arm_at_rest(here: Stage, tmp_path: Path) -> None:
    with running(*here.words(tmp_path, *RANDOM)) as agent, states(here.driver.state) as following:
        in_motion(agent)
        here.camera.process.send_signal(signal.SIGSTOP)
        silent_ns = time.monotonic_ns()
        try:

            def given_up() -> list[JointState]:
                return [each for each in following.history if each.time_ns > silent_ns and not each.holder]

            # It waits a second for the camera; the driver's clock says when it gave up.
            following.wait_for(lambda: bool(given_up()), 30.0, "end of the lease")
            assert given_up()[0].time_ns - silent_ns < 2.5 * S
            status, _, err = agent.end()
        finally:
            here.camera.process.send_signal(signal.SIGCONT)
        assert status == 1
        assert err.startswith("worldarm: camera front at tcp://") and err.count("\n") == 1
        assert "stopped sending" in err
        assert_comes_to_hold(here, following)


@pytest.mark.real_time
@pytest.mark.alone
def test_a_driver_that_is_killed_is_told_in_one_line(tmp_path: Path) -> None:
    with stage() as mine, running(*mine.words(tmp_path, *RANDOM)) as agent:
        in_motion(agent, 2)
        mine.driver.process.end(signal.SIGKILL)
        status, _, err = agent.end()
    assert status == 1
    assert err.startswith("worldarm: ") and err.count("\n") == 1, err
    assert "no driver answered" in err or "sent no state" in err


def told(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Run the command in this process, see it fail, and return its one line of error."""
    assert main(list(words)) == 1
    err = capsys.readouterr().err
    assert err.startswith("worldarm: ") and err.count("\n") == 1
    return err


def test_what_is_wrong_with_the_goal_is_said_before_anything_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = str(checkpoint(tmp_path / "model"))
    wide, text = tmp_path / "wide.png", tmp_path / "text.png"
    save_picture(wide, np.zeros((64, 80, 3), np.uint8))
    text.write_text("a cup on the left")
    for goal, said in (
        (str(tmp_path / "none.png"), "there is no goal picture"),
        (str(wide), "is 80x64 pixels; the model sees camera front at 64x64"),
        (str(text), "is not a picture"),
        (f"{tmp_path}/nowhere:0:-1", "nowhere"),
    ):
        assert said in told(capsys, "run", "--goal", goal, "--checkpoint", model)


def test_what_is_wrong_with_the_checkpoint_is_said_before_anything_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    goal, torn = str(goal_file(tmp_path)), checkpoint(tmp_path / "torn")
    os.truncate(torn / WEIGHTS_FILE, (torn / WEIGHTS_FILE).stat().st_size // 2)
    assert "torn" in told(capsys, "run", "--goal", goal, "--checkpoint", str(torn))
    assert "holds no checkpoint" in told(capsys, "run", "--goal", goal, "--checkpoint", str(tmp_path))


def test_a_setting_that_cannot_be_is_said_with_its_option(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["run", "--goal", str(goal_file(tmp_path)), "--checkpoint", str(checkpoint(tmp_path / "model"))]
    said = told(capsys, *words, "--decision.search.samples", "2")
    assert said == "worldarm: --decision.search.samples: Expected `int` >= 4\n"


def test_no_driver_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["run", "--goal", str(goal_file(tmp_path)), "--checkpoint", str(checkpoint(tmp_path / "model"))]
    nowhere = ["--command-address", "tcp://127.0.0.1:9", "--decisions-address", "tcp://127.0.0.1:*"]
    assert "no driver answered" in told(capsys, *words, *nowhere)


def test_no_budget_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "--blocks must be at least 1" in told(capsys, "run", "--goal", "goal.png", "--blocks", "0")


@pytest.mark.parametrize(("seed", "said"), [("-1", "must be 0 or more, not -1"), (str(2**63), "must be below 2**63")])
def test_a_seed_that_no_generator_takes_is_refused(
    seed: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in told(capsys, "run", "--goal", "goal.png", "--seed", seed)


def test_an_output_that_cannot_be_written_is_said_before_anything_moves(
    here: Stage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with here.driver.client() as client:
        before = now(client)
        assert "/proc/out cannot be written" in told(capsys, *here.words(tmp_path, "--output", "/proc/out"))
        assert now(client).governed == before.governed and now(client).mode == before.mode


@pytest.mark.real_time
@pytest.mark.alone
def test_what_came_of_it_is_told_even_when_its_pictures_cannot_be_kept(here: Stage, tmp_path: Path) -> None:
    with running(*here.words(tmp_path, "--method", "random", "--blocks", "6")) as agent:
        in_motion(agent, 1)
        (tmp_path / "out").rmdir()
        (tmp_path / "out").write_text("in the way")
        status, out, err = agent.end()
    assert status == 1 and "not reached: 6 blocks are over" in out and "median" in out
    assert err.startswith("worldarm: ") and "strip.png cannot be written" in err and err.count("\n") == 1


def test_a_thoughts_address_in_use_is_said(here: Stage, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with DecisionPublisher(ANY_PORT) as other:
        assert other.endpoint in told(capsys, *here.words(tmp_path, "--decisions-address", other.endpoint))


def test_another_arm_or_camera_is_refused_and_nothing_moves(
    here: Stage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = here.words(tmp_path)
    with here.driver.client() as client:
        before = now(client)
        small = card().embodiment.camera
        for made, said in (
            (changed(card(), arm="other"), "trained on the arm 'other', not 'panda-sim'"),
            (changed(card(), camera=type(small)(small.name, 64, 64, (1.0, 1.0), small.centre)), "focal lengths"),
        ):
            checkpoint(tmp_path / "model", made)
            assert said in told(capsys, *words)
        assert now(client).governed == before.governed and now(client).mode == before.mode
    assert load_trained(tmp_path / "model").card.embodiment.arm == "panda-sim"
