"""Damage of every kind is named by `check`, and `repair` keeps every whole episode and deletes nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from robot.dataset import Dataset, DatasetWriter, Feature
from robot.dataset.edit.check import check
from robot.dataset.edit.repair import repair
from robot.errors import DatasetError
from tests.robot.dataset.samples import CAMERA, FPS, assert_holds, columns, features, write
from tests.robot.dataset.test_reader import DATA, ROW, several_to_a_file

Damage = Callable[[Path], None]


def truncate(name: str) -> Damage:
    def damage(root: Path) -> None:
        whole = (root / name).read_bytes()
        (root / name).write_bytes(whole[: len(whole) * 2 // 3])

    return damage


def remove(name: str) -> Damage:
    return lambda root: (root / name).unlink()


def flip(name: str) -> Damage:
    def damage(root: Path) -> None:
        data = bytearray((root / name).read_bytes())
        data[len(data) // 3] ^= 0xFF
        (root / name).write_bytes(data)

    return damage


def change(name: str, column: str, alter: Callable[[np.ndarray], np.ndarray]) -> Damage:
    def damage(root: Path) -> None:
        table = pq.read_table(root / name)
        kind = table.schema.field(column).type
        values = np.array(table[column].to_pylist())
        new = pa.array(alter(values).tolist(), kind)
        pq.write_table(table.set_column(table.column_names.index(column), column, new), root / name)

    return damage


def shorten(root: Path) -> None:
    pq.write_table(pq.read_table(root / DATA.format(1)).slice(0, 3), root / DATA.format(1))


def lengthen(root: Path) -> None:
    table = pq.read_table(root / DATA.format(1))
    pq.write_table(pa.concat_tables([table, table.slice(0, 1)]), root / DATA.format(1))


def drop_column(root: Path) -> None:
    pq.write_table(pq.read_table(root / DATA.format(1)).drop_columns(["action"]), root / DATA.format(1))


def tear_picture(root: Path) -> None:
    table = pq.read_table(root / DATA.format(1))
    pictures = table[CAMERA].to_pylist()
    pictures[2]["bytes"] = pictures[2]["bytes"][:40]
    column = pa.array(pictures, table.schema.field(CAMERA).type)
    pq.write_table(table.set_column(table.column_names.index(CAMERA), CAMERA, column), root / DATA.format(1))


def widen(root: Path, column: str, values: pa.Array) -> None:
    """Put a column of another kind into the data of episode 1."""
    table = pq.read_table(root / DATA.format(1))
    pq.write_table(table.set_column(table.column_names.index(column), column, values), root / DATA.format(1))


def spoil(values: np.ndarray) -> np.ndarray:
    spoiled = values.copy()
    spoiled[1] = np.nan
    return spoiled


LOST = {  # damage after which episode 1 of 4 is lost, and what the check says of it
    "data truncated": (truncate(DATA.format(1)), "cannot be read"),
    "data missing": (remove(DATA.format(1)), "is missing"),
    "data with a flipped byte": (flip(DATA.format(1)), "cannot be read"),
    "row truncated": (truncate(ROW.format(1)), "not a readable list"),
    "row missing": (remove(ROW.format(1)), "belongs to no episode"),
    "too few frames": (shorten, "too early"),
    "too many frames": (lengthen, "6 frames, its row says 5"),
    "a column missing": (drop_column, "lacks the columns action"),
    "a picture torn": (tear_picture, "cannot be decoded"),
    "not finite": (change(DATA.format(1), "action", spoil), "not finite"),
    "timestamp jittered": (change(DATA.format(1), "timestamp", lambda t: t + np.arange(5) * 1e-3), "timestamp"),
    "frame_index off": (change(DATA.format(1), "frame_index", lambda n: n[::-1]), "frame_index"),
    "index off": (change(DATA.format(1), "index", lambda n: n * 2), "index does not count up"),
    "of two episodes": (change(DATA.format(1), "episode_index", lambda n: n + np.arange(5)), "several episodes"),
}


@pytest.mark.parametrize("name", LOST)
def test_a_damaged_episode_is_moved_aside_and_the_others_close_up(tmp_path: Path, name: str) -> None:
    damage, words = LOST[name]
    root = write(tmp_path / "set", 4)
    damage(root)
    files = sorted(path.stat().st_size for path in root.rglob("*.parquet") if "tasks" not in path.name)
    report = check(root)
    assert any(words in problem for problem in report.problems), report.problems
    assert report.episodes == 3

    done = repair(root)
    assert done.episodes == 3 and not done.sound
    kept = sorted(path.stat().st_size for path in root.rglob("*.parquet") if "tasks" not in path.name)
    assert len(kept) == len(files)  # nothing was deleted
    assert check(root).problems == ()
    assert repair(root).sound

    dataset = Dataset.open(root)
    seeds = [0, 2, 3]
    for index, seed in enumerate(seeds):
        assert dataset.episodes[index].extra == {"seed": seed}
        assert_holds(dataset.episode(index), columns(seed, 4 + seed % 3), lossy=False)
    statistics = json.loads((root / "meta/stats.json").read_text())
    actions = np.concatenate([columns(seed, 4 + seed % 3)["action"] for seed in seeds])
    np.testing.assert_allclose(statistics["action"]["mean"], actions.mean(axis=0), atol=1e-6)
    with DatasetWriter.open(root, FPS, features()) as writer:
        assert writer.save_episode(columns(4, 5), "task 0", {"seed": 4}) == 3
    assert check(root).problems == ()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (remove("meta/stats.json"), "meta/stats.json"),
        (truncate("meta/stats.json"), "meta/stats.json"),
        (remove("meta/tasks.parquet"), "meta/tasks.parquet"),
        (truncate("meta/tasks.parquet"), "meta/tasks.parquet"),
        (lambda root: (root / "meta/stats.json").write_text("{}"), "not the statistics"),
        (lambda root: (root / "meta/info.json.tmp").write_text("{"), "cut off"),
        (lambda root: shutil.copy(root / DATA.format(1), root / "data/chunk-000/file-004.parquet"), "no episode"),
        (change(DATA.format(2), "index", lambda n: n + 7), "do not follow on"),
        (change(ROW.format(2), "episode_index", lambda n: n + 7), "do not follow on"),
    ],
)
def test_what_can_be_derived_is_renewed_and_no_episode_is_lost(tmp_path: Path, damage: Damage, words: str) -> None:
    root = write(tmp_path / "set", 4)
    before = Dataset.open(root).fingerprint()
    damage(root)
    assert any(words in problem for problem in check(root).problems)
    assert repair(root).episodes == 4
    assert check(root).problems == ()
    dataset = Dataset.open(root)
    assert dataset.tasks == ("task 0", "task 1")
    for index in range(4):
        assert_holds(dataset.episode(index), columns(index, 4 + index % 3), lossy=False)
    assert (dataset.fingerprint() == before) or "follow on" in words


def test_totals_that_are_off(tmp_path: Path) -> None:
    root = write(tmp_path / "set", 2)
    info = json.loads((root / "meta/info.json").read_text())
    (root / "meta/info.json").write_text(json.dumps({**info, "total_frames": 7, "total_tasks": 9}))
    assert any("2 and 9 are sound" in problem for problem in check(root).problems)
    repair(root)
    assert check(root).problems == ()
    assert json.loads((root / "meta/info.json").read_text()) == info


@pytest.mark.parametrize("damage", [truncate, remove])
def test_a_damaged_video(tmp_path: Path, damage: Callable[[str], Damage]) -> None:
    root = write(tmp_path / "set", 3, "video")
    damage(f"videos/{CAMERA}/chunk-000/file-000.mp4")(root)
    assert check(root).episodes == 2
    repair(root)
    assert check(root).problems == ()
    assert_holds(Dataset.open(root).episode(0), columns(1, 5), lossy=True)


def test_a_repair_cut_off_between_data_and_row_is_finished_by_the_next(tmp_path: Path) -> None:
    root = write(tmp_path / "set", 3)
    mended = shutil.copytree(root, tmp_path / "mended")
    for place in (root, mended):
        (place / ROW.format(0)).unlink()
    repair(mended)
    shutil.copy(mended / DATA.format(1), root / DATA.format(1))  # renumbered, its row not yet
    assert repair(root).episodes == 2
    assert check(root).problems == ()
    assert Dataset.open(root).fingerprint() == Dataset.open(mended).fingerprint()


def test_all_lost_leaves_an_empty_set_to_write_to(tmp_path: Path) -> None:
    root = write(tmp_path / "set", 1)
    truncate(DATA.format(0))(root)
    assert repair(root).episodes == 0
    assert check(root).problems == ()
    with DatasetWriter.open(root) as writer:
        assert writer.save_episode(columns(0, 4), "task 0", {"seed": 0}) == 0


def declare(**entries: object) -> Damage:
    def damage(root: Path) -> None:
        info = json.loads((root / "meta/info.json").read_text())
        info["features"] = {**info["features"], **entries.pop("features", {})}  # type: ignore[dict-item]
        (root / "meta/info.json").write_text(json.dumps({**info, **entries}))

    return damage


def lose_the_list(root: Path) -> None:
    shutil.rmtree(root)
    truncate(ROW.format(0))(several_to_a_file(root, True))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (declare(fps=FPS + 1), "timestamp is not frame_index / fps"),
        (declare(features={"side": {"dtype": "video", "shape": [8, 8, 3], "names": None}}), "videos/side"),
        (declare(features={"force": {"dtype": "float32", "shape": [1], "names": None}}), "lacks .* force"),
        (lambda root: shutil.rmtree(root / "data"), "is missing"),
        (lambda root: shutil.rmtree(root / "meta/episodes"), "lists none"),
        (lose_the_list, "not a readable list"),
    ],
)
def test_a_set_of_which_nothing_seems_whole_is_not_taken_apart(tmp_path: Path, damage: Damage, words: str) -> None:
    root = write(tmp_path / "set", 3)
    damage(root)
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    assert check(root).episodes == 0
    with pytest.raises(DatasetError, match=f"not one of the 3 episodes .*{words}"):
        repair(root)
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before


def test_an_episode_of_an_hour_is_whole(tmp_path: Path) -> None:
    """Its times, rounded to float32 as the format has them, are up to 0.12 ms off."""
    root = tmp_path / "set"
    frames = 3600 * 7
    with DatasetWriter.create(root, 7, {"x": Feature("float32")}, None, durable=False) as writer:
        writer.save_episode({"x": np.zeros(frames, np.float32)}, "wait")
    assert check(root).problems == ()
    change(DATA.format(0), "timestamp", lambda t: t + (np.arange(frames) == frames - 1) * 1e-3)(root)
    assert any("timestamp" in problem for problem in check(root).problems)


def test_columns_of_other_shapes_are_damage(tmp_path: Path) -> None:
    root = write(tmp_path / "set", 4)
    widen(root, "action", pa.array([[0.0] * 3] * 5, pa.list_(pa.float32(), 3)))
    assert any("'action' is not float32 of the shape (2,)" in problem for problem in check(root).problems)
    assert repair(root).episodes == 3


def test_sets_with_several_episodes_to_a_file_are_left_to_their_own_program(tmp_path: Path) -> None:
    root = several_to_a_file(tmp_path / "set", True)
    (root / "meta/stats.json").unlink()
    assert repair(root).episodes == 3
    assert check(root).problems == ()
    change(DATA.format(0), "action", spoil)(root)
    before = (root / DATA.format(0)).read_bytes()
    with pytest.raises(DatasetError, match="the program that wrote it"):
        repair(root)
    assert (root / DATA.format(0)).read_bytes() == before


def test_a_set_in_use_or_absent_is_not_mended(tmp_path: Path) -> None:
    root = write(tmp_path / "set", 1)
    with DatasetWriter.open(root), pytest.raises(DatasetError, match="another process"):
        repair(root)
    with pytest.raises(DatasetError, match="does not exist"):
        repair(tmp_path / "nowhere")
    with pytest.raises(DatasetError, match="does not exist"):
        check(tmp_path / "nowhere")
