"""An episode may have several tasks, one a frame: their words come from the list of tasks, and none is ever lost."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot.dataset import Dataset, DatasetWriter
from robot.dataset.edit.check import check
from robot.dataset.edit.delete import delete
from robot.dataset.edit.lost_tasks import lost_words
from robot.dataset.edit.merge import merge
from robot.dataset.edit.repair import repair
from robot.dataset.edit.split import split
from robot.dataset.format.tables import to_parquet
from robot.dataset.format.tasks import read_tasks
from robot.errors import DatasetError
from robot.system.bounds import MAX_TASKS
from tests.commands import in_process
from tests.robot.dataset.edit.edits import tree
from tests.robot.dataset.foreign import TASKS, write_foreign
from tests.robot.dataset.samples import write
from tests.soak import often

ROW = "meta/episodes/chunk-000/file-000.parquet"
LIST = "meta/tasks.parquet"
ORDERS = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=4), min_size=1, max_size=3)


def words_of_frames(root: Path) -> list[list[str]]:
    """The words of each frame's task, by episode, as the set itself has them."""
    dataset = Dataset.open(root)
    return [
        [dataset.tasks[number] for number in dataset.episode(episode, ["task_index"])["task_index"]]
        for episode in range(len(dataset))
    ]


def expected(frame_tasks: Sequence[Sequence[int]]) -> list[list[str]]:
    return [[TASKS[number] for number in chosen] for chosen in frame_tasks]


def alter_rows(root: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    table = pq.read_table(root / ROW)
    pq.write_table(change(table), root / ROW)


def list_tasks(*listed: Sequence[str] | None) -> Callable[[pa.Table], pa.Table]:
    def change(table: pa.Table) -> pa.Table:
        column = pa.array([each and list(each) if each else each for each in listed], pa.list_(pa.string()))
        return table.set_column(table.column_names.index("tasks"), "tasks", column)

    return change


@settings(max_examples=often(4, 300))
@given(frame_tasks=ORDERS, apart=st.booleans(), data=st.data())
def test_tasks_in_any_order_are_sound_and_stay_with_their_frames(
    tmp_path_factory: pytest.TempPathFactory, frame_tasks: list[list[int]], apart: bool, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("sets")
    listed = [data.draw(st.permutations(sorted({TASKS[number] for number in chosen}))) for chosen in frame_tasks]
    root = write_foreign(folder / "theirs", frame_tasks, listed=listed, apart=apart)
    before = tree(root)
    assert check(root).problems == ()
    assert repair(root).sound and tree(root) == before
    merge(folder / "both", [root])
    split(root, folder / "last", {"": [len(frame_tasks) - 1]})
    for made, kept in ((root, frame_tasks), (folder / "both", frame_tasks), (folder / "last", frame_tasks[-1:])):
        assert check(made).problems == ()
        assert words_of_frames(made) == expected(kept)
        for episode, words in zip(Dataset.open(made).episodes, expected(kept), strict=True):
            assert set(episode.tasks) == set(words)
    if len(frame_tasks) > 1:
        delete(folder / "both", [0])
        assert check(folder / "both").problems == ()
        assert words_of_frames(folder / "both") == expected(frame_tasks[1:])


@settings(max_examples=often(4, 300))
@given(frame_tasks=ORDERS, apart=st.booleans(), data=st.data())
def test_whatever_a_row_lists_repair_keeps_every_episode_and_each_tasks_words(
    tmp_path_factory: pytest.TempPathFactory, frame_tasks: list[list[int]], apart: bool, data: st.DataObject
) -> None:
    some = st.lists(st.sampled_from([*TASKS, "other"]), max_size=3, unique=True)
    listed = [data.draw(some | st.none()) for _ in frame_tasks]
    root = write_foreign(tmp_path_factory.mktemp("sets") / "theirs", frame_tasks, apart=apart)
    alter_rows(root, list_tasks(*listed))
    named = (root / LIST).read_bytes()
    off = [e for e, words in enumerate(expected(frame_tasks)) if not set(words) <= set(listed[e] or ())]
    found = check(root)
    assert found.episodes == len(frame_tasks)
    assert found.problems == tuple(f"episode {e}: its row does not list its frames' tasks" for e in off)
    assert repair(root).episodes == len(frame_tasks)
    assert check(root).problems == ()
    assert (root / LIST).read_bytes() == named
    assert words_of_frames(root) == expected(frame_tasks)
    for episode, words in zip(Dataset.open(root).episodes, expected(frame_tasks), strict=True):
        assert set(words) <= set(episode.tasks)
        assert episode.index not in off or set(episode.tasks) == set(words)
    assert not (root / "damaged").exists()


@settings(max_examples=often(4, 300))
@given(frame_tasks=ORDERS, torn=st.booleans(), data=st.data())
def test_without_the_list_no_word_is_lost_and_none_is_given_to_another_task(
    tmp_path_factory: pytest.TempPathFactory, frame_tasks: list[list[int]], torn: bool, data: st.DataObject
) -> None:
    listed = [data.draw(st.permutations(sorted({TASKS[number] for number in chosen}))) for chosen in frame_tasks]
    root = write_foreign(tmp_path_factory.mktemp("sets") / "theirs", frame_tasks, listed=listed)
    if torn:
        (root / LIST).write_bytes(b"torn")
    else:
        (root / LIST).unlink()
    assert any("meta/tasks.parquet" in problem for problem in check(root).problems)
    assert repair(root).episodes == len(frame_tasks)
    assert check(root).problems == ()
    assert (root / "damaged" / LIST).exists() == torn
    for found, words in zip(words_of_frames(root), expected(frame_tasks), strict=True):
        for now, before in zip(found, words, strict=True):
            assert now == before or (now.startswith("unknown task") and before in now)


def test_words_are_found_where_only_one_is_possible() -> None:
    assert lost_words({}, [([0], ["a"]), ([1, 0], ["a", "b"])]) == {0: "a", 1: "b"}
    assert lost_words({0: "a"}, [([1, 0], ["b", "a"])]) == {1: "b"}
    assert lost_words({}, [([0, 1], ["a", "b"]), ([1, 2], ["b", "c"])]) == {0: "a", 1: "b", 2: "c"}
    assert lost_words({}, [([0, 1], ["a", "b"])]) == {0: "unknown task 0 (a or b)", 1: "unknown task 1 (a or b)"}
    assert lost_words({}, [([0], ["a"]), ([0], ["b"])]) == {0: "unknown task 0 (a or b)"}
    assert lost_words({}, [([3], []), ([-1, MAX_TASKS], ["a"])]) == {3: "unknown task 3"}


def test_a_set_whose_rows_list_no_tasks_at_all_is_sound(tmp_path: Path) -> None:
    root = write_foreign(tmp_path / "theirs", ((1, 0), (2,)))
    alter_rows(root, lambda table: table.drop_columns(["tasks"]))
    assert check(root).problems == ()
    assert [episode.tasks for episode in Dataset.open(root).episodes] == [("place", "pick"), ("wait",)]
    assert "place; pick" in in_process("dataset", "info", str(root)).stdout
    merge(tmp_path / "both", [root])
    assert check(tmp_path / "both").problems == ()
    assert words_of_frames(tmp_path / "both") == [["place", "pick"], ["wait"]]


def test_a_list_of_tasks_is_read_by_number(tmp_path: Path) -> None:
    root = write_foreign(tmp_path / "theirs", ((7, 2), (2,)), tasks=[f"task {n}" for n in range(8)])
    named = pa.table({"kind": ["x", "y"], "task_index": [7, 2], "task": ["seven", "two"]})
    pq.write_table(named, root / LIST)
    info = json.loads((root / "meta/info.json").read_text())
    (root / "meta/info.json").write_text(json.dumps({**info, "total_tasks": 2}))
    alter_rows(root, list_tasks(["two", "seven"], ["two"]))
    assert check(root).problems == ()
    assert words_of_frames(root) == [["seven", "two"], ["two"]]
    pq.write_table(named.slice(1), root / LIST)
    assert any("does not name the tasks 7" in problem for problem in check(root).problems)
    repair(root)
    assert check(root).problems == ()
    assert read_tasks(root)[7] == "seven" and read_tasks(root)[2] == "two"
    assert pq.read_table(root / LIST)["kind"].to_pylist()[0] == "y"
    for doubtful in ({"task_index": [0, 0], "task": ["a", "b"]}, {"task_index": [MAX_TASKS], "task": ["a"]}):
        pq.write_table(pa.table(doubtful), root / LIST)
        with pytest.raises(DatasetError, match="not a readable list of tasks"):
            read_tasks(root)


def test_a_frame_with_an_impossible_task_is_reported_and_its_episode_stays(tmp_path: Path) -> None:
    root = write_foreign(tmp_path / "theirs", ((0, 0), (1,)))
    path = root / "data/chunk-000/file-000.parquet"
    table = pq.read_table(path)
    pq.write_table(
        table.set_column(table.column_names.index("task_index"), "task_index", pa.array([0, 2**62, -1])), path
    )
    before = tree(root)
    assert [problem for problem in check(root).problems if "the largest number of a task" in problem]
    done = repair(root)
    assert done.episodes == 2 and any(problem.endswith("left as it is") for problem in done.problems)
    assert tree(root) == before


def test_an_empty_list_in_an_own_set_is_mended_and_the_set_grows_on(tmp_path: Path) -> None:
    root = write(tmp_path / "set", 3)
    whole = tree(root)
    table = pq.read_table(root / ROW)
    (root / ROW).write_bytes(
        to_parquet(list_tasks([])(table).replace_schema_metadata(table.schema.metadata), lean=True)
    )
    assert check(root).problems == ("episode 0: its row does not list its frames' tasks",)
    repair(root)
    assert check(root).problems == ()
    after = tree(root)
    assert {name for name in after if after[name] != whole[name]} <= {ROW}
    assert Dataset.open(root).episodes[0].tasks == ("task 0",) and Dataset.open(root).episodes[0].extra == {"seed": 0}
    DatasetWriter.open(root).close()
