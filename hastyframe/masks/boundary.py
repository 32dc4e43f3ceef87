"""Run-lengths to polygons: the outlines of masks along the edges of their pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hastyframe.errors import ValidationException
from hastyframe.masks.columns import takes_masks
from hastyframe.masks.grids import Grid, as_grid
from hastyframe.masks.placement import rebox
from hastyframe.masks.polygon import Outlines, Polygons
from hastyframe.masks.ragged import Ragged, offsets_of
from hastyframe.masks.simplification import simplified
from hastyframe.masks.toggles import as_runs, divide, from_runs, line_up

__all__ = ["rle_to_polygon"]

Index = NDArray[np.int64]


@takes_masks
def rle_to_polygon(runs: Any, boxes: ArrayLike, *, tolerance: float = 0.0) -> Polygons:
    """Outlines of masks, outer and inner.

    Parameters
    ----------
    runs : list of int, Ragged, Arrow list array, list of lists, or a column of masks
        Hasty run-lengths; a column of masks (:mod:`hastyframe.geometry`) carries its boxes, which are left out then.
    boxes : array_like of shape (n, 4)
        The boxes of the labels, ``[x_min, y_min, x_max, y_max]``.
    tolerance : float
        Leave out vertices that lie no further than this from the simplified outline, in pixels (Douglas and Peucker
        1973). At 0, the default, the polygons enclose exactly the mask's pixels.

    Returns
    -------
    Outlines
        One ring an outline, in pixels of the image. Outer ones run clockwise on the screen (their area by the shoelace
        formula is positive), those of holes the other way. Pixels that only touch at a corner lie in different rings.

    Raises
    ------
    ValidationException
        Runs that do not fit their box, a tolerance below 0.

    Examples
    --------
    >>> rle_to_polygon([1, 4, 6, 4], [10, 10, 13, 13]).to_list()[0][1]
    [[11.0, 12.0], [12.0, 12.0], [12.0, 11.0], [11.0, 11.0]]
    """
    if not tolerance >= 0:
        raise ValidationException(f"The tolerance is a distance in pixels, 0 or more; got {tolerance}.")
    rows = as_runs(runs)
    grid = as_grid(boxes, rows.n, of=rows)
    wide = grid._replace(width=grid.width + 1)  # a column that is always clear keeps runs within their rows
    outlines = _trace(rebox(from_runs(rows, grid.size), grid, wide), wide)
    return simplified(outlines, tolerance) if tolerance else outlines


def _trace(toggles: Ragged, grid: Grid) -> Polygons:
    """Follow the sides of pixels.

    Every toggle is the left or right side of a row of pixels. A left side is walked upwards, a right side downwards,
    and each leads to exactly one other; so they form cycles, and those are the rings.
    """
    following = _successors(toggles, grid)
    ring, place, ends = _cycles(following)
    owner = np.repeat(np.arange(toggles.n), toggles.lengths)
    row = divide(toggles.values, grid.width[owner])
    x = toggles.values - row * grid.width[owner] + grid.x[owner]
    is_right = np.arange(len(x)) % 2
    y = row + is_right + grid.y[owner]  # where the walk along this side arrives

    order = np.empty(len(x), np.int64)
    order[place] = np.arange(len(x))
    after = following[order]
    corner = x[order] != x[after]  # otherwise it goes straight on
    points = np.empty((int(corner.sum()), 2, 2))
    points[:, 0, 0], points[:, 1, 0] = x[order][corner], x[after][corner]
    points[:, :, 1] = y[order][corner, None]
    corners = np.concatenate([[0], np.cumsum(corner)]) * 2
    first = ring[order[ends[:-1]]] if len(ends) > 1 else np.empty(0, np.int64)
    offsets = np.searchsorted(owner[first], np.arange(toggles.n + 1))
    return Outlines(points.reshape(-1, 2), corners[ends], offsets)


def _successors(toggles: Ragged, grid: Grid) -> Index:
    """Find which side the walk goes on with after each side.

    A horizontal line between two rows of pixels is met by the sides above it and by those below. Sorted from left to
    right they belong together two by two: an arrival and a departure. Where two meet at one point, right sides come
    first, which keeps pixels that only touch at a corner apart.
    """
    count = len(toggles.values)
    line, _ = line_up(toggles, grid.width * (grid.height + 1))
    width = np.repeat(grid.width, toggles.lengths)
    is_left = np.arange(count) % 2 == 0
    key = line * 2 + is_left
    order = np.argsort(np.concatenate([key, key + width * 2]), kind="stable").reshape(-1, 2)
    is_above = order >= count
    side = order - is_above * count
    arrives = is_left[side] != is_above  # left sides are walked up to the line above them
    following = np.empty(count, np.int64)
    following[side[arrives]] = side[~arrives]
    return following


def _cycles(following: Index) -> tuple[Index, Index, Index]:
    """Cycles of a permutation: the smallest member of each one's cycle, its place in order, where cycles begin.

    All steps are doubled again and again, so the number of rounds is the logarithm of the longest cycle.
    """
    count = len(following)
    ring, step = np.arange(count), following
    while True:
        least = np.minimum(ring, ring[step])
        if (least == ring).all():
            break
        ring, step = least, step[step]
    step = np.where(ring == np.arange(count), ring, following)
    left = (step != np.arange(count)).astype(np.int64)  # steps to go until the smallest member
    while (step != ring).any():
        left += left[step]
        step = step[step]
    heads = np.flatnonzero(ring == np.arange(count))
    size = np.bincount(ring, minlength=count)[heads] if count else np.empty(0, np.int64)
    ends = offsets_of(size)
    number = np.empty(count, np.int64)
    number[heads] = np.arange(len(heads))
    cycle = number[ring]
    return ring, ends[cycle] + np.where(left == 0, 0, size[cycle] - left), ends
