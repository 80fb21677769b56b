"""Rows of `meta/episodes` have the columns that other programs write, and rows of earlier versions are renewed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from robot.dataset import Dataset, DatasetWriter
from robot.dataset.edit.check import check
from robot.dataset.edit.delete import delete
from robot.dataset.edit.repair import repair
from robot.dataset.format.schema import BOOKKEEPING
from robot.dataset.format.tables import row_files
from robot.errors import DatasetError
from tests.robot.dataset.samples import FPS, columns, features, write


def of_before(root: Path, episodes: int) -> Path:
    """A set as worldarm wrote it before: extras as columns, and no statistics of the bookkeeping columns."""
    write(root, episodes)
    for number, path in enumerate(row_files(root)):
        row = pq.read_table(path)
        kept = [
            name for name in row.column_names if not any(name.startswith(f"stats/{column}/") for column in BOOKKEEPING)
        ]
        row = row.select(kept).append_column("extra/seed", pa.array([number], pa.int64()))
        with pq.ParquetWriter(path, row.replace_schema_metadata().schema, store_schema=False) as writer:
            writer.write_table(row.replace_schema_metadata())
    return root


def row_columns(root: Path) -> set[frozenset[str]]:
    return {frozenset(pq.read_schema(path).names) for path in row_files(root)}


def test_extras_are_no_columns_and_every_column_has_its_statistics(tmp_path: Path) -> None:
    (names,) = row_columns(write(tmp_path / "set", 3))
    assert not any("seed" in name for name in names)
    assert all(f"stats/{name}/mean" in names for name in Dataset.open(tmp_path / "set").features)
    index = [pq.read_table(path, columns=["stats/index/max"])[0][0].as_py() for path in row_files(tmp_path / "set")]
    assert index == [[3.0], [8.0], [14.0]]


def test_a_set_of_before_can_be_read_and_is_renewed_when_it_is_continued(tmp_path: Path) -> None:
    root = of_before(tmp_path / "set", 3)
    assert check(root).problems == ()
    assert [episode.extra for episode in Dataset.open(root).episodes] == [{"seed": number} for number in range(3)]
    with DatasetWriter.open(root, FPS, features(), durable=False) as writer:
        writer.save_episode(columns(3, 4), "task 1", {"seed": 3})
    at_once = write(tmp_path / "at once", 4)
    assert Dataset.open(root).fingerprint() == Dataset.open(at_once).fingerprint()
    assert row_columns(root) == row_columns(at_once)
    assert (root / "meta/stats.json").read_bytes() == (at_once / "meta/stats.json").read_bytes()


def test_a_renewal_that_was_cut_off_goes_on(tmp_path: Path) -> None:
    root, now = of_before(tmp_path / "set", 3), write(tmp_path / "now", 3)
    shutil.copyfile(row_files(now)[0], row_files(root)[0])
    assert [episode.extra["seed"] for episode in Dataset.open(root).episodes] == [0, 1, 2]
    DatasetWriter.open(root).close()
    assert row_columns(root) == row_columns(now)


def test_what_takes_apart_and_mends_renews_too(tmp_path: Path) -> None:
    root = of_before(tmp_path / "set", 4)
    delete(root, [1])
    assert len(row_columns(root)) == 1
    mended = of_before(tmp_path / "mended", 4)
    (mended / "data/chunk-000/file-001.parquet").write_bytes(b"torn")
    repair(mended)
    assert check(mended).problems == ()
    DatasetWriter.open(mended).close()
    assert row_columns(mended) == row_columns(root)
    assert [episode.extra["seed"] for episode in Dataset.open(mended).episodes] == [0, 2, 3]


def test_a_set_that_another_program_went_on_with_is_left_to_it(tmp_path: Path) -> None:
    root = write(tmp_path / "set", 2)
    path = row_files(root)[-1]
    row = pq.read_table(path).replace_schema_metadata()
    pq.write_table(row, path)
    with pytest.raises(DatasetError, match="another program"):
        DatasetWriter.open(root)
    assert Dataset.open(root).episodes[1].extra == {}
