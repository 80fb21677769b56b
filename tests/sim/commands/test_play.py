from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from control.model.trained_model import load_trained
from robot.dataset.reader import Dataset
from robot.embodiment.actions import PLANAR_PUSH
from robot.embodiment.description import read_embodiment
from robot.embodiment.proprioception import STATE_NAMES
from sim.play.episode import play_features
from sim.tasks.environments import PUSH, TABLETOP_PLAY
from sim.world.cameras import front_camera
from tests.commands import PATIENCE_S, ROOT, environment, in_process, on_a_full_disk, worldarm
from tests.preloaded import Preloaded
from tests.sim.untrained import untrained_checkpoint
from worldarm import main

EPISODES = 14
BLOCKS = 6
SIZE = 16


def arguments(dataset: Path, episodes: int = EPISODES, processes: int = 1, **other: object) -> list[str]:
    """The words of a tiny `worldarm play`."""
    options = {"episodes": episodes, "blocks": BLOCKS, "processes": processes, "size": SIZE, "seed": 7, **other}
    return ["play", "--dataset", str(dataset), *(w for k, v in options.items() for w in (f"--{k}", str(v)))]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The data set as one uninterrupted command makes it."""
    root = tmp_path_factory.mktemp("whole") / "play"
    result = worldarm(*arguments(root))
    assert result.returncode == 0, result.stderr
    assert f"{EPISODES} episodes of {BLOCKS} blocks" in result.stdout
    return Dataset.open(root)


def assert_same(root: Path, whole: Dataset) -> None:
    assert in_process("dataset", "check", str(root)).returncode == 0
    dataset = Dataset.open(root)
    assert len(dataset) == len(whole)
    assert dataset.fingerprint() == whole.fingerprint()


def test_it_makes_a_data_set_that_says_how_it_was_made(whole: Dataset) -> None:
    assert len(whole) == EPISODES and (whole.lengths == BLOCKS + 1).all()
    assert whole.info.fps == 7
    features = play_features(PUSH, front_camera(SIZE, SIZE), video=False)
    whole.require(features)
    embodiment = read_embodiment(whole.info)
    assert embodiment.camera == front_camera(SIZE, SIZE) and embodiment.action == PLANAR_PUSH
    assert (embodiment.arm, embodiment.state_names) == ("panda-sim", STATE_NAMES)
    assert whole.info.metadata["play"] == {"seed": 7, "blocks": BLOCKS}
    assert [episode.extra["play_index"] for episode in whole.episodes] == list(range(EPISODES))
    first, second = whole.episode(0), whole.episode(1)
    assert set(features) < set(first)
    assert (first["observation.images.front"] != second["observation.images.front"]).any()


def test_torch_which_takes_seconds_to_load_is_left_alone(tmp_path: Path) -> None:
    words = arguments(tmp_path / "play", episodes=2)
    script = f"import sys, worldarm; sys.exit(worldarm.main({words!r}) or 'torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert done.returncode == 0, done.stderr
    assert len(Dataset.open(tmp_path / "play")) == 2


def test_the_tabletop_is_played_on_too(tmp_path: Path) -> None:
    result = in_process(*arguments(tmp_path / "play", episodes=3, task="tabletop"))
    assert result.returncode == 0, result.stderr
    dataset = Dataset.open(tmp_path / "play")
    camera = TABLETOP_PLAY.camera(SIZE, SIZE)
    dataset.require(play_features(TABLETOP_PLAY, camera, video=False))
    assert read_embodiment(dataset.info) == TABLETOP_PLAY.embodiment(SIZE) and dataset.info.fps == 5
    assert [episode.tasks for episode in dataset.episodes] == [(TABLETOP_PLAY.sentence,)] * 3
    refused = in_process(*arguments(tmp_path / "play", episodes=5))
    assert refused.returncode != 0 and "choose another folder" in refused.stderr


def test_a_rig_sees_the_same_play_from_the_side_as_well(tmp_path: Path) -> None:
    for name, words in (("one", ()), ("rig", ("--camera", "tabletop-rig"))):
        result = in_process(*arguments(tmp_path / name, episodes=2, task="tabletop"), *words)
        assert result.returncode == 0, result.stderr
    one, both = Dataset.open(tmp_path / "one"), Dataset.open(tmp_path / "rig")
    assert read_embodiment(both.info) == TABLETOP_PLAY.embodiment(SIZE, "tabletop-rig")
    for episode in range(2):
        front = one.episode(episode)["observation.images.tabletop"]
        stacked = both.episode(episode)["observation.images.tabletop-rig"]
        assert stacked.shape[1:] == (2 * SIZE, SIZE, 3)
        np.testing.assert_array_equal(stacked[:, :SIZE], front)
        assert (stacked[:, SIZE:] != front).any() and stacked[:, SIZE:].std() > 5
    for words, said in (
        (arguments(tmp_path / "none", camera="nowhere"), "no camera called 'nowhere'; it has front, tabletop"),
        (
            ["play", "--env", "Pendulum-v1", "--camera", "side", "--dataset", str(tmp_path / "none")],
            "renders its own pictures",
        ),
    ):
        refused = in_process(*words)
        assert refused.returncode != 0 and said in refused.stderr and not (tmp_path / "none").exists()


@pytest.mark.parametrize("saved", [1, 4, 11])
def test_killed_at_any_moment_it_goes_on_to_the_same_data(tmp_path: Path, whole: Dataset, saved: int) -> None:
    root = tmp_path / "play"
    process = Preloaded(["-m", "worldarm", *arguments(root)], environment())
    try:
        deadline = time.monotonic() + PATIENCE_S
        while len(list(root.glob("data/*/*.parquet"))) < saved:
            assert process.poll() is None, "it ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.0002)
    finally:
        process.kill()
        process.wait()
    result = in_process(*arguments(root))
    assert result.returncode == 0, result.stderr
    assert_same(root, whole)


def started(root: Path, processes: int, stderr: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
    """A play in a process group of its own, some of whose episodes are saved."""
    process = subprocess.Popen(
        [sys.executable, "-m", "worldarm", *arguments(root, EPISODES * 10, processes)],
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=stderr,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + PATIENCE_S
    while not list(root.glob("data/*/*.parquet")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.001)
    return process


def group(leader: int) -> list[int]:
    """The processes of a group."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, number = stat.read_text().rpartition(") ")[2].split()[:3]
            found += [int(stat.parent.name)] if int(number) == leader and state != "Z" else []
    return found


def assert_none_left(leader: int) -> None:
    deadline = time.monotonic() + 10.0
    while left := group(leader):
        assert time.monotonic() < deadline, f"still running: {left}"
        time.sleep(0.05)


def test_ctrl_c_reaches_all_processes_and_ends_it_in_order(tmp_path: Path, whole: Dataset) -> None:
    root = tmp_path / "play"
    process = started(root, 2, subprocess.PIPE)
    assert len(group(process.pid)) >= 3
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does it
    error = process.communicate(timeout=PATIENCE_S)[1]
    assert process.returncode == 130
    assert error.endswith("worldarm: interrupted\n") and "Traceback" not in error
    assert_none_left(process.pid)
    looked_over = in_process("dataset", "check", str(root))
    assert looked_over.returncode == 0, looked_over.stdout
    done = len(Dataset.open(root))
    result = in_process(*arguments(root, max(done + 1, EPISODES)))
    assert result.returncode == 0, result.stderr
    last = EPISODES - 1
    np.testing.assert_array_equal(Dataset.open(root).episode(last)["action"], whole.episode(last)["action"])


def test_sigkill_leaves_no_process_behind(tmp_path: Path) -> None:
    process = started(tmp_path / "play", 2)
    assert len(group(process.pid)) >= 3
    process.kill()
    process.wait()
    assert_none_left(process.pid)


def test_a_full_disk_is_one_line_and_leaves_whole_episodes(tmp_path: Path, whole: Dataset) -> None:
    root = tmp_path / "play"
    # Each episode's largest file: its frames, or its row with the statistics.
    files = [whole.root.rglob(f"file-{number:03d}.parquet") for number in range(EPISODES)]
    sizes = [max(path.stat().st_size for path in of_one) for of_one in files]
    result = on_a_full_disk("-m", "worldarm", *arguments(root), limit=max(sizes) - 1)
    assert result.returncode == 1 and "Traceback" not in result.stderr
    last = result.stderr.splitlines()[-1]
    assert last.startswith("worldarm: episode ") and "File too large" in last
    assert in_process("dataset", "check", str(root)).returncode == 0
    assert len(Dataset.open(root)) == sizes.index(max(sizes))
    assert in_process(*arguments(root)).returncode == 0
    assert_same(root, whole)


def test_a_data_set_may_grow(tmp_path: Path, whole: Dataset) -> None:
    root = tmp_path / "play"
    for episodes in (3, EPISODES):
        result = in_process(*arguments(root, episodes))
        assert result.returncode == 0, result.stderr
    assert_same(root, whole)
    again = in_process(*arguments(root))
    assert again.returncode == 0 and "nothing to do" in again.stdout
    assert_same(root, whole)


def test_an_agent_may_practise_where_the_hand_has_played(tmp_path: Path) -> None:
    checkpoint = untrained_checkpoint(tmp_path / "model")
    practise = ["--practice", str(checkpoint)]
    roots = [tmp_path / "one", tmp_path / "two"]
    for processes, root in enumerate(roots, start=1):
        for episodes, words in ((2, []), (5, practise)):
            result = in_process(*arguments(root, episodes, processes, size=32, blocks=15), *words)
            assert result.returncode == 0, result.stderr
    played, practised = (Dataset.open(root) for root in roots)
    assert_same(roots[1], played)
    digest = load_trained(checkpoint).card.weights_sha256[:12]
    sentences = [episode.tasks[0] for episode in practised.episodes]
    assert sentences[:2] == [PUSH.sentence] * 2 and all(digest in sentence for sentence in sentences[2:])
    result = in_process(*arguments(tmp_path / "plain", 5, size=32, blocks=15))
    assert result.returncode == 0, result.stderr
    plain = Dataset.open(tmp_path / "plain")
    for number in range(5):
        starts = [data.episode(number)["observation.state"][0] for data in (plain, practised)]
        np.testing.assert_array_equal(*starts)
        same = np.array_equal(plain.episode(number)["action"], practised.episode(number)["action"])
        assert same == (number < 2)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--size", "16"], "sends 16×16"),
        (
            ["--size", "32", "--task", "tabletop", "--camera", "front"],
            "with the actions of another --task; choose that task",
        ),
        (["--size", "32", "--task", "tabletop"], "trained on the camera 'front', not 'tabletop'"),
        (["--env", "Pendulum-v1"], "--practice needs the scripted policy"),
        (["--practice", "nowhere"], "nowhere"),
    ],
)
def test_what_cannot_be_practised_is_refused_before_anything_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    checkpoint = untrained_checkpoint(tmp_path / "model")
    root = tmp_path / "play"
    assert main(["play", "--dataset", str(root), "--practice", str(checkpoint), *words]) == 1
    assert said in capsys.readouterr().err
    assert not root.exists()


def test_how_many_processes_play_does_not_show(tmp_path: Path, whole: Dataset) -> None:
    root = tmp_path / "play"
    result = in_process(*arguments(root, processes=2))
    assert result.returncode == 0, result.stderr
    assert_same(root, whole)


@pytest.mark.parametrize("other", [{"seed": 8}, {"blocks": BLOCKS + 1}, {"size": 32}, {"images": "av1"}])
def test_other_settings_are_refused_and_the_data_left_alone(whole: Dataset, other: dict[str, object]) -> None:
    before = whole.fingerprint()
    result = in_process(*arguments(whole.root, EPISODES + 1, **other))
    assert result.returncode == 1
    lines = [line for line in result.stderr.splitlines() if line.startswith("worldarm: ")]
    assert len(lines) == 1 and str(whole.root) in lines[0]
    assert "Traceback" not in result.stderr
    assert len(Dataset.open(whole.root)) == EPISODES and Dataset.open(whole.root).fingerprint() == before


def test_another_seed_gives_other_data(tmp_path: Path, whole: Dataset) -> None:
    root = tmp_path / "play"
    assert in_process(*arguments(root, episodes=1, seed=8)).returncode == 0
    assert (Dataset.open(root).episode(0)["observation.state"] != whole.episode(0)["observation.state"]).any()


def test_pictures_may_be_kept_as_video(tmp_path: Path, whole: Dataset) -> None:
    root = tmp_path / "play"
    result = in_process(*arguments(root, episodes=1, images="av1", size=64))
    assert result.returncode == 0, result.stderr
    columns = Dataset.open(root).episode(0)
    assert columns["observation.images.front"].shape == (BLOCKS + 1, 64, 64, 3)
    np.testing.assert_array_equal(columns["observation.state"], whole.episode(0)["observation.state"])


@pytest.mark.parametrize(
    "wrong", [{"episodes": 0}, {"blocks": 1}, {"size": 20}, {"size": 8}, {"processes": -1}, {"seed": -1}]
)
def test_what_cannot_be_is_refused_in_one_line(tmp_path: Path, wrong: dict[str, object]) -> None:
    root = tmp_path / "play"
    words = arguments(root)
    for name, value in wrong.items():
        words[words.index(f"--{name}") + 1] = str(value)
    result = in_process(*words)
    assert result.returncode == 1
    assert [line.startswith("worldarm: ") for line in result.stderr.splitlines()].count(True) == 1
    assert not root.exists()


def test_what_was_begun_before_conventions_had_kinds_is_gone_on_with(whole: Dataset, tmp_path: Path) -> None:
    root = tmp_path / "play"
    assert in_process(*arguments(root, episodes=2)).returncode == 0
    without_kind(root)
    done = in_process(*arguments(root))
    assert done.returncode == 0, done.stderr
    assert_same(root, whole)
    assert read_embodiment(Dataset.open(root).info) == read_embodiment(whole.info)


def without_kind(root: Path) -> None:
    """Have a set's description of its actions read as earlier versions wrote it."""
    path = root / "meta" / "info.json"
    info = json.loads(path.read_text())
    del info["worldarm"]["recording"]["action"]["kind"]
    path.write_text(json.dumps(info))
