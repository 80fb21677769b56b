"""What is read of a parquet file's sizes agrees with its library, and a file that lies about them is not read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot.dataset.format.bounded_parquet import open_parquet, read_columns
from robot.dataset.format.parquet_footer import read_footer
from robot.errors import DatasetError
from tests.soak import often


@settings(max_examples=often(10, 1000))
@given(
    st.integers(0, 300),
    st.integers(1, 100),
    st.sampled_from(["NONE", "SNAPPY", "ZSTD"]),
    st.booleans(),
    st.sampled_from(["1.0", "2.0"]),
)
def test_it_agrees_with_the_library(
    tmp_path_factory: pytest.TempPathFactory, rows: int, group: int, compression: str, dictionary: bool, pages: str
) -> None:
    path = tmp_path_factory.mktemp("footer") / "file.parquet"
    numbers = np.arange(rows)
    table = pa.table(
        {
            "number": numbers,
            "names": [[str(number % 7)] * (number % 3) for number in numbers],
            "vector": pa.FixedSizeListArray.from_arrays(np.zeros(3 * rows, np.float32), 3),
            "nested": [{"path": f"{number}.png", "bytes": bytes(number)} for number in numbers],
        }
    )
    options = {"compression": compression, "use_dictionary": dictionary, "data_page_version": pages}
    pq.write_table(table, path, row_group_size=group, data_page_size=100, **options)
    metadata = pq.read_metadata(path)
    footer = read_footer(path)
    assert len(footer) == metadata.num_row_groups
    for number, chunks in enumerate(footer):
        theirs = [metadata.row_group(number).column(index) for index in range(metadata.num_columns)]
        assert [(each.path, each.values, each.size, each.expanded) for each in chunks] == [
            (each.path_in_schema, each.num_values, each.total_compressed_size, each.total_uncompressed_size)
            for each in theirs
        ]
    with open_parquet(path, "data file") as file:
        assert read_columns(file, path).equals(table)


def test_a_page_that_claims_more_than_its_column_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "file.parquet"
    pq.write_table(pa.table({"number": np.arange(10_000)}), path, compression="NONE", use_dictionary=False)
    data = bytearray(path.read_bytes())
    start = read_footer(path)[0][0].start
    # A page header begins with its type and the size of its page: fields 1 and 2, both numbers of varying length.
    assert (data[start], data[start + 2]) == (0x15, 0x15) and data[start + 4] >= 0x80 > data[start + 5]
    data[start + 5] = 0x7F
    path.write_bytes(data)
    with (
        pytest.raises(DatasetError, match="the pages of number claim"),
        open_parquet(path, "data file") as file,
    ):
        read_columns(file, path)


@pytest.mark.parametrize(
    ("footer", "said"),
    [
        (b"\x4c" * 200, "nested too deeply"),
        (b"\x49\xfc\xff\xff\xff\xff\xff\x01", "cut short"),
        (b"\x45" + b"\xff" * 20, "too long"),
        (b"\x1f\x00", "unknown kind"),
        (b"\x49\x15\x02\x00", "another kind"),
        (b"", "cut short"),
    ],
)
def test_a_footer_that_is_none_is_told(tmp_path: Path, footer: bytes, said: str) -> None:
    path = tmp_path / "file.parquet"
    path.write_bytes(b"PAR1" * 2 + footer + len(footer).to_bytes(4, "little") + b"PAR1")
    with pytest.raises(ValueError, match=said):
        read_footer(path)


def test_a_footer_that_is_too_large_or_longer_than_its_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "file.parquet"
    path.write_bytes(b"PAR1" * 2 + b"\xff\xff\xff\x7f" + b"PAR1")
    with pytest.raises(ValueError, match="does not end as a parquet file does"):
        read_footer(path)
    with path.open("r+b") as file:
        file.truncate(2**30)  # a hole, which takes no place on the disk
        file.seek(2**30 - 8)
        file.write(b"\xff\xff\xff\x0fPAR1")
    with pytest.raises(ValueError, match="at most 16777216 are read"):
        read_footer(path)
