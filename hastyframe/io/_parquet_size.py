"""What a Parquet file will take as columns, told before they are read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    import pyarrow.parquet as pq

__all__ = ["as_dictionaries", "is_text", "json_size", "size_of", "text_size"]

WIDTHS = {"BOOLEAN": 1, "INT32": 4, "FLOAT": 4, "INT64": 8, "DOUBLE": 8, "INT96": 12}
"""Bytes of a value by its physical type."""
OFFSET = 8
"""Bytes that tell where a text or list ends."""


def as_dictionaries(file: pq.ParquetFile) -> list[str]:
    """Columns of texts that the file has as dictionaries: read as such, they take no more than the file tells.

    Else a text of one MiB that a million rows have would be written out a million times.
    """
    kinds = (pa.types.is_string, pa.types.is_large_string, pa.types.is_dictionary)
    texts = {field.name for field in file.schema_arrow if any(is_it(field.type) for is_it in kinds)}
    found = {chunk.path_in_schema for chunk, _ in _chunks(file.metadata) if chunk.has_dictionary_page}
    return sorted(texts & found)


def size_of(metadata: Any, dictionaries: list[str]) -> int:
    """Count the most bytes that the columns of a file can take.

    Parameters
    ----------
    metadata : pyarrow.parquet.FileMetaData
        What the end of the file says.
    dictionaries : list of str
        Columns that stay dictionaries.
    """
    return sum(_chunk_size(chunk, length, dictionaries) for chunk, length in _chunks(metadata))


def text_size(column: pa.ChunkedArray) -> int:
    """Bytes of a column of dictionaries of texts once it is written out.

    Examples
    --------
    >>> text_size(pa.chunked_array([pa.array(["abc", "d", "abc"]).dictionary_encode()]))
    31
    """
    total = OFFSET * len(column)
    for chunk in column.chunks:
        lengths = pc.binary_length(chunk.dictionary).cast(pa.int64())
        total += pc.sum(lengths.take(chunk.indices)).as_py() or 0
    return total


def json_size(column: pa.ChunkedArray) -> int:
    """Guess the bytes that texts of JSON take as Python objects: lists and objects take most.

    Examples
    --------
    >>> json_size(pa.chunked_array([pa.array(['{"a": [1, 2]}', None, '"b"'])]))
    340
    """
    marks = sum(pc.sum(pc.count_substring(column, mark)).as_py() or 0 for mark in "[{,")
    return 60 * len(column) + 80 * marks - 80 * bool(marks)


def is_text(kind: pa.DataType) -> bool:
    """Whether a type is one of texts."""
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def _chunks(metadata: Any) -> Iterator[tuple[Any, int]]:
    """Pieces of columns, and how long their values are where all are of one length."""
    lengths = [metadata.schema.column(number).length for number in range(metadata.num_columns)]
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        for number in range(group.num_columns):
            yield group.column(number), lengths[number]


def _chunk_size(chunk: Any, length: int, dictionaries: list[str]) -> int:
    values, unpacked = chunk.num_values, chunk.total_uncompressed_size
    if chunk.physical_type != "BYTE_ARRAY":
        return values * WIDTHS.get(chunk.physical_type, length) + unpacked
    # A text of a dictionary, or one that begins as the one before, may be as long as all that is there.
    repeated = chunk.has_dictionary_page or "DELTA_BYTE_ARRAY" in chunk.encodings
    if repeated and chunk.path_in_schema not in dictionaries:
        return values * unpacked
    return values * OFFSET + unpacked
