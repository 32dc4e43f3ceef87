"""Lists of unequal length as flat values and offsets, the way Arrow lays them out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hastyframe.errors import ValidationException

__all__ = ["Ragged", "as_ragged"]

_AT_ONCE = 2**16
"""Values that are picked at a time: their places take twice the memory of the values."""


class Ragged(NamedTuple):
    """Many lists in two arrays: row ``i`` is ``values[offsets[i]:offsets[i + 1]]``.

    Parameters
    ----------
    values : numpy.ndarray
        The rows, one after the other.
    offsets : numpy.ndarray of int64, shape (n + 1,)
        Where each row begins; the last entry is where the last row ends.

    Examples
    --------
    >>> rows = Ragged(np.array([1, 2, 7, 2, 1, 1], np.int32), np.array([0, 4, 6]))
    >>> rows.n, rows.lengths.tolist(), rows.to_list()
    (2, [4, 2], [[1, 2, 7, 2], [1, 1]])
    """

    values: NDArray[Any]
    offsets: NDArray[np.int64]

    @property
    def n(self) -> int:
        """The number of rows."""
        return len(self.offsets) - 1

    @property
    def lengths(self) -> NDArray[np.int64]:
        """The number of values in each row, shape (n,)."""
        return np.diff(self.offsets)

    def row(self, index: int) -> NDArray[Any]:
        """Row `index` as a view.

        Examples
        --------
        >>> as_ragged([[1, 2], [3]]).row(1).tolist()
        [3]
        """
        return self.values[self.offsets[index] : self.offsets[index + 1]]

    def take(self, index: NDArray[np.integer[Any]] | Sequence[int]) -> Ragged:
        """Pick rows, in the order given and as often as given.

        Examples
        --------
        >>> as_ragged([[1, 2], [3], []]).take([1, 0, 1]).to_list()
        [[3], [1, 2], [3]]
        """
        rows = np.asarray(index, dtype=np.int64)
        lengths = self.lengths[rows]
        offsets, starts = offsets_of(lengths), self.offsets[rows]
        if offsets[-1] <= _AT_ONCE:
            return Ragged(self.values.take(spread(starts, lengths, offsets)), offsets)
        values = np.empty(int(offsets[-1]), self.values.dtype)
        inner = np.searchsorted(offsets, np.arange(_AT_ONCE, offsets[-1], _AT_ONCE))
        for first, last in pairwise([0, *inner.tolist(), len(rows)]):
            some = slice(first, last)
            place = spread(starts[some], lengths[some])
            self.values.take(place, out=values[offsets[first] : offsets[last]], mode="clip")  # else through a copy
        return Ragged(values, offsets)

    def to_list(self) -> list[list[Any]]:
        """Every row as a plain list of Python numbers, ready for JSON.

        Examples
        --------
        >>> as_ragged([np.array([1, 2]), np.array([3])]).to_list()
        [[1, 2], [3]]
        """
        flat, ends = self.values.tolist(), self.offsets.tolist()
        return [flat[start:end] for start, end in pairwise(ends)]

    def to_arrow(self) -> Any:
        """Build the Arrow list array over the same values, without a copy of them.

        Returns
        -------
        pyarrow.ListArray or pyarrow.LargeListArray
            A large list where the values are too many for 32-bit offsets.

        Examples
        --------
        >>> str(as_ragged(np.array([[1, 2], [3, 4]], np.int32)).to_arrow().type)
        'list<item: int32>'
        """
        import pyarrow as pa

        values = pa.array(self.values)
        if len(self.values) <= np.iinfo(np.int32).max:
            return pa.ListArray.from_arrays(pa.array(self.offsets.astype(np.int32)), values)
        return pa.LargeListArray.from_arrays(pa.array(self.offsets), values)


def as_ragged(rows: Any, *, what: str = "mask") -> Ragged:
    """Read lists of whole numbers from whatever holds them.

    Parameters
    ----------
    rows : Ragged, pair of arrays, Arrow list array, pandas.Series, list of lists, or one list
        A tuple of two arrays is taken as ``(values, offsets)``. Arrow arrays, chunked or not, and pandas columns
        with an Arrow list type give their buffers without a copy; a null counts as an empty row. One flat list of
        numbers is one row.
    what : str
        What a row is called in an error.

    Returns
    -------
    Ragged
        Values of int32 or int64, offsets that begin at 0.

    Raises
    ------
    ValidationException
        Offsets that run backwards or past the values, numbers that are not whole.

    Examples
    --------
    >>> as_ragged([[1, 2, 7, 2], None, [1, 1]]).offsets.tolist()
    [0, 4, 4, 6]
    >>> import pyarrow as pa
    >>> as_ragged(pa.array([[1, 2], None], pa.list_(pa.int32()))).to_list()
    [[1, 2], []]
    """
    column = getattr(rows, "array", rows)
    if hasattr(column, "runs_in_boxes"):  # a column of masks
        return column.runs
    if isinstance(rows, Ragged) or _is_pair(rows):
        return _checked(np.asarray(rows[0]), np.asarray(rows[1]), what)
    if (arrow := arrow_of(rows)) is not None:
        return _from_arrow(arrow, what)
    if isinstance(rows, np.ndarray) and rows.dtype != object:
        return _from_array(rows, what)
    items = as_list(rows, f"{what}s")
    if items and all(isinstance(item, int | float | np.number) for item in items):
        items = [items]
    return _from_lists(items, what)


def as_list(items: Any, what: str) -> list[Any]:
    """Items as a list, where they are a sequence of things and not a word or a number."""
    if isinstance(items, str | bytes | Mapping) or not isinstance(items, Iterable):
        raise ValidationException(f"A list of {what} is wanted; got {type(items).__name__}.")
    return list(items)


def offsets_of(lengths: Any) -> NDArray[np.int64]:
    """Offsets, shape (n + 1,), from row lengths."""
    lengths = np.asarray(lengths, dtype=np.int64)
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def spread(
    starts: NDArray[np.int64], lengths: NDArray[np.int64], offsets: NDArray[np.int64] | None = None
) -> NDArray[np.int64]:
    """``start, start + 1, ...`` for every row, `lengths` long each, one after the other."""
    if offsets is None:
        offsets = offsets_of(lengths)
    out = np.repeat(starts - offsets[:-1], lengths)
    out += np.arange(len(out))
    return out


def stretched(values: NDArray[Any], starts: NDArray[np.int64], total: int) -> NDArray[Any]:
    """Each whole number from its start to the next, `total` of them.

    It is ``np.repeat(values, lengths)`` by way of running sums, for rows that all hold something. Where they are short
    and of unequal length, that takes several times less: there is nothing for the processor to guess wrong.
    """
    out = np.zeros(total, values.dtype)
    out[starts] = np.diff(values, prepend=values.dtype.type(0))
    return np.cumsum(out, dtype=out.dtype, out=out)


def segment_sum(values: NDArray[Any], offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sum of each row as int64; 0 for an empty one."""
    return segment(np.add, values, offsets, 0)


def segment(
    ufunc: np.ufunc, values: NDArray[Any], offsets: NDArray[np.int64], empty: Any, dtype: Any = np.int64
) -> NDArray[Any]:
    """Reduce each row with `ufunc`; `empty` for a row without values."""
    filled = offsets[1:] > offsets[:-1]
    if filled.all():
        return ufunc.reduceat(values, offsets[:-1], dtype=dtype) if len(filled) else np.empty(0, dtype)
    out = np.full(len(filled), empty, dtype)
    if filled.any():
        out[filled] = ufunc.reduceat(values, offsets[:-1][filled], dtype=dtype)
    return out


def arrow_of(column: Any) -> Any:
    """Return the Arrow array behind a column, in one piece; None where there is none."""
    column = getattr(column, "array", column)
    if not (hasattr(column, "__arrow_array__") or type(column).__module__.partition(".")[0] == "pyarrow"):
        return None
    import pyarrow as pa

    if not isinstance(column, pa.Array | pa.ChunkedArray):
        column = column.__arrow_array__()
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    if isinstance(column, pa.ChunkedArray):
        column = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    if isinstance(column, pa.ChunkedArray):  # what combines to nothing, or to more than one array can hold
        column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    return column


def arrow_offsets(column: Any) -> tuple[Any, NDArray[np.int64]]:
    """Take one level of lists off an Arrow array: its child values and the offsets of its rows."""
    import pyarrow as pa

    if pa.types.is_fixed_size_list(column.type):
        lengths = np.where(column.is_valid().to_numpy(zero_copy_only=False), column.type.list_size, 0)
        return column.flatten(), offsets_of(lengths)
    ends = column.offsets.to_numpy().astype(np.int64) if len(column) else np.zeros(1, np.int64)
    if not column.null_count:
        return column.flatten(), ends - ends[0]
    offsets = offsets_of(np.diff(ends) * column.is_valid().to_numpy(zero_copy_only=False))
    # Arrow copies what it flattens where a list is null, also if those hold nothing.
    all_held = offsets[-1] == ends[-1] - ends[0]
    return column.values[ends[0] : ends[-1]] if all_held else column.flatten(), offsets


def _is_pair(rows: Any) -> bool:
    return isinstance(rows, tuple) and len(rows) == 2 and all(isinstance(part, np.ndarray) for part in rows)


def _from_arrow(column: Any, what: str) -> Ragged:
    import pyarrow as pa

    kind = column.type
    if pa.types.is_null(kind):
        return Ragged(np.empty(0, np.int32), np.zeros(len(column) + 1, np.int64))
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)):
        raise ValidationException(f"A {what} column is a column of lists; this one is {kind}.")
    values, offsets = arrow_offsets(column)
    if values.null_count:
        at = int(np.flatnonzero(values.is_null().to_numpy(zero_copy_only=False))[0])
        index, place = where(offsets, at)
        raise ValidationException(f"{what} {index} holds a null at place {place}; leave it out.")
    return _checked(values.to_numpy(zero_copy_only=False), offsets, what)


def _from_array(rows: NDArray[Any], what: str) -> Ragged:
    if rows.ndim == 1:
        return _checked(rows, np.array([0, len(rows)]), what)
    if rows.ndim == 2:
        return _checked(rows.reshape(-1), np.arange(len(rows) + 1) * rows.shape[1], what)
    raise ValidationException(f"An array of {what}s has one or two axes; this one has {rows.ndim}.")


def _from_lists(items: list[Any], what: str) -> Ragged:
    rows: list[Any] = [() if item is None or item is _missing(item) else item for item in items]
    try:
        offsets = offsets_of(np.fromiter(map(len, rows), np.int64, len(rows)))
        values = _flat(rows)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValidationException(f"Every {what} is a flat list of whole numbers: {error}") from error
    if values.ndim != 1:
        raise ValidationException(f"Every {what} is a flat list of whole numbers; these are lists of lists.")
    return _checked(values, offsets, what)


def _missing(item: Any) -> Any:
    """`item` itself where it is a missing value (NaN, pandas.NA), else None."""
    missing = (isinstance(item, float) and math.isnan(item)) or type(item).__name__ in {"NAType", "NaTType"}
    return item if missing else None


def _flat(rows: list[Any]) -> NDArray[Any]:
    if any(isinstance(row, np.ndarray) for row in rows):
        return np.concatenate([np.asarray(row).reshape(-1) for row in rows if len(row)] or [np.empty(0, np.int32)])
    return np.array(list(chain.from_iterable(rows)))


def _checked(values: NDArray[Any], offsets: NDArray[Any], what: str) -> Ragged:
    if values.ndim != 1 or offsets.ndim != 1 or not len(offsets) or offsets.dtype.kind not in "iu":
        raise ValidationException(
            f"A ragged pair of {what}s is (values, offsets), two flat arrays, offsets whole and one more than rows."
        )
    offsets = offsets.astype(np.int64, copy=False)
    if offsets[0] < 0 or offsets[-1] > len(values) or (offsets[1:] < offsets[:-1]).any():
        raise ValidationException(
            f"The offsets of {what}s must not fall and must stay within the {len(values)} values."
        )
    if offsets[0] or offsets[-1] != len(values):
        values, offsets = values[offsets[0] : offsets[-1]], offsets - offsets[0]
    return Ragged(_whole(values, offsets, what), offsets)


def _whole(values: NDArray[Any], offsets: NDArray[np.int64], what: str) -> NDArray[Any]:
    """Values as int32 or int64; an error where that would change one."""
    if values.dtype in (np.int32, np.int64):
        return values
    if not len(values):
        return np.empty(0, np.int32)
    if values.dtype.kind in "iu" and values.dtype.itemsize < 8:
        return values.astype(np.int32 if np.can_cast(values.dtype, np.int32) else np.int64)
    if values.dtype.kind not in "iuf":
        raise ValidationException(f"Every {what} is a list of whole numbers, not of {values.dtype}.")
    with np.errstate(invalid="ignore"):
        fits = (values == np.trunc(values)) & (np.abs(values) < 2.0**62)
    if not fits.all():
        at = int(np.argmin(fits))
        index, place = where(offsets, at)
        raise ValidationException(f"{what} {index} holds {values[at]} at place {place}, which is not a whole number.")
    return values.astype(np.int64)


def where(offsets: NDArray[np.int64], at: int) -> tuple[int, int]:
    """Row of flat position `at`, and its place in that row."""
    index = int(np.searchsorted(offsets, at, side="right")) - 1
    return index, at - int(offsets[index])
