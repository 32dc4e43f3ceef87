"""Two frames of the same things compared by value: which rows are new, which are gone, which differ in what.

Everything is done on whole columns; texts and lists (polygons, masks, on their flat values) some rows at a time, so
that it takes little memory beside the frames.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from hastyframe.frames import arrow_array
from hastyframe.identity import texts

__all__ = ["Difference", "compare", "identities"]

_ROWS_AT_ONCE = 1 << 16
_TEXT = pa.large_string()

Rows = npt.NDArray[np.intp]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Difference:
    """Rows of two frames, by position.

    Attributes
    ----------
    new : numpy.ndarray of int
        Rows of the later frame that the earlier one does not have.
    gone : numpy.ndarray of int
        Rows of the earlier frame that the later one does not have.
    was, now : numpy.ndarray of int
        Rows of the earlier and the later frame that are the same thing and differ in a column.
    changed : dict of numpy.ndarray of bool
        For each column that was compared, which of these differ in it.
    """

    new: Rows
    gone: Rows
    was: Rows
    now: Rows
    changed: dict[str, Flags]


def identities(*columns: Any) -> pa.Array:
    """Return what tells rows apart as one array of texts, null where a row has none.

    Parameters
    ----------
    *columns : pandas.Index or pandas.Series
        Ids, by value; of several, all together are the identity. What can be no id, as a tuple, is null.
    """
    arrays = [texts(column) for column in columns]
    return arrays[0] if len(arrays) == 1 else pc.binary_join_element_wise(*arrays, pa.scalar("\0", _TEXT))


def compare(
    before: pd.DataFrame, after: pd.DataFrame, was: pa.Array, now: pa.Array, columns: Iterable[str]
) -> Difference:
    """Compare two frames.

    Parameters
    ----------
    before, after : pandas.DataFrame
        With the dtypes of frames of the same entity.
    was, now : pyarrow.Array
        What tells their rows apart, as :func:`identities` makes it; in each once.
    columns : iterable of str
        Which columns are compared; both frames have them.

    Returns
    -------
    Difference

    Examples
    --------
    >>> before = pd.DataFrame({"x": [1.0, 2.0, np.nan]}, index=["a", "b", "c"])
    >>> after = pd.DataFrame({"x": [np.nan, 3.0, 4.0]}, index=["c", "b", "d"])
    >>> difference = compare(before, after, identities(before.index), identities(after.index), ["x"])
    >>> after.index[difference.new].tolist(), before.index[difference.gone].tolist()
    (['d'], ['a'])
    >>> after.index[difference.now].tolist()
    ['b']
    """
    if was.equals(now):
        place = np.arange(len(now))
    else:
        place = pc.fill_null(pc.index_in(now, value_set=was), -1).to_numpy().astype(np.intp)
    if now.null_count:
        place = np.where(now.is_null().to_numpy(zero_copy_only=False), -1, place)
    kept = np.zeros(len(was), bool)
    kept[place[place >= 0]] = True
    right = np.flatnonzero(place >= 0)
    left = place[right]
    changed = {name: _differ(before[name], after[name], left, right) for name in columns}
    any_ = np.zeros(len(right), bool)
    for flags in changed.values():
        any_ |= flags
    return Difference(
        np.flatnonzero(place < 0),
        np.flatnonzero(~kept),
        left[any_],
        right[any_],
        {name: flags[any_] for name, flags in changed.items()},
    )


def _differ(before: pd.Series[Any], after: pd.Series[Any], left: Rows, right: Rows) -> Flags:
    """Whether values differ; two missing values are equal."""
    if isinstance(before.dtype, pd.ArrowDtype):
        return _arrays_differ(arrow_array(before), arrow_array(after), left, right)
    if isinstance(before.dtype, pd.CategoricalDtype) and isinstance(after.dtype, pd.CategoricalDtype):
        # A code in terms of the other's categories; missing ones are -1 in both.
        codes = np.append(before.cat.categories.get_indexer(after.cat.categories), -1)
        codes[:-1][codes[:-1] < 0] = len(before.cat.categories)
        return before.cat.codes.to_numpy()[left] != codes[after.cat.codes.to_numpy()][right]
    if before.dtype.kind == "f" and after.dtype.kind == "f":
        one, other = before.to_numpy()[left], after.to_numpy()[right]
        return (one != other) & ~(np.isnan(one) & np.isnan(other))
    if before.dtype == "str" and after.dtype == "str":
        return _arrays_differ(arrow_array(before, _TEXT), arrow_array(after, _TEXT), left, right)
    one, other = before.astype(object).to_numpy()[left], after.astype(object).to_numpy()[right]
    return np.array([_unlike(a, b) for a, b in zip(one, other, strict=True)], bool)


def _texts_differ(one: pa.Array, other: pa.Array) -> Flags:
    differ = pc.fill_null(pc.not_equal(one, other), False)
    return pc.or_(differ, pc.xor(one.is_null(), other.is_null())).to_numpy(zero_copy_only=False)


def _unlike(one: Any, other: Any) -> bool:
    """Whether two values of any kind differ."""
    if isinstance(one, list | np.ndarray) or isinstance(other, list | np.ndarray):
        return not np.array_equal(np.asarray(one, object), np.asarray(other, object))
    if pd.isna(one) or pd.isna(other):
        return bool(pd.isna(one) != pd.isna(other))
    return bool(one != other)


def _arrays_differ(before: pa.Array, after: pa.Array, left: Rows, right: Rows) -> Flags:
    differ = np.zeros(len(left), bool)
    for start in range(0, len(left), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        differ[rows] = _block_differs(_taken(before, left[rows]), _taken(after, right[rows]))
    return differ


def _taken(array: pa.Array, rows: Rows) -> pa.Array:
    """Rows of an array; without a copy where they stand together."""
    if len(rows) and rows[-1] - rows[0] == len(rows) - 1 and (np.diff(rows) == 1).all():
        return array.slice(rows[0], len(rows))
    return array.take(pa.array(rows))


def _block_differs(one: pa.Array, other: pa.Array) -> Flags:
    if not pa.types.is_list(one.type):
        return _texts_differ(one, other)
    one_missing, other_missing = (part.is_null().to_numpy(zero_copy_only=False) for part in (one, other))
    lengths = [part.value_lengths().fill_null(0).to_numpy() for part in (one, other)]
    differ = (one_missing != other_missing) | (lengths[0] != lengths[1])
    if differ.any():
        like = pa.array(~differ)
        one, other, count = one.filter(like), other.filter(like), lengths[0][~differ]
    else:
        count = lengths[0]
    unequal = _flat(one) != _flat(other)
    if unequal.any():
        width = len(unequal) // max(int(count.sum()), 1)  # numbers a vertex
        ends = np.cumsum(count) * width
        rows = np.flatnonzero(~differ)
        differ[rows[np.searchsorted(ends, np.flatnonzero(unequal), side="right")]] = True
    return differ


def _flat(lists: pa.Array) -> npt.NDArray[Any]:
    values = lists.flatten()
    while pa.types.is_nested(values.type):
        values = values.flatten()
    return values.to_numpy(zero_copy_only=False)
