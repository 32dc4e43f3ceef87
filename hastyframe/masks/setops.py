"""Union, intersection and difference of masks, on run-lengths."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hastyframe.errors import ValidationException
from hastyframe.masks.columns import takes_masks
from hastyframe.masks.grids import LARGEST, Grid, as_grid
from hastyframe.masks.placement import rebox
from hastyframe.masks.ragged import Ragged
from hastyframe.masks.toggles import as_runs, from_runs, line_up, take_apart, tighten, to_runs

__all__ = ["difference", "intersection", "union"]

Flags = NDArray[np.bool_]
Masks = tuple[Ragged, NDArray[np.int64]]


@takes_masks
def union(runs: Any, boxes: ArrayLike, other_runs: Any, other_boxes: ArrayLike) -> Masks:
    """Pixels in either mask of each pair.

    Parameters
    ----------
    runs, other_runs : list of int, Ragged, Arrow list array, list of lists, or a column of masks
        Hasty run-lengths of n masks each. Columns of masks (:mod:`hastyframe.geometry`) carry their
        boxes, which are left out then: ``(column, other_column)``.
    boxes, other_boxes : array_like of shape (n, 4)
        The boxes of the labels, ``[x_min, y_min, x_max, y_max]``.

    Returns
    -------
    runs : Ragged of int32
        Hasty run-lengths inside the new boxes.
    boxes : numpy.ndarray of int64, shape (n, 4)
        Tight boxes; zeros for an empty mask.

    Raises
    ------
    ValidationException
        Runs that do not fit their box, another number of masks on the other side.

    Examples
    --------
    >>> runs, boxes = union([1, 2], [0, 0, 2, 1], [1, 2], [1, 0, 3, 1])
    >>> runs.to_list(), boxes.tolist()
    ([[1, 3]], [[0, 0, 3, 1]])
    """
    return _combine(runs, boxes, other_runs, other_boxes, around, np.logical_or)


@takes_masks
def intersection(runs: Any, boxes: ArrayLike, other_runs: Any, other_boxes: ArrayLike) -> Masks:
    """Pixels in both masks of each pair.

    Parameters
    ----------
    runs, boxes, other_runs, other_boxes
        As in :func:`union`.

    Returns
    -------
    runs : Ragged of int32
    boxes : numpy.ndarray of int64, shape (n, 4)
        Tight boxes; zeros for an empty mask.

    Raises
    ------
    ValidationException
        As :func:`union`.

    Examples
    --------
    >>> runs, boxes = intersection([1, 2], [0, 0, 2, 1], [1, 2], [1, 0, 3, 1])
    >>> runs.to_list(), boxes.tolist()
    ([[1, 1]], [[1, 0, 2, 1]])
    """
    return _combine(runs, boxes, other_runs, other_boxes, shared, np.logical_and)


@takes_masks
def difference(runs: Any, boxes: ArrayLike, other_runs: Any, other_boxes: ArrayLike) -> Masks:
    """Pixels in the first mask of each pair and not in the second.

    Parameters
    ----------
    runs, boxes, other_runs, other_boxes
        As in :func:`union`.

    Returns
    -------
    runs : Ragged of int32
    boxes : numpy.ndarray of int64, shape (n, 4)
        Tight boxes; zeros for an empty mask.

    Raises
    ------
    ValidationException
        As :func:`union`.

    Examples
    --------
    >>> runs, boxes = difference([1, 2], [0, 0, 2, 1], [1, 2], [1, 0, 3, 1])
    >>> runs.to_list(), boxes.tolist()
    ([[1, 1]], [[0, 0, 1, 1]])
    """
    return _combine(runs, boxes, other_runs, other_boxes, lambda one, _: one, lambda one, other: one & ~other)


def _combine(
    runs: Any,
    boxes: ArrayLike,
    other_runs: Any,
    other_boxes: ArrayLike,
    frame: Callable[[Grid, Grid], Grid],
    rule: Callable[[Flags, Flags], Flags],
) -> Masks:
    one, grid = pair_member(runs, boxes)
    other, other_grid = pair_member(other_runs, other_boxes)
    if one.n != other.n:
        raise ValidationException(f"Masks are combined in pairs: {one.n} on one side, {other.n} on the other.")
    common = frame(grid, other_grid)
    large = common.size > LARGEST
    if large.any():
        index = int(np.argmax(large))
        raise ValidationException(
            f"The masks of pair {index} lie too far apart for one box of fewer than 2**31 pixels."
        )
    merged = merge(rebox(one, grid, common), rebox(other, other_grid, common), common.size, rule)
    tight, box = tighten(merged, common)
    return to_runs(tight), box.boxes


def pair_member(runs: Any, boxes: ArrayLike) -> tuple[Ragged, Grid]:
    """Toggles and grids of one side; a mask without pixels has no extent."""
    rows = as_runs(runs)
    filled = rows.lengths > 0
    grid = as_grid(boxes, rows.n, of=rows)
    toggles = from_runs(rows, grid.size)
    return toggles, grid._replace(width=grid.width * filled, height=grid.height * filled)


def around(one: Grid, other: Grid) -> Grid:
    """Find the smallest box around both; that of the other where one has no extent."""
    box = _corners(one, other, np.minimum, np.maximum)
    for grid, rest in ((one, other), (other, one)):
        blank = grid.size == 0
        box = Grid(*(np.where(blank, its, ours) for its, ours in zip(rest, box, strict=True)))
    return box


def shared(one: Grid, other: Grid) -> Grid:
    """Find the box that both share; of no extent where they do not touch."""
    return _corners(one, other, np.maximum, np.minimum)


def _corners(one: Grid, other: Grid, low: np.ufunc, high: np.ufunc) -> Grid:
    x, y = low(one.x, other.x), low(one.y, other.y)
    width = high(one.x + one.width, other.x + other.width) - x
    height = high(one.y + one.height, other.y + other.height) - y
    return Grid(x, y, np.maximum(width, 0), np.maximum(height, 0))


def merge(one: Ragged, other: Ragged, size: NDArray[np.int64], rule: Callable[[Flags, Flags], Flags]) -> Ragged:
    """Toggles of what `rule` makes of two masks in the same grid."""
    first, base = line_up(one, size)
    second, _ = line_up(other, size)
    events = np.sort(np.concatenate([first * 2, second * 2 + 1]), kind="stable")
    place, side = events >> 1, events & 1
    inside_other = np.cumsum(side) % 2 == 1
    inside_one = np.cumsum(1 - side) % 2 == 1
    final = np.append(place[1:] != place[:-1], True)[: len(place)]  # of what happens at one place, the outcome counts
    inside = rule(inside_one, inside_other)[final]
    return take_apart(place[final][np.diff(inside, prepend=False)], base)
