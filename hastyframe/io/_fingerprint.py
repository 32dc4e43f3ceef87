"""Whether a label's geometry is still the one that was read."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..frames import BOX, MASK, POLYGON
from ..lists import ragged_of
from ..masks import Ragged

__all__ = ["all_different", "fingerprint", "unchanged"]


def fingerprint(labels: pd.DataFrame) -> NDArray[np.int64]:
    """Mix box, polygon and mask of each label into one number: equal geometry, equal number.

    Examples
    --------
    >>> from hastyframe import entities, frames
    >>> records = [{"id": "a", "bbox": [0, 0, 2, 1]}, {"id": "b", "bbox": [0, 0, 2, 1]}, {"id": "c"}]
    >>> a, b, c = fingerprint(frames.from_records(entities.Label, records))
    >>> bool(a == b), bool(a == c)
    (True, False)
    """
    boxes = np.ascontiguousarray(labels[list(BOX)].to_numpy(dtype=np.float64)).view(np.uint64)
    number = row_sums(Ragged(boxes.reshape(-1), np.arange(len(labels) + 1) * 4))
    for column, type_, width in (("polygon", POLYGON, 2), ("mask", MASK, 1)):
        lists, present = ragged_of(labels[column], type_)
        bits = lists.values.view(np.uint64) if width == 2 else lists.values
        number = number * _ODD + row_sums(Ragged(bits, lists.offsets * width)) + present
    return number.view(np.int64)


def unchanged(labels: pd.DataFrame) -> NDArray[np.bool_]:
    """Which labels came from a file and still have the geometry that it gave them."""
    if "as_read" not in labels:
        return np.zeros(len(labels), bool)
    as_read = labels["as_read"].astype("Int64")
    same: NDArray[np.bool_] = as_read.eq(fingerprint(labels)).fillna(False).to_numpy(dtype=bool)
    return same


_ODD = np.uint64(0x9E3779B97F4A7C15)
_INVERSE = np.uint64(pow(int(_ODD), -1, 2**64))


def all_different(ids: pa.LargeStringArray | pa.Int64Array) -> bool:
    """Whether no id is there twice; sorting their numbers takes a fraction of the time of a table of the texts.

    Examples
    --------
    >>> all_different(pa.array(["a", "b", "ab"], pa.large_string()))
    True
    >>> all_different(pa.array(["a", "b", "a"], pa.large_string()))
    False
    """
    if isinstance(ids, pa.Int64Array):
        whole = np.sort(ids.to_numpy())
        return not (whole[1:] == whole[:-1]).any()
    texts = ids
    _, ends, data = texts.buffers()
    if len(texts) < 2 or texts.null_count or data is None:
        return len(texts) < 2 or pc.count_distinct(texts, mode="all").as_py() == len(texts)
    offsets = np.frombuffer(ends, np.int64)[texts.offset : texts.offset + len(texts) + 1]
    numbers = np.sort(row_sums(Ragged(np.frombuffer(data, np.uint8), offsets)))
    return not (numbers[1:] == numbers[:-1]).any() or pc.count_distinct(texts).as_py() == len(texts)


_BLOCK = 2**15
"""Values that are mixed at a time: what stays in the cache is mixed several times as fast."""


def row_sums(lists: Ragged) -> NDArray[np.uint64]:
    """Sum of the values of each row, each times a power of an odd number that its place in the row decides.

    All values of a block are multiplied by rising powers; the power that a row began with is divided out of its sum.
    """
    values, offsets = lists
    most = max(int(lists.lengths.max(initial=0)), min(_BLOCK, len(values))) + 1
    powers, inverses = _powers(_ODD, most), _powers(_INVERSE, most)
    out = np.zeros(lists.n, np.uint64)
    first = 0
    while first < lists.n:
        last = max(first + 1, int(np.searchsorted(offsets, offsets[first] + _BLOCK, side="right")) - 1)
        ends = offsets[first : last + 1] - offsets[first]
        sums = _sums(values[offsets[first] : offsets[last]], powers)
        out[first:last] = (sums[ends[1:]] - sums[ends[:-1]]) * inverses[ends[:-1]]
        first = last
    return out


def _powers(number: np.uint64, count: int) -> NDArray[np.uint64]:
    powers = np.full(count, number)
    powers[0] = 1
    return np.multiply.accumulate(powers, out=powers)


def _sums(values: NDArray[np.unsignedinteger[Any]], powers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Add up the first 0, 1, 2, ... values, each times its power."""
    mixed = values.astype(np.uint64)
    if values.itemsize == mixed.itemsize:
        mixed ^= mixed >> np.uint64(32)  # as doubles whole numbers differ in the high bits only
    mixed *= powers[: len(mixed)]
    sums = np.zeros(len(mixed) + 1, np.uint64)
    np.cumsum(mixed, out=sums[1:])
    return sums
