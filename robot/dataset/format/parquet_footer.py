"""What the footer and the page headers of a parquet file say of its sizes, read without the parquet library.

The library allocates what a page header claims, and ends the process when a column's description contradicts itself, so
both are checked before it may read columns. Sources: the Thrift compact protocol
(github.com/apache/thrift, doc/specs/thrift-compact-protocol.md) and github.com/apache/parquet-format, parquet.thrift.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

from robot.system.bounds import MAX_PARQUET_FOOTER_BYTES

_Wanted = Mapping[int, "_Wanted"]
_MAGIC = b"PAR1"
_TAIL = struct.Struct("<I4s")
_MAX_DEPTH = 16
_MAX_VARINT_BYTES = 10
_TRUE, _FALSE, _BYTE, _I16, _I64, _DOUBLE, _BINARY, _LIST, _SET, _STRUCT = 1, 2, 3, 4, 6, 7, 8, 9, 10, 12
_NOTHING: _Wanted = {}
# The fields of parquet.thrift that are read: those of ColumnMetaData in ColumnChunk in RowGroup in FileMetaData, and of
# PageHeader.
_COLUMN = dict.fromkeys((1, 2, 3, 5, 6, 7, 9, 11), _NOTHING)
_FOOTER = {4: {1: {1: _NOTHING, 3: _COLUMN, 8: {1: _NOTHING}, 9: _NOTHING}}}
_PAGE = dict.fromkeys((2, 3), _NOTHING)
_HEADER_BYTES = 4096
_MAX_HEADER_BYTES = 1024 * 1024  # a page header may hold the least and greatest text of its page
_DICTIONARY_ENCODINGS = frozenset({2, 8})  # PLAIN_DICTIONARY, RLE_DICTIONARY
_TYPE_BYTES = {0: 1, 1: 4, 2: 8, 3: 12, 4: 4, 5: 8}
"""Bytes of a value by its physical type: BOOLEAN, INT32, INT64, INT96, FLOAT, DOUBLE; others have no fixed width."""


@dataclass(frozen=True)
class ColumnChunk:
    """One column of one row group: its `path` in the schema, the `width` in bytes of a value (None when it has none),
    how many `values`, and its bytes in the file (`start`, `size`) and once decompressed (`expanded`)."""

    path: str
    width: int | None
    values: int
    is_dictionary: bool
    start: int
    size: int
    expanded: int


def read_footer(path: Path) -> tuple[tuple[ColumnChunk, ...], ...]:
    """Return the column chunks of each row group of the parquet file `path`.

    Raises ValueError when the footer is larger than `MAX_PARQUET_FOOTER_BYTES`, broken, or of encrypted columns;
    OSError when the file cannot be read.
    """
    about = path.stat()
    return _read_footer(path, about.st_size, about.st_mtime_ns, about.st_ino)


def require_honest_pages(path: Path, chunks: tuple[ColumnChunk, ...]) -> None:
    """Raise ValueError when a page of `chunks` claims to be larger, once decompressed, than its whole column chunk."""
    with path.open("rb") as file:
        for chunk in filter(lambda each: each.values, chunks):  # one without values may lie nowhere
            expanded = sum(_page_sizes(file, chunk))
            if expanded > chunk.expanded:
                raise ValueError(
                    f"the pages of {chunk.path} claim {expanded} bytes, and its column chunk {chunk.expanded}"
                )


@lru_cache(maxsize=64)
def _read_footer(path: Path, size: int, *_when: int) -> tuple[tuple[ColumnChunk, ...], ...]:
    with path.open("rb") as file:
        if size < 2 * _TAIL.size:
            raise ValueError("it is too short for a parquet file")
        file.seek(size - _TAIL.size)
        length, magic = _TAIL.unpack(file.read(_TAIL.size))
        if magic != _MAGIC or length > size - _TAIL.size:
            raise ValueError("it does not end as a parquet file does")
        if length > MAX_PARQUET_FOOTER_BYTES:
            raise ValueError(f"its footer has {length} bytes; at most {MAX_PARQUET_FOOTER_BYTES} are read")
        file.seek(size - _TAIL.size - length)
        try:
            footer, _ = _struct(file.read(length), 0, _FOOTER)
        except IndexError as error:
            raise ValueError("its footer is cut short") from error
    groups = _of_kind(footer.get(4, []), list)
    return tuple(
        tuple(_chunk(_of_kind(column, dict), size) for column in _of_kind(_of_kind(group, dict).get(1, []), list))
        for group in groups
    )


def _chunk(column: dict[int, Any], size: int) -> ColumnChunk:
    if 8 in column or 9 in column:
        raise ValueError("its columns are encrypted")
    if 1 in column:
        raise ValueError("its columns are in another file")
    found = _of_kind(column.get(3), dict)
    numbers = [_of_kind(found.get(key), int) for key in (1, 5, 6, 7, 9)]
    kind, values, expanded, stored, start = numbers
    if 11 in found:
        start = min(start, _of_kind(found[11], int))
    if min(numbers) < 0 or start + stored > size:
        raise ValueError("a column chunk lies outside the file")
    parts = [_of_kind(part, bytes).decode() for part in _of_kind(found.get(3), list)]
    is_dictionary = not _DICTIONARY_ENCODINGS.isdisjoint(_of_kind(found.get(2), list))
    return ColumnChunk(".".join(parts), _TYPE_BYTES.get(kind), values, is_dictionary, start, stored, expanded)


def _page_sizes(file: BinaryIO, chunk: ColumnChunk) -> Iterator[int]:
    """Yield the bytes of each page of a column chunk once decompressed, headers included, as the chunk counts them."""
    at, end = chunk.start, chunk.start + chunk.size
    while at < end:
        header, length = _page_header(file, at, end)
        expanded, stored = _of_kind(header.get(2), int), _of_kind(header.get(3), int)
        if min(expanded, stored) < 0:
            raise ValueError(f"a page of {chunk.path} has a negative size")
        yield length + expanded
        at += length + stored
    if at != end:
        raise ValueError(f"the pages of {chunk.path} do not fill its column chunk")


def _page_header(file: BinaryIO, at: int, end: int) -> tuple[dict[int, Any], int]:
    """Return the page header at `at`, and its length."""
    for most in (_HEADER_BYTES, _MAX_HEADER_BYTES):
        file.seek(at)
        data = file.read(min(most, end - at))
        try:
            return _struct(data, 0, _PAGE)
        except IndexError:
            if most >= end - at:
                break
    raise ValueError(f"the page header at byte {at} is cut short, or longer than {_MAX_HEADER_BYTES} bytes")


def _struct(data: bytes, at: int, wanted: _Wanted, depth: int = 0) -> tuple[dict[int, Any], int]:
    """Return the `wanted` fields of the struct of the Thrift compact protocol at `at`, and where it ends. Raises
    IndexError where the data end, ValueError where they are not of the protocol."""
    if depth > _MAX_DEPTH:
        raise ValueError("its description is nested too deeply")
    found: dict[int, Any] = {}
    field = 0
    while head := data[at]:
        at += 1
        if head >> 4:
            field += head >> 4
        else:
            field, at = _signed(data, at)
        kind = head & 0x0F
        if kind <= _FALSE:
            continue  # it takes no byte of its own, and no such field is wanted
        if field in wanted:
            found[field], at = _value(data, at, kind, wanted[field], depth)
        else:
            at = _end(data, at, kind, depth)
    return found, at + 1


def _value(data: bytes, at: int, kind: int, wanted: _Wanted, depth: int) -> tuple[Any, int]:
    """Return the value of `kind` at `at`, and where it ends."""
    if _I16 <= kind <= _I64:
        return _signed(data, at)
    if kind == _BINARY:
        length, at = _unsigned(data, at)
        if length > len(data) - at:
            raise IndexError("a text is longer than the data")
        return data[at : at + length], at + length
    if kind == _STRUCT:
        return _struct(data, at, wanted, depth + 1)
    if kind != _LIST:
        raise ValueError("its description has a field of another kind than it must have")
    of_kind, count, at = _list(data, at, depth)
    values = []
    for _ in range(count):
        value, at = _value(data, at, of_kind, wanted, depth + 1)
        values.append(value)
    return values, at


def _end(data: bytes, at: int, kind: int, depth: int) -> int:
    """Return where the value of `kind` at `at` ends."""
    if _I16 <= kind <= _I64:
        while data[at] >= 0x80:
            at += 1
        return at + 1
    if kind == _BINARY:
        length, at = _unsigned(data, at)
        return at + length
    if kind == _STRUCT:
        return _struct(data, at, _NOTHING, depth + 1)[1]
    if kind in (_LIST, _SET):
        of_kind, count, at = _list(data, at, depth)
        for _ in range(count):
            at = _end(data, at, of_kind, depth + 1)
        return at
    if kind in (_TRUE, _FALSE, _BYTE):
        return at + 1
    if kind == _DOUBLE:
        return at + 8
    raise ValueError(f"its description has a value of the unknown kind {kind}")  # parquet has no maps


def _list(data: bytes, at: int, depth: int) -> tuple[int, int, int]:
    """Return the kind and the number of a list's values, and where they begin."""
    if depth > _MAX_DEPTH:
        raise ValueError("its description is nested too deeply")
    count, kind = data[at] >> 4, data[at] & 0x0F
    count, at = (count, at + 1) if count != 0x0F else _unsigned(data, at + 1)
    if count > len(data) - at:
        raise IndexError("a list is longer than the data")
    return kind, count, at


def _unsigned(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place in range(_MAX_VARINT_BYTES):
        byte = data[at + place]
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return value, at + place + 1
    raise ValueError("its description has a number that is too long")


def _signed(data: bytes, at: int) -> tuple[int, int]:
    value, at = _unsigned(data, at)
    return value >> 1 ^ -(value & 1), at


def _of_kind(value: Any, kind: type[Any]) -> Any:
    if not isinstance(value, kind):
        raise ValueError("its description lacks a field, or has one of another kind")
    return value
