"""Boxes, polygons, parts and run-lengths of a file as columns of a labels frame; the bad one is named."""

from __future__ import annotations

from itertools import chain
from typing import Any

import msgspec
import numpy as np
import orjson
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from .. import masks
from ..errors import ValidationException
from ..frames import POLYGON
from ..masks import Ragged
from ..masks.ragged import offsets_of
from ._numbers import numbers_of
from ._values import Table, blanked, locate_bad_rows

__all__ = [
    "boxes_in",
    "check_masks",
    "list_array",
    "mask_array",
    "masks_at",
    "masks_in",
    "outlines_in",
    "parsed",
    "parts_array",
    "points_in",
    "polygon_array",
    "rings_in",
]

_RINGS = "segmentation"
"""The key whose value is several lists of numbers, of which people forget the outer one."""
LEAST = 3
"""A polygon has at least this many vertices."""


def boxes_in(table: Table, key: str = "bbox") -> NDArray[np.float64]:
    """Boxes of four numbers each, shape (n, 4), NaN where there is none."""
    values: Any = table.get(key)
    if isinstance(values, np.ndarray):
        if np.isfinite(values).all():
            return values
        values = values.tolist()
    values = blanked(values)
    if values.count(None) == len(values):
        return np.full((len(values), 4), np.nan)
    try:
        numbers = table.typed or set(map(type, chain.from_iterable(values))) <= {int, float}
        if numbers and set(map(len, values)) == {4}:
            flat = np.fromiter(chain.from_iterable(values), np.float64, 4 * len(values))
            if np.isfinite(flat).all():
                return flat.reshape(-1, 4)
    except (TypeError, OverflowError):
        pass  # found again below, with its place
    rows = np.array([row for row, value in enumerate(values) if value is not None], np.int64)
    flat, offsets = _flatten([value for value in values if value is not None], rows, table, key)
    wrong = np.diff(offsets) != 4
    if wrong.any():
        raise table.all_wrong(rows[wrong], f"{key!r} should be a list of four numbers")
    boxes = np.full((len(values), 4), np.nan)
    boxes[rows] = flat.reshape(-1, 4)
    return boxes


def rings_in(
    rings: list[Any], rows: NDArray[np.int64], table: Table, key: str
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Rings of x and y in turn as points, shape (m, 2), and offsets that count points.

    Parameters
    ----------
    rings : list of list of float or of msgspec.Raw
        Each at least three vertices.
    rows : numpy.ndarray of int64
        The table's rows that they come from.
    table : Table
        Names what is wrong.
    key : str
        What they stand under.
    """
    flat, offsets = _flatten(rings, rows, table, key)
    lengths = np.diff(offsets)
    _check_counts(lengths, (lengths % 2 == 1) | (lengths < 2 * LEAST), rows, table, key)
    return flat.reshape(-1, 2), offsets // 2


def outlines_in(
    rings: list[Any], rows: NDArray[np.int64], table: Table, key: str
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.bool_]]:
    """Do what :func:`rings_in` does, without rings that enclose nothing: which those are comes with the others."""
    flat, offsets = _flatten(rings, rows, table, key)
    lengths = np.diff(offsets)
    _check_counts(lengths, lengths % 2 == 1, rows, table, key)
    degenerate = lengths < 2 * LEAST
    if degenerate.any():
        flat, offsets = flat[np.repeat(~degenerate, lengths)], offsets_of(lengths[~degenerate])
    return flat.reshape(-1, 2), offsets // 2, degenerate


def _check_counts(
    lengths: NDArray[np.int64], wrong: NDArray[np.bool_], rows: NDArray[np.int64], table: Table, key: str
) -> None:
    if wrong.any():
        found = dict(zip(rows[wrong][::-1].tolist(), lengths[wrong][::-1].tolist(), strict=True))
        what = "numbers; it takes pairs of x and y, at least three"
        raise table.all_wrong(list(found), lambda row: f"{key!r} holds a polygon of {found[row]} {what}")


def points_in(
    polygons: list[Any], rows: NDArray[np.int64], table: Table, key: str
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Rings of pairs ``[x, y]`` as :func:`rings_in` gives rings of numbers."""
    try:
        rings = [list(chain.from_iterable(polygon)) for polygon in polygons]
    except TypeError:
        wrong = [not _is_pairs(polygon) for polygon in polygons]
        raise table.all_wrong(rows[wrong], f"{key!r} should be a list of pairs [x, y]") from None
    points, offsets = rings_in(rings, rows, table, key)
    if (uneven := np.fromiter(map(len, polygons), np.int64, len(polygons)) != np.diff(offsets)).any():
        raise table.all_wrong(rows[uneven], f"{key!r} should be a list of pairs [x, y]")
    return points, offsets


def masks_in(values: list[Any], table: Table, key: str) -> tuple[Ragged, NDArray[np.bool_]]:
    """Hasty run-lengths, not yet checked, and where there are any."""
    there = np.array([value is not None for value in values], bool)
    rows = np.flatnonzero(there)
    flat, offsets = _flatten([value for value in values if value is not None], rows, table, key)
    wrong = (flat != np.rint(flat)) | (flat < 1) | (flat > np.iinfo(np.int32).max)
    if wrong.any():
        places = np.flatnonzero(wrong)[::-1]
        owners = rows[np.searchsorted(offsets, places, side="right") - 1]
        found = dict(zip(owners.tolist(), flat[places].tolist(), strict=True))
        what = "starts and lengths are whole numbers from 1 to 2**31 - 1"
        raise table.all_wrong(list(found), lambda row: f"{key!r} holds {found[row]:g}; {what}")
    lengths = np.zeros(len(values), np.int64)
    lengths[rows] = np.diff(offsets)
    return Ragged(flat.astype(np.int32), offsets_of(lengths)), there


def check_masks(runs: Ragged, boxes: NDArray[np.float64], there: NDArray[np.bool_], table: Table) -> None:
    """Refuse run-lengths that do not fit their boxes."""

    def work(rows: NDArray[np.int64]) -> None:
        masks.check(runs.take(rows), boxes[rows])

    locate_bad_rows(work, np.flatnonzero(there), table)


def polygon_array(
    points: NDArray[np.float64], offsets: NDArray[np.int64], rows: NDArray[np.int64], count: int
) -> pa.Array:
    """Make a column of `count` polygons of the rings in `rows`; null elsewhere."""
    lengths, present = np.zeros(count, np.int64), np.zeros(count, bool)
    lengths[rows], present[rows] = np.diff(offsets), True
    vertices = pa.FixedSizeListArray.from_arrays(pa.array(points.reshape(-1)), 2)
    return list_array(offsets_of(lengths), vertices, present).cast(POLYGON)


def parts_array(
    points: NDArray[np.float64], rings: NDArray[np.int64], counts: NDArray[np.int64], present: NDArray[np.bool_]
) -> pa.Array:
    """Make a column of lists of rings; row i has ``counts[i]`` of them."""
    vertices = pa.FixedSizeListArray.from_arrays(pa.array(points.reshape(-1)), 2)
    return list_array(offsets_of(counts), pa.ListArray.from_arrays(rings.astype(np.int32), vertices), present)


def mask_array(runs: Ragged, present: NDArray[np.bool_]) -> pa.Array:
    """Make a column of masks."""
    return list_array(runs.offsets, pa.array(runs.values, pa.int32()), present)


def masks_at(runs: Ragged, rows: NDArray[np.int64], count: int) -> pa.Array:
    """Make a column of `count` masks that has them in `rows`, which rise; null elsewhere."""
    lengths, present = np.zeros(count, np.int64), np.zeros(count, bool)
    lengths[rows], present[rows] = runs.lengths, True
    return mask_array(Ragged(runs.values, offsets_of(lengths)), present)


def list_array(offsets: NDArray[np.int64], values: pa.Array, present: NDArray[np.bool_]) -> pa.Array:
    """Make a column of lists, null where `present` says that there is none."""
    missing = None if present.all() else pa.array(~present)
    return pa.ListArray.from_arrays(offsets.astype(np.int32), values, mask=missing)


def bare(values: Any) -> Any:
    """Take the index off values; make a column of Arrow lists."""
    if isinstance(values, pa.Array):
        return pd.array(values, dtype=pd.ArrowDtype(values.type))
    return values.array if isinstance(values, pd.Series | pd.Index) else values


def _flatten(
    lists: list[Any], rows: NDArray[np.int64], table: Table, key: str
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Flatten lists of finite numbers; `rows` are the table's rows that they come from."""
    if lists and type(lists[0]) is msgspec.Raw:
        try:
            flat, lengths = numbers_of(lists)
        except ValueError:
            return _flatten(parsed(lists, rows, table, key), rows, table, key)
        offsets = offsets_of(lengths)
        _finite(flat, offsets, rows, table, key)
        return flat, offsets
    if np.ndarray in set(map(type, lists)):
        lists = [each.tolist() if isinstance(each, np.ndarray) else each for each in lists]
    try:
        if not set(map(type, lists)) <= {list, tuple} or set(map(type, chain.from_iterable(lists))) & {str, bytes}:
            raise TypeError
        lengths = np.fromiter(map(len, lists), np.int64, len(lists))
        flat = np.fromiter(chain.from_iterable(lists), np.float64, int(lengths.sum()))
    except (TypeError, ValueError, OverflowError):
        wrong = [not _is_numbers(value) for value in lists]
        bare_numbers = [row for row, value in zip(rows, lists, strict=True) if isinstance(value, int | float)]
        unnested = set(bare_numbers) if key == _RINGS else set()
        what, numbers = "a list of lists of numbers, one a ring, and is a list of numbers", "a list of numbers"
        raise table.all_wrong(
            rows[wrong], lambda row: f"{key!r} should be {what if row in unnested else numbers}"
        ) from None
    offsets = offsets_of(lengths)
    _finite(flat, offsets, rows, table, key)
    return flat, offsets


def parsed(pieces: list[Any], rows: NDArray[np.int64], table: Table, key: str) -> list[Any]:
    """Parse pieces of the text: what is between them was, and of a piece no more than where it ends."""

    def work(places: NDArray[np.int64]) -> list[Any]:
        try:
            found: list[Any] = orjson.loads(b"[%b]" % b",".join(map(pieces.__getitem__, places.tolist())))
        except orjson.JSONDecodeError as error:
            raise ValidationException(f"{key!r} is not JSON: {error.msg}") from None
        return found

    try:
        return work(np.arange(len(pieces)))
    except ValidationException:
        return locate_bad_rows(lambda some: work(np.flatnonzero(np.isin(rows, some))), np.unique(rows), table)


def _finite(
    flat: NDArray[np.float64], offsets: NDArray[np.int64], rows: NDArray[np.int64], table: Table, key: str
) -> None:
    if not (finite := np.isfinite(flat)).all():
        wrong = np.searchsorted(offsets, np.flatnonzero(~finite), side="right") - 1
        raise table.all_wrong(rows[wrong], f"{key!r} holds what is not a finite number")


def _is_numbers(value: Any) -> bool:
    try:
        return not {str, bytes} & set(map(type, value)) and np.asarray(value, dtype=np.float64).ndim == 1
    except (TypeError, ValueError, OverflowError):
        return False


def _is_pairs(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(pair, list | tuple) for pair in value)
