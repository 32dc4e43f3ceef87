"""Columns of Arrow lists as flat values and offsets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from .frames import POLYGON, arrow_array, arrow_list
from .masks import Ragged
from .masks.ragged import arrow_offsets

__all__ = ["PARTS", "for_kernels", "ragged_of"]

PARTS = pa.list_(POLYGON)
"""What a label of several polygons or with holes holds: a list of rings."""


def for_kernels(column: pd.Series[Any]) -> Any:
    """Return a column of lists as the kernels take it: itself where Arrow holds it, else a list."""
    return column if isinstance(column.dtype, pd.ArrowDtype) else column.tolist()


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
    array = arrow_array(column)
    present = np.asarray(array.is_valid())
    values, offsets = arrow_offsets(array)
    while pa.types.is_fixed_size_list(values.type) or pa.types.is_list(values.type):
        values = values.flatten()
    return Ragged(values.to_numpy(zero_copy_only=False), offsets), present
