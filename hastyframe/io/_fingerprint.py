"""Whether a label's geometry is still the one that was read."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..frames import BOX, MASK, POLYGON
from ..masks import Ragged
from ._lists import ragged_of

__all__ = ["fingerprint", "unchanged"]


def fingerprint(labels: pd.DataFrame) -> NDArray[np.uint64]:
    """Mix box, polygon and mask of each label into one number: equal geometry, equal number.

    Examples
    --------
    >>> from hastyframe import entities, frames
    >>> records = [{"id": "a", "bbox": [0, 0, 2, 1]}, {"id": "b", "bbox": [0, 0, 2, 1]}, {"id": "c"}]
    >>> a, b, c = fingerprint(frames.from_records(entities.Label, records))
    >>> bool(a == b), bool(a == c)
    (True, False)
    """
    boxes = labels[list(BOX)].to_numpy(dtype=np.float64)
    number = _mix(np.ascontiguousarray(boxes).view(np.uint64) + _salt(4)).sum(axis=1, dtype=np.uint64)
    for salt, (column, type_, width) in enumerate((("polygon", POLYGON, 2), ("mask", MASK, 1)), start=1):
        lists, present = ragged_of(labels[column], type_)
        number = number * _ODD + _sums(Ragged(_bits(lists.values), lists.offsets * width)) + present * np.uint64(salt)
    return number


def unchanged(labels: pd.DataFrame) -> NDArray[np.bool_]:
    """Which labels came from a file and still have the geometry that it gave them."""
    if "as_read" not in labels:
        return np.zeros(len(labels), bool)
    as_read = labels["as_read"].astype("UInt64")
    same: NDArray[np.bool_] = as_read.eq(fingerprint(labels)).fillna(False).to_numpy(dtype=bool)
    return same


_ODD = np.uint64(0x9E3779B97F4A7C15)


def _bits(values: NDArray[np.float64] | NDArray[np.int32]) -> NDArray[np.uint64]:
    return values.view(np.uint64) if values.dtype == np.float64 else values.astype(np.uint64)


def _salt(count: int) -> NDArray[np.uint64]:
    return np.arange(1, count + 1, dtype=np.uint64) * _ODD


def _mix(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    bits = (bits ^ (bits >> np.uint64(31))) * np.uint64(0xBF58476D1CE4E5B9)
    return bits ^ (bits >> np.uint64(29))


def _sums(lists: Ragged) -> NDArray[np.uint64]:
    """Sum of the mixed values of each row; where a value stands in its row counts."""
    place = np.arange(len(lists.values)) - np.repeat(lists.offsets[:-1], lists.lengths)
    total = np.zeros(len(lists.values) + 1, np.uint64)
    np.cumsum(_mix(lists.values + (place.astype(np.uint64) + np.uint64(1)) * _ODD), out=total[1:])
    return total[lists.offsets[1:]] - total[lists.offsets[:-1]]
