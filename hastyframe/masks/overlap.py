"""How much boxes and masks overlap."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hastyframe.errors import ValidationException
from hastyframe.masks.blocks import cuts, in_threads, stacked
from hastyframe.masks.canvas import on_canvas
from hastyframe.masks.columns import takes_masks
from hastyframe.masks.grids import LARGEST, Grid, as_grid
from hastyframe.masks.ragged import Ragged, offsets_of, segment_sum, spread
from hastyframe.masks.runlength import area
from hastyframe.masks.setops import shared
from hastyframe.masks.toggles import as_runs, check_fit

__all__ = ["box_intersection_area", "box_iou", "intersection_area", "iou"]

Pairs = tuple[ArrayLike, ArrayLike] | Literal["all"] | None

AT_ONCE = 2**19
"""Pieces of pairs that are compared at a time: so many that masks of many pairs are not cut up for each, and few enough
that the arrays stay in memory that the allocator keeps; larger ones it gives back and has to clear again."""

REACH = 1e150
"""How far from the origin boxes may lie, so that no area overflows."""


@takes_masks
def iou(
    runs: Any,
    boxes: ArrayLike,
    other_runs: Any,
    other_boxes: ArrayLike,
    *,
    pairs: Pairs = None,
    crowd: ArrayLike | None = None,
) -> NDArray[np.float64]:
    """Intersection over union of masks, on run-lengths.

    Parameters
    ----------
    runs, other_runs : list of int, Ragged, Arrow list array, list of lists, or a column of masks
        Hasty run-lengths of n and m masks. Columns of masks (:mod:`hastyframe.geometry`) carry their
        boxes, which are left out then: ``(column, other_column)``.
    boxes, other_boxes : array_like of shape (n, 4) and (m, 4)
        The boxes of the labels, ``[x_min, y_min, x_max, y_max]``.
    pairs : (array, array) or "all", optional
        Which masks to compare: rows of the one side and rows of the other, or all against all. Row by row by default.
    crowd : array_like of bool, shape (m,), optional
        Where true, the area of the first mask takes the place of the union, as COCO does for crowd regions.

    Returns
    -------
    numpy.ndarray of float64, shape (pairs,), or (n, m) for all against all
        0 where both masks are empty.

    Raises
    ------
    ValidationException
        Runs that do not fit their box, pairs that are not there.

    Notes
    -----
    Both masks are cut into pieces of one row and laid on a common canvas. What the begins and ends of these pieces,
    sorted together, enclose is the exclusive or of the two. The intersection is half of what that falls short of the
    sum of the areas. Masks whose boxes do not meet are never compared, nor rows that only one of them has.

    Examples
    --------
    >>> iou([1, 4], [0, 0, 2, 2], [1, 4], [1, 0, 3, 2])
    array([0.33333333])
    """
    one, other = _member(runs, boxes), _member(other_runs, other_boxes)
    index = _index(one.runs.n, other.runs.n, pairs)
    common = shared_pixels(one, other, index)
    return _ratio(common, area(one.runs), area(other.runs), index, crowd)


@takes_masks
def intersection_area(
    runs: Any, boxes: ArrayLike, other_runs: Any, other_boxes: ArrayLike, *, pairs: Pairs = None
) -> NDArray[np.int64]:
    """Count the pixels that masks share, on run-lengths.

    Parameters
    ----------
    runs, boxes, other_runs, other_boxes, pairs
        As in :func:`iou`.

    Returns
    -------
    numpy.ndarray of int64, shape (pairs,), or (n, m) for all against all

    Raises
    ------
    ValidationException
        As :func:`iou`.

    Examples
    --------
    >>> intersection_area([1, 4], [0, 0, 2, 2], [[1, 4], [1, 1]], [[1, 0, 3, 2], [5, 5, 6, 6]], pairs="all")
    array([[2, 0]])
    """
    one, other = _member(runs, boxes), _member(other_runs, other_boxes)
    index = _index(one.runs.n, other.runs.n, pairs)
    return shared_pixels(one, other, index)


def box_iou(
    boxes: ArrayLike, others: ArrayLike, *, pairs: Pairs = None, crowd: ArrayLike | None = None
) -> NDArray[np.float64]:
    """Intersection over union of boxes.

    Parameters
    ----------
    boxes, others : array_like of shape (n, 4) and (m, 4)
        ``[x_min, y_min, x_max, y_max]``, whole pixels or not.
    pairs, crowd
        As in :func:`iou`.

    Returns
    -------
    numpy.ndarray of float64, shape (pairs,), or (n, m) for all against all
        0 where both boxes are empty.

    Raises
    ------
    ValidationException
        Boxes of another shape or that are not finite, pairs that are not there.

    Examples
    --------
    >>> box_iou([[0, 0, 2, 2]], [[1, 0, 3, 2], [0, 0, 2, 2]], pairs="all")
    array([[0.33333333, 1.        ]])
    """
    one, other = float_boxes(boxes), float_boxes(others)
    index = _index(len(one), len(other), pairs)
    common = _common(one, other, index)
    return _ratio(common, _box_area(one), _box_area(other), index, crowd)


def box_intersection_area(boxes: ArrayLike, others: ArrayLike, *, pairs: Pairs = None) -> NDArray[np.float64]:
    """Area that boxes share, in square pixels.

    Parameters
    ----------
    boxes, others, pairs
        As in :func:`box_iou`.

    Returns
    -------
    numpy.ndarray of float64, shape (pairs,), or (n, m) for all against all

    Raises
    ------
    ValidationException
        As :func:`box_iou`.

    Examples
    --------
    >>> box_intersection_area([[0, 0, 2, 2]], [[1, 0, 3, 2]])
    array([2.])
    """
    one, other = float_boxes(boxes), float_boxes(others)
    index = _index(len(one), len(other), pairs)
    return _common(one, other, index)


Index = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Rows of the two sides, of one shape or of two that broadcast to that of the answer."""


def _index(n: int, m: int, pairs: Pairs) -> Index:
    if pairs is None:
        if n != m:
            raise ValidationException(f'{n} rows cannot be compared with {m} row by row; give pairs, or pairs="all".')
        return np.arange(n), np.arange(n)
    if isinstance(pairs, str):
        if pairs != "all":
            raise ValidationException(f'pairs is (rows, rows) or "all", not {pairs!r}.')
        return np.arange(n)[:, None], np.arange(m)
    one, other = (np.asarray(side, dtype=np.int64) for side in pairs)
    if one.shape != other.shape or one.ndim != 1:
        raise ValidationException(f"pairs are two flat arrays of one length; got {one.shape} and {other.shape}.")
    for side, count in ((one, n), (other, m)):
        bad = (side < 0) | (side >= count)
        if bad.any():
            at = int(np.argmax(bad))
            raise ValidationException(f"pair {at} asks for row {side[at]} of {count}.")
    return one, other


def _ratio(
    common: NDArray[Any],
    area: NDArray[Any],
    other_area: NDArray[Any],
    index: Index,
    crowd: ArrayLike | None,
) -> NDArray[np.float64]:
    total = area[index[0]] + other_area[index[1]] - common
    if crowd is not None:
        total = np.where(np.asarray(crowd, dtype=bool)[index[1]], area[index[0]], total)
    return np.divide(common, total, out=np.zeros(total.shape), where=total > 0)


def float_boxes(boxes: ArrayLike) -> NDArray[np.float64]:
    """Boxes as float64 of shape (n, 4), finite, and their areas as well."""
    try:
        table = np.asarray(boxes, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValidationException(f"Boxes are rows [x_min, y_min, x_max, y_max]: {error}") from error
    table = table.reshape(-1, 4) if table.ndim == 1 and len(table) in (0, 4) else table
    if table.ndim != 2 or table.shape[1] != 4:
        raise ValidationException(f"Boxes are rows [x_min, y_min, x_max, y_max]; got shape {table.shape}.")
    fine = (np.abs(table) <= REACH).all(axis=1)
    if not fine.all():
        index = int(np.argmin(fine))
        raise ValidationException(f"Box {index} is {table[index].tolist()}; it must be finite, and within ±{REACH:g}.")
    return table


def _box_area(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    side = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
    return side[:, 0] * side[:, 1]


def _common(one: NDArray[np.float64], other: NDArray[np.float64], index: Index) -> NDArray[np.float64]:
    first, second = one[index[0]], other[index[1]]
    side = np.minimum(first[..., 2:], second[..., 2:]) - np.maximum(first[..., :2], second[..., :2])
    np.maximum(side, 0, out=side)
    area: NDArray[np.float64] = side[..., 0] * side[..., 1]
    return area


class Member(NamedTuple):
    """The masks of one side, and where they lie."""

    runs: Ragged
    grid: Grid

    @classmethod
    def of(cls, runs: Ragged, grid: Grid) -> Self:
        """Take masks that fit their boxes; one without pixels has no extent."""
        filled = runs.lengths > 0
        return cls(runs, grid._replace(width=grid.width * filled, height=grid.height * filled))

    @property
    def pieces(self) -> NDArray[np.int64]:
        """The most pieces that each mask falls into when it is cut at the ends of its rows."""
        return self.runs.lengths // 2 + self.grid.height


def _member(runs: Any, boxes: ArrayLike) -> Member:
    """Check one side."""
    rows = as_runs(runs)
    grid = as_grid(boxes, rows.n, of=rows)
    check_fit(rows, grid.size)
    return Member.of(rows, grid)


def shared_pixels(one: Member, other: Member, index: Index) -> NDArray[np.int64]:
    """Shared pixels of each pair; only pairs whose boxes meet are looked at, so many at a time as the cache holds."""
    box = shared(one.grid.take(index[0]), other.grid.take(index[1]))
    size = box.size
    out = np.zeros(size.size, np.int64)
    meet = np.flatnonzero(size)
    if not len(meet):
        return out.reshape(size.shape)
    row, other_row = (np.broadcast_to(side, size.shape).reshape(-1)[meet] for side in index)
    box = Grid(*(side.reshape(-1)[meet] for side in box))
    pieces = one.pieces[row] + other.pieces[other_row]

    def compare(ends: tuple[int, int]) -> None:
        some = slice(*ends)
        out[meet[some]] = _in_common(one, other, row[some], other_row[some], box.take(some))

    in_threads(compare, pairwise(cuts(offsets_of(pieces), AT_ONCE)))
    return out.reshape(size.shape)


def _in_common(
    one: Member, other: Member, row: NDArray[np.int64], other_row: NDArray[np.int64], box: Grid
) -> NDArray[np.int64]:
    """Shared pixels of pairs whose boxes meet, from what lies in the rows that both have."""
    used, mask = np.unique(row, return_inverse=True)
    other_used, other_mask = np.unique(other_row, return_inverse=True)
    grid = Grid(*map(np.concatenate, zip(one.grid.take(used), other.grid.take(other_used), strict=True)))
    canvas = on_canvas(stacked([one.runs.take(used), other.runs.take(other_used)]), grid)
    pair = np.stack([mask, other_mask + len(used)], axis=1)
    top = box.y[:, None] - grid.y[pair]
    first = canvas.find(pair, top)
    count = canvas.find(pair, top + box.height[:, None]) - first

    base = offsets_of(box.height * canvas.width)
    shift = base[:-1] - (box.y - canvas.y) * canvas.width
    kind: Any = np.int32 if base[-1] <= LARGEST else np.int64  # what is short sorts faster
    both = count.sum(axis=1)
    offsets = offsets_of(both)
    line = canvas.pieces.take(spread(first.reshape(-1), count.reshape(-1)), axis=0).reshape(-1)
    area = segment_sum(line[1::2] - line[0::2], offsets)
    line = line.astype(kind, copy=False)  # high bits that get lost here would get lost in the sum
    line += np.repeat(shift.astype(kind), both * 2)
    line.sort(kind="stable")  # merges the sides, each of which is in order
    either = segment_sum(line[1::2] - line[0::2], offsets)
    return (area - either) // 2
