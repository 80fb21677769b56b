"""Reads parquet files of others; what a file would take in memory is estimated from its footer before it is read.

Repeated values take almost no bytes in a file, so that a few kilobytes can hold billions of rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from robot.dataset.format.parquet_footer import ColumnChunk, read_footer, require_honest_pages
from robot.errors import DatasetError
from robot.system.bounds import MAX_PARQUET_EXPANSION, MAX_PARQUET_EXPANSION_BYTES, MAX_TABLE_BYTES
from robot.system.text import printable

DATA_FILE = "data file"
_SHOWN = 300  # characters of the library's message
_FREE_ROWS = 10_000  # a list of episodes or tasks may have these many rows whatever its size
_LEAST_ROW_BYTES = 4  # what a row with a number of its own takes at least in a file


@contextmanager
def open_parquet(path: Path, what: str, verify: bool = True) -> Iterator[pq.ParquetFile]:
    """A context that opens the parquet file `path`, which is to be `what`, such as "list of tasks".

    verify: compare the pages with their checksums where they have any. Raises DatasetError when the file is missing or
    broken, and turns the parquet library's errors in the body into it.
    """
    try:
        with pq.ParquetFile(path, page_checksum_verification=verify) as file:
            yield file
    except FileNotFoundError:
        raise DatasetError(f"the {what} {path} is missing: check the data set") from None
    except (OSError, pa.ArrowException, ValueError, TypeError, LookupError, OverflowError, MemoryError) as error:
        kind = f"the {what} {path} cannot be read" if what == DATA_FILE else f"{path} is not a readable {what}"
        raise DatasetError(f"{kind}: {printable(str(error), _SHOWN)}") from error


def read_columns(
    file: pq.ParquetFile, path: Path, names: Sequence[str] | None = None, groups: Sequence[int] | None = None
) -> pa.Table:
    """Return the columns `names`, or all, of the row groups `groups`, or all, of the open parquet file at `path`.

    Raises DatasetError when they would take more memory than their file can reasonably hold.
    """
    chosen = list(range(file.num_row_groups)) if groups is None else list(groups)
    columns = file.schema_arrow.names if names is None else list(dict.fromkeys(names))
    most = min(MAX_TABLE_BYTES, max(MAX_PARQUET_EXPANSION_BYTES, MAX_PARQUET_EXPANSION * path.stat().st_size))
    chunks = _chunks(path, chosen, columns)
    certain, possible, widest = _memory(chunks)
    if certain > most:
        raise _too_large(path, certain)
    require_honest_pages(path, chunks)
    if certain + possible <= most:
        return file.read_row_groups(chosen, columns=columns)
    # Texts that are stored once and named by many rows: only reading tells how much they take.
    batches, taken = [], 0
    rows = max(1, MAX_PARQUET_EXPANSION_BYTES // max(1, widest))
    for batch in file.iter_batches(batch_size=rows, row_groups=chosen, columns=columns):
        taken += batch.nbytes
        if taken > most:
            raise _too_large(path, taken)
        batches.append(batch)
    return pa.Table.from_batches(batches, file.schema_arrow if names is None else None) if batches else pa.table({})


def require_few_rows(file: pq.ParquetFile, path: Path) -> None:
    """Raise DatasetError when a list of episodes or tasks has more rows than a file of its size can name apart."""
    if file.metadata.num_rows > max(_FREE_ROWS, path.stat().st_size // _LEAST_ROW_BYTES):
        raise DatasetError(f"{path} says that it has {file.metadata.num_rows} rows, more than a file of its size lists")


def _chunks(path: Path, groups: Sequence[int], columns: Sequence[str]) -> tuple[ColumnChunk, ...]:
    """Return the column chunks of `columns` in the row groups `groups`."""
    wanted = set(columns)
    of_whole = tuple(f"{name}." for name in columns)
    footer = read_footer(path)
    return tuple(
        chunk
        for number in groups
        for chunk in footer[number]
        if chunk.path in wanted or chunk.path.startswith(of_whole)
    )


def _memory(chunks: Sequence[ColumnChunk]) -> tuple[int, int, int]:
    """Return the bytes that the chunks take in any case, those that texts named repeatedly may take in addition, and
    the most that one value of such a text may take."""
    certain = possible = widest = 0
    for chunk in chunks:
        if chunk.width is not None:
            certain += chunk.values * chunk.width
            continue
        certain += chunk.expanded
        if chunk.is_dictionary:
            possible += chunk.values * chunk.expanded
            widest = max(widest, chunk.expanded)
    return certain, possible, widest


def _too_large(path: Path, needed: int) -> DatasetError:
    return DatasetError(
        f"{path} would take {needed / 1e6:.0f} MB in memory, more than a file of {path.stat().st_size / 1e6:.3g} MB "
        "holds: it is damaged, or made to fill the memory"
    )
