"""Arrow list columns as flat values and offsets, and back; to and from the nested lists of JSON."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from ..frames import MASK, POLYGON, arrow_list
from ..masks import Ragged

__all__ = ["KEPT", "PARTS", "mask_lists", "offsets_of", "polygon_lists", "ragged_of", "whole"]

PARTS = pa.list_(POLYGON)
"""What a label of several polygons or with holes holds: a list of rings."""

KEPT = {"parts": PARTS, "file_bbox": pa.list_(pa.float64()), "as_read": pa.int64()}
"""Columns that remember how a file wrote a label; see :mod:`hastyframe.io.coco`."""


def offsets_of(lengths: Any) -> NDArray[np.int64]:
    """Offsets, shape (n + 1,), of lists of these lengths."""
    lengths = np.asarray(lengths, np.int64)
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def ragged_of(column: pd.Series[Any], type_: pa.DataType) -> tuple[Ragged, NDArray[np.bool_]]:
    """Flat values and offsets of one column of lists, without a copy where it is an Arrow column.

    Returns
    -------
    Ragged
        The innermost values (of a polygon x and y in turn) and offsets that count rows of the first level: numbers
        of a mask, vertices of a polygon, rings of parts.
    numpy.ndarray of bool
        Which rows hold a list.
    """
    if not isinstance(column.dtype, pd.ArrowDtype):
        column = arrow_list(column, pd.ArrowDtype(type_))
    array = _one_array(column)
    present = np.asarray(array.is_valid())
    lengths = array.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    values = array.flatten()
    while pa.types.is_fixed_size_list(values.type) or pa.types.is_list(values.type):
        values = values.flatten()
    return Ragged(values.to_numpy(zero_copy_only=False), offsets_of(lengths)), present


def _one_array(column: pd.Series[Any]) -> Any:
    array = pa.array(column.array)
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def mask_lists(column: pd.Series[Any]) -> list[list[int] | None]:
    """Run-lengths of every row as JSON has them."""
    runs, present = ragged_of(column, MASK)
    return [row if there else None for row, there in zip(runs.to_list(), present.tolist(), strict=True)]


def polygon_lists(column: pd.Series[Any]) -> list[list[list[float]] | None]:
    """Vertices of every row as JSON has them; whole coordinates as integers."""
    polygons, present = ragged_of(column, POLYGON)
    vertices = whole(polygons.values.reshape(-1, 2))
    ends = polygons.offsets.tolist()
    return [
        vertices[start:end] if there else None
        for start, end, there in zip(ends[:-1], ends[1:], present.tolist(), strict=True)
    ]


def whole(numbers: NDArray[np.float64]) -> list[Any]:
    """Make nested Python lists of an array, with integers where the numbers are whole."""
    if np.array_equal(numbers, np.rint(numbers)) and np.abs(numbers).max(initial=0) < 2**53:
        return numbers.astype(np.int64).tolist()
    rows = numbers.reshape(-1).tolist()
    mixed = [int(n) if n.is_integer() else n for n in rows]
    return mixed if numbers.ndim == 1 else [list(row) for row in zip(*[iter(mixed)] * numbers.shape[1], strict=True)]
