"""The tasks of a data set: `meta/tasks.parquet`, which gives the words of each task by the number that frames have.

An episode may have several tasks, one a frame. Its row lists their words in any order; some programs leave that out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from robot.dataset.format.bounded_parquet import open_parquet, read_columns, require_few_rows
from robot.dataset.format.columns import TASK_INDEX
from robot.dataset.format.paths import inside
from robot.dataset.format.schema import TASKS_PATH
from robot.errors import DatasetError
from robot.system.bounds import MAX_TASK_LENGTH, MAX_TASKS
from robot.system.text import printable

_WORDS = "task"
_SHOWN = 300  # characters of a broken file's contents in a message


def read_tasks(root: Path) -> dict[int, str]:
    """Read the tasks by number, in order; none when the file is absent. Raises DatasetError when it is broken."""
    path = inside(root, TASKS_PATH)
    if not path.exists():
        return {}
    table = _read(path)
    tasks: dict[int, str] = {}
    try:
        words = words_column(table)
        for number, text in zip(table[TASK_INDEX].to_pylist(), table[words].to_pylist(), strict=True):
            if text is None:
                continue
            if not 0 <= number < MAX_TASKS:
                raise ValueError(f"a task has the number {number}, and {MAX_TASKS - 1} is the largest")
            if tasks.setdefault(int(number), task_words(text)) != task_words(text):
                raise ValueError(f"the task {number} is named twice")
    except (pa.ArrowException, KeyError, StopIteration, TypeError, ValueError) as error:
        raise DatasetError(f"{path} is not a readable list of tasks: {printable(repr(error), _SHOWN)}") from error
    return dict(sorted(tasks.items()))


def tasks_table(tasks: Mapping[int, str]) -> pa.Table:
    """Return the table of `meta/tasks.parquet`: each task with its number; for pandas the text is the frame's index."""
    table = pa.table({TASK_INDEX: pa.array(tasks.keys(), pa.int64()), _WORDS: pa.array(tasks.values(), pa.string())})
    described = [
        {"name": name, "field_name": name, "pandas_type": kind, "numpy_type": numpy_type, "metadata": None}
        for name, kind, numpy_type in ((TASK_INDEX, "int64", "int64"), (_WORDS, "unicode", "object"))
    ]
    pandas = {"index_columns": [_WORDS], "column_indexes": [], "columns": described, "pandas_version": "2.0.0"}
    return table.replace_schema_metadata({"pandas": json.dumps(pandas)})


def with_more_tasks(root: Path, more: Mapping[int, str]) -> pa.Table:
    """Return the table of a set's readable `meta/tasks.parquet` with more tasks below it; all that it holds stays."""
    path = inside(root, TASKS_PATH)
    if not path.exists():
        return tasks_table(more)
    table = _read(path)
    words = words_column(table)
    added = pa.table({TASK_INDEX: pa.array(more.keys(), pa.int64()), words: pa.array(more.values(), pa.string())})
    added = pa.table({name: added[name].cast(table.schema.field(name).type) for name in (TASK_INDEX, words)})
    return pa.concat_tables([table, added], promote_options="default").replace_schema_metadata(table.schema.metadata)


def words_column(table: pa.Table) -> str:
    """Return the column of a table of tasks that holds their words. Raises StopIteration without one."""
    return _WORDS if _WORDS in table.column_names else next(n for n in table.column_names if n != TASK_INDEX)


def by_number(tasks: Mapping[int, str]) -> list[str]:
    """Return the words of the tasks from number 0 on; a number that names no task is an unknown task."""
    return [tasks.get(number, unknown_task(number)) for number in range(max(tasks, default=-1) + 1)]


def unknown_task(number: int, candidates: Iterable[str] = ()) -> str:
    """Return what stands for the words of a task when they are lost; `candidates`: what they may have been."""
    words = " or ".join(candidates)
    return f"unknown task {number}" + (f" ({words})" if words else "")


def task_numbers(task_index: npt.NDArray[np.generic]) -> list[int]:
    """Return the numbers in a `task_index` column, each once, as they first occur."""
    numbers, first = np.unique(task_index, return_index=True)
    return [int(number) for number in numbers[np.argsort(first)]]


def task_words(task: Any) -> str:
    """Return a task's words as read. Raises ValueError when they are longer than any task."""
    text = str(task)
    if len(text) > MAX_TASK_LENGTH:
        raise ValueError(f"a task has {len(text)} characters, and at most {MAX_TASK_LENGTH} are read")
    return text


def _read(path: Path) -> pa.Table:
    with open_parquet(path, "list of tasks") as file:
        require_few_rows(file, path)
        return read_columns(file, path)
