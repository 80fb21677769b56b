"""Episodes taken out of a set: the others close up, and nothing else in the folder changes."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot.dataset import Dataset, DatasetWriter
from robot.dataset.edit.check import check
from robot.dataset.edit.delete import delete
from robot.dataset.edit.repair import repair
from robot.errors import DatasetError, RecordingError
from tests.commands import environment, in_process
from tests.robot.dataset.edit.edits import assert_frames, fill, tree
from tests.robot.dataset.samples import CAMERA, FPS, columns, features, write
from tests.robot.dataset.test_reader import DATA, several_to_a_file
from tests.soak import often

FIVE = [(0, "pull"), (1, "push"), (2, "lift"), (3, "push"), (4, "lift")]


@pytest.mark.parametrize("picture", ["image", "video"])
@pytest.mark.parametrize("gone", [(0,), (4,), (1, 3), (2, 1, 2), (0, 1, 2, 3)])
def test_the_others_close_up(tmp_path: Path, picture: str, gone: tuple[int, ...]) -> None:
    root = fill(tmp_path / "set", picture, FIVE)
    before = Dataset.open(shutil.copytree(root, tmp_path / "before"))
    kept = [number for number in range(5) if number not in gone]
    assert delete(root, gone).total_episodes == len(kept)
    after = Dataset.open(root)
    assert check(root).problems == ()
    assert set(after.tasks) == {FIVE[number][1] for number in kept}
    for index, number in enumerate(kept):
        assert_frames(after, index, before, number)
    with DatasetWriter.open(root, FPS, features(picture), durable=False) as writer:
        assert writer.save_episode(columns(5, 6), "lift", {"seed": 5}) == len(kept)
    assert check(root).problems == ()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["before", "set"]


@settings(max_examples=often(5, 200))
@given(rounds=st.lists(st.sets(st.integers(0, 9), min_size=1, max_size=3), min_size=1, max_size=3))
def test_deleting_again_and_again(tmp_path_factory: pytest.TempPathFactory, rounds: list[set[int]]) -> None:
    root = write(tmp_path_factory.mktemp("sets") / "set", 10)
    left = list(range(10))
    for numbers in rounds:
        gone = {number for number in numbers if number < len(left)}
        if gone and len(gone) < len(left):
            delete(root, list(gone))
            left = [seed for number, seed in enumerate(left) if number not in gone]
    assert [episode.extra["seed"] for episode in Dataset.open(root).episodes] == left
    assert check(root).problems == ()


def test_what_else_is_in_the_folder_stays(tmp_path: Path) -> None:
    root = write(tmp_path / "set", 4)
    (root / DATA.format(1)).write_bytes(b"torn")
    (root / "README.md").write_text("mine")
    (root / "notes/deep").mkdir(parents=True)
    (root / "notes/deep/one.txt").write_text("too")
    repair(root)
    others = {
        name: data for name, data in tree(root).items() if name.split("/")[0] in ("damaged", "README.md", "notes")
    }
    assert len(others) == 4
    delete(root, [0])
    assert others.items() <= tree(root).items()
    assert check(root).problems == ()


def test_a_damaged_episode_can_be_deleted_and_a_damaged_one_is_not_kept(tmp_path: Path) -> None:
    root = write(tmp_path / "set", 3)
    (root / DATA.format(1)).write_bytes(b"torn")
    before = tree(tmp_path)
    with pytest.raises(DatasetError, match=r"file-001\.parquet cannot be read"):
        delete(root, [0])
    assert tree(tmp_path) == before
    delete(root, [1])
    assert check(root).problems == ()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("3",), "has the episodes 0 to 2; 3 is not among them"),
        (("0", "1", "2"), "these are all episodes"),
        ((), "name at least one"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    root = write(tmp_path / "set", 3)
    before = tree(tmp_path)
    result = in_process("dataset", "delete", str(root), *words)
    assert result.returncode == 1
    assert said in result.stderr and result.stderr.count("\n") == 1
    assert tree(tmp_path) == before


def test_the_command_says_what_is_left(tmp_path: Path) -> None:
    root = write(tmp_path / "set", 3)
    result = in_process("dataset", "delete", str(root), "1")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == f"{root}: 2 episodes, 10 frames remain, 1 deleted\n"


def test_from_inside_the_folder_it_is_refused(tmp_path: Path) -> None:
    root = write(tmp_path / "set", 3)
    command = [sys.executable, "-m", "worldarm", "dataset", "delete", "..", "1"]
    result = subprocess.run(
        command, cwd=root / "meta", env=environment(), capture_output=True, text=True, timeout=300, check=False
    )
    assert result.returncode == 1
    assert "change to another folder first" in result.stderr


def test_sets_in_use_of_other_programs_and_half_written_ones_are_left_alone(tmp_path: Path) -> None:
    root = write(tmp_path / "set", 3)
    with DatasetWriter.open(root), pytest.raises(DatasetError, match="another process"):
        delete(root, [0])
    with pytest.raises(DatasetError, match="several episodes to a file"):
        delete(several_to_a_file(tmp_path / "other", True), [0])
    (root / "meta/episodes/chunk-000/file-002.parquet").unlink()
    with pytest.raises(DatasetError, match="half-written"):
        delete(root, [0])


def test_a_link_to_a_set_stays_a_link(tmp_path: Path) -> None:
    root = write(tmp_path / "set", 3, "video")
    (tmp_path / "link").symlink_to("set")
    delete(tmp_path / "link", [0])
    assert (tmp_path / "link").is_symlink()
    assert Dataset.open(root).episodes[0].extra == {"seed": 1}


def test_a_folder_that_cannot_be_written_is_told_and_stays_as_it_was(tmp_path: Path) -> None:
    root = write(tmp_path / "set", 3, "video")
    before = tree(root)
    (tmp_path / ".set.tmp").write_text("in the way")
    with pytest.raises(RecordingError, match="set cannot be changed, and is as it was: File exists"):
        delete(root, [0])
    assert tree(root) == before


def test_a_reader_meanwhile_finds_one_set_or_the_other(tmp_path: Path) -> None:
    root = write(tmp_path / "set", 8)
    script = f"""
from pathlib import Path
from robot.dataset.edit.delete import delete
print("ready", flush=True)
for _ in range(6):
    delete(Path({str(root)!r}), [0])
"""
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        seen = set()
        while process.poll() is None:
            try:
                seen.add(tuple(int(episode.extra["seed"]) for episode in Dataset.open(root).episodes))
            except DatasetError as error:  # read across the exchange: of two sets, never of half a one
                assert re.search("gap|half-written|not a readable|is missing", str(error)), error
    assert process.returncode == 0
    assert seen <= {tuple(range(first, 8)) for first in range(7)}
    assert len(seen) > 1


def test_what_a_killed_deletion_left_is_named_and_cleared_away(tmp_path: Path) -> None:
    root = write(tmp_path / "set", 3)
    shutil.copytree(root, tmp_path / ".set.tmp")
    assert check(root).problems == (f"{tmp_path / '.set.tmp'}: left behind by a command that was cut off",)
    assert any(".set.tmp removed" in line for line in repair(root).problems)
    assert check(root).problems == ()
    assert os.listdir(tmp_path) == ["set"]


def test_videos_are_not_written_again(tmp_path: Path) -> None:
    root = write(tmp_path / "set", 3, "video")
    video = root / f"videos/{CAMERA}/chunk-000/file-002.mp4"
    inode = video.stat().st_ino
    delete(root, [0])
    assert video.stat().st_ino == inode


def test_who_might_use_the_folders_still_may(tmp_path: Path) -> None:
    root = write(tmp_path / "set", 3)
    root.chmod(0o2775)
    (root / "data/chunk-000").chmod(0o770)
    delete(root, [0])
    assert stat.S_IMODE(root.stat().st_mode) == 0o2775
    assert stat.S_IMODE((root / "data/chunk-000").stat().st_mode) == 0o770
