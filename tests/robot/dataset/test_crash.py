"""A writer killed at any instant loses no committed episode, and the set can be mended and written on."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import numpy as np
import pytest

from robot.dataset import Dataset, DatasetWriter
from robot.dataset.edit.check import check
from robot.dataset.edit.repair import repair
from robot.dataset.format.staged_files import Staging, lock_folder
from robot.errors import DatasetError, RecordingError
from tests.robot.dataset.samples import FPS, assert_holds, columns, features, write
from tests.soak import often

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def killer() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.robot.dataset.killed_writer"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()
        process.wait(20)


def kill(killer: subprocess.Popen[str], root: Path, picture: str, durable: bool, episodes: int, seconds: float) -> int:
    assert killer.stdin is not None and killer.stdout is not None
    killer.stdin.write(f"{root} {picture} {durable} {episodes} {seconds}\n")
    killer.stdin.flush()
    return int(killer.stdout.readline())


def assert_whole(root: Path, picture: str, at_least: int) -> int:
    """Every episode holds what its seed says; returns how many there are."""
    dataset = Dataset.open(root)
    assert len(dataset) >= at_least
    for index, episode in enumerate(dataset.episodes):
        expected = columns(index, 4 + index % 3)
        assert_holds(dataset.episode(index), expected, lossy=picture == "video")
        assert episode.extra == {"seed": index}
        assert episode.tasks == (f"task {index % 2}",)
    return len(dataset)


@pytest.mark.soak
@pytest.mark.parametrize("attempt", range(often(12, 100)))
def test_a_killed_writer_leaves_every_committed_episode_whole(
    killer: subprocess.Popen[str], tmp_path: Path, attempt: int
) -> None:
    picture = "video" if attempt % 4 == 3 else "image"
    rng = np.random.default_rng(attempt)
    root = tmp_path / "set"
    saved = kill(killer, root, picture, attempt % 2 == 0, attempt % 5, float(rng.uniform(0.0, 0.03)))
    if not (root / "meta/info.json").exists():  # killed before there was a set: what it left is not in the way
        assert saved == 0
        DatasetWriter.create(root, FPS, features(picture), "panda").close()
    if saved:
        assert_whole(root, picture, saved)

    mended = repair(root)
    assert mended.episodes in (saved, saved + 1)  # one may have been committed and not yet reported
    assert check(root).problems == ()
    with DatasetWriter.open(root, FPS, features(picture), durable=False) as writer:
        assert writer.info.total_episodes == mended.episodes
        writer.save_episode(columns(mended.episodes, 4 + mended.episodes % 3), f"task {mended.episodes % 2}",
                            {"seed": mended.episodes})  # fmt: skip
    assert assert_whole(root, picture, saved) == mended.episodes + 1
    assert check(root).problems == ()


def test_writing_goes_on_after_many_kills_without_a_repair(killer: subprocess.Popen[str], tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    root = tmp_path / "set"
    saved = 0
    for _ in range(8):
        saved += kill(killer, root, "image", False, 1, float(rng.uniform(0.0, 0.02)))
    DatasetWriter.open(root).close()
    assert saved <= assert_whole(root, "image", saved) <= saved + 8
    assert all("cut off" in problem or "no episode" in problem for problem in check(root).problems)


@pytest.mark.parametrize("step", ["staged", "data", "row", "statistics"])
def test_each_instant_of_a_commit(tmp_path: Path, step: str) -> None:
    """The states between the renames of the third episode's commit, made by hand."""
    before, after = write(tmp_path / "before", 2), write(tmp_path / "after", 3)
    order = ["data/chunk-000/file-002.parquet", "meta/episodes/chunk-000/file-002.parquet", "meta/stats.json"]
    done = {"staged": 0, "data": 1, "row": 2, "statistics": 3}[step]
    for number, name in enumerate([*order, "meta/info.json"]):
        place = before / (name if number < done else name + ".tmp")
        place.write_bytes((after / name).read_bytes())

    committed = 3 if done >= 2 else 2
    assert len(Dataset.open(before)) == committed
    assert check(before).problems
    with DatasetWriter.open(before, durable=False) as writer:
        assert writer.info.total_episodes == committed
    repair(before)
    assert check(before).problems == ()
    assert assert_whole(before, "image", committed) == committed


def test_a_second_writer_is_refused_until_the_first_is_gone(killer: subprocess.Popen[str], tmp_path: Path) -> None:
    root = write(tmp_path / "set", 1)
    with DatasetWriter.open(root), pytest.raises(DatasetError, match="another process"):
        DatasetWriter.open(root)
    kill(killer, root, "image", False, 0, 0.01)
    DatasetWriter.open(root).close()


def test_a_folder_that_cannot_be_locked_is_not_told_as_one_in_use(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"cannot be locked .*No such file"):
        lock_folder(tmp_path / "nowhere")


@pytest.mark.parametrize("whole", [b"", b'{"action": {"me', b"[]"])
def test_torn_totals_are_made_anew_on_the_next_open(tmp_path: Path, whole: bytes) -> None:
    root = write(tmp_path / "set", 2)
    (root / "meta/stats.json").write_bytes(whole)
    with DatasetWriter.open(root, FPS, features(), durable=False) as writer:
        writer.save_episode(columns(2, 6), "task 0", {"seed": 2})
    assert check(root).problems == ()
    empty = tmp_path / "empty"
    DatasetWriter.create(empty, FPS, features(), None).close()
    (empty / "meta/stats.json").write_bytes(whole)
    DatasetWriter.open(empty).close()
    assert check(empty).problems == ()


def test_an_interrupt_at_any_step_of_a_commit_closes_the_writer(tmp_path: Path) -> None:
    committed = []
    for step in range(1, 100):
        root = write(tmp_path / f"{step}", 1)
        writer = DatasetWriter.open(root, durable=False)
        try:
            with interrupt_after(step):
                writer.save_episode(columns(1, 5), "task 1", {"seed": 1})
            break
        except KeyboardInterrupt:
            with pytest.raises(DatasetError, match="closed"):
                writer.save_episode(columns(1, 5), "task 1", {"seed": 1})
        with DatasetWriter.open(root, durable=False) as again:
            committed.append(again.info.total_episodes - 1)
            seed = again.info.total_episodes
            again.save_episode(columns(seed, 4 + seed % 3), f"task {seed % 2}", {"seed": seed})
        assert_whole(root, "image", 2)
        assert check(root).problems == ()
    assert set(committed) == {0, 1}
    assert committed == sorted(committed)


@contextmanager
def interrupt_after(step: int) -> Iterator[None]:
    """Ctrl-C, as Python raises it, right after the n-th step in which files are written or renamed."""
    left = step

    def watch(frame: FrameType, event: str, _: object) -> None:
        nonlocal left
        if event == "return" and frame.f_code in STEPS:
            left -= 1
            if left == 0:
                sys.setprofile(None)
                raise KeyboardInterrupt

    sys.setprofile(watch)
    try:
        yield
    finally:
        sys.setprofile(None)


STEPS = [Staging.add.__code__, Staging.publish.__code__]


def test_totals_that_cannot_be_renewed_are_told_from_an_episode_that_is_not_saved(tmp_path: Path) -> None:
    root = write(tmp_path / "set", 1)
    with DatasetWriter.open(root, durable=False) as writer:
        (root / "meta/stats.json").unlink()
        (root / "meta/stats.json").mkdir()
        with pytest.raises(RecordingError, match="episode 1 is saved, so do not save it again"):
            writer.save_episode(columns(1, 5), "task 1", {"seed": 1})
        assert writer.info.total_episodes == 2
        (root / "meta/stats.json").rmdir()
        assert writer.save_episode(columns(2, 6), "task 0", {"seed": 2}) == 2
    assert assert_whole(root, "image", 3) == 3
    assert check(root).problems == ()


def test_interrupted_saves_lose_nothing(tmp_path: Path) -> None:
    root = write(tmp_path / "set", 1)
    rng = np.random.default_rng(0)
    returned = 0
    writer = DatasetWriter.open(root, durable=False)
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        for _ in range(40):
            signal.setitimer(signal.ITIMER_REAL, float(rng.uniform(0.0005, 0.02)))
            try:
                for _ in range(10):
                    seed = writer.info.total_episodes
                    writer.save_episode(columns(seed, 4 + seed % 3), f"task {seed % 2}", {"seed": seed})
                    returned += 1
            except KeyboardInterrupt:
                writer.close()
                writer = DatasetWriter.open(root, durable=False)
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        signal.signal(signal.SIGALRM, before)
        writer.close()
    assert_whole(root, "image", 1 + returned)
    repair(root)
    assert check(root).problems == ()
