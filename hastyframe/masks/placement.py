"""The same mask in another box: cut out of it, or placed in the image."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hastyframe.errors import ValidationException
from hastyframe.masks.columns import takes_masks
from hastyframe.masks.grids import LARGEST, Grid, as_grid, as_sizes
from hastyframe.masks.ragged import Ragged, offsets_of, spread
from hastyframe.masks.toggles import (
    as_runs,
    cancel,
    divide,
    from_runs,
    take_apart,
    tighten,
    to_runs,
    within_memory,
)

__all__ = ["crop", "place", "trim"]


@takes_masks
def crop(runs: Any, boxes: ArrayLike, targets: ArrayLike) -> Ragged:
    """Re-cut masks to other boxes of the same image.

    Parameters
    ----------
    runs : list of int, Ragged, Arrow list array, list of lists, or a column of masks
        Hasty run-lengths; a column of masks (:mod:`hastyframe.geometry`) carries its boxes, which are left out then.
    boxes : array_like of shape (n, 4)
        The boxes that the runs count in, ``[x_min, y_min, x_max, y_max]``. A shape ``(height, width)`` is a box at the
        origin: a mask of a whole image.
    targets : array_like of shape (n, 4)
        The boxes that the answer counts in. What lies outside is cut off.

    Returns
    -------
    Ragged of int32
        Hasty run-lengths inside `targets`.

    Raises
    ------
    ValidationException
        Runs that do not fit their box, a target of 2**31 pixels or more.

    Examples
    --------
    >>> crop([1, 2, 7, 2], [10, 10, 14, 12], [11, 10, 13, 13]).to_list()
    [[1, 1, 4, 1]]
    """
    toggles, grid = _checked(runs, boxes)
    return to_runs(rebox(toggles, grid, _fits(as_grid(targets, toggles.n, of=toggles))))


@takes_masks
def place(runs: Any, boxes: ArrayLike, image_sizes: ArrayLike) -> Ragged:
    """Masks of whole images from masks inside boxes.

    Parameters
    ----------
    runs, boxes
        As in :func:`crop`.
    image_sizes : array_like of shape (n, 2) or (2,)
        ``(height, width)`` of each mask's image, or of all. What lies outside is cut off.

    Returns
    -------
    Ragged of int32
        Runs that count over the image, row by row from its upper left corner.

    Raises
    ------
    ValidationException
        Runs that do not fit their box, an image of 2**31 pixels or more.

    Examples
    --------
    >>> place([1, 4], [1, 1, 3, 3], (4, 4)).to_list()
    [[6, 2, 10, 2]]
    """
    toggles, grid = _checked(runs, boxes)
    height, width = as_sizes(image_sizes, toggles.n)
    zero = np.zeros_like(height)
    return to_runs(rebox(toggles, grid, _fits(Grid(zero, zero, width, height))))


@takes_masks
def trim(runs: Any, boxes: ArrayLike) -> tuple[Ragged, NDArray[np.int64]]:
    """Shrink boxes to their masks, and the masks along with them.

    Parameters
    ----------
    runs, boxes
        As in :func:`crop`.

    Returns
    -------
    runs : Ragged of int32
    boxes : numpy.ndarray of int64, shape (n, 4)
        Tight boxes; zeros for an empty mask.

    Raises
    ------
    ValidationException
        Runs that do not fit their box.

    Examples
    --------
    >>> runs, boxes = trim([2, 1, 6, 1], [10, 10, 14, 12])
    >>> runs.to_list(), boxes.tolist()
    ([[1, 2]], [[11, 10, 12, 12]])
    """
    toggles, grid = _checked(runs, boxes)
    tight, box = tighten(toggles, grid)
    return to_runs(tight), box.boxes


def _checked(runs: Any, boxes: ArrayLike) -> tuple[Ragged, Grid]:
    rows = as_runs(runs)
    grid = as_grid(boxes, rows.n, of=rows)
    return from_runs(rows, grid.size), grid


def _fits(grid: Grid) -> Grid:
    large = grid.size > LARGEST
    if large.any():
        index = int(np.argmax(large))
        raise ValidationException(
            f"mask {index} would count in {grid.size[index]:,} pixels; Hasty counts in 32 bits. Use a smaller box."
        )
    return grid


def rebox(toggles: Ragged, grid: Grid, target: Grid) -> Ragged:
    """Toggles in `target` of masks in `grid`, cut where they leave it.

    A run that goes over several rows is taken apart into one piece a row, and the pieces that lie side by side in the
    new box grow together again.
    """
    begin, end = toggles.values[0::2], toggles.values[1::2]
    owner = np.repeat(np.arange(toggles.n), toggles.lengths // 2)
    width = grid.width[owner]
    top, bottom = divide(begin, width), divide(end - 1, width)
    shift_x, shift_y = (grid.x - target.x)[owner], (grid.y - target.y)[owner]
    first = np.maximum(top, -shift_y)
    last = np.minimum(bottom, target.height[owner] - 1 - shift_y)
    pieces = np.maximum(last - first + 1, 0)
    within_memory(int(pieces.sum()), "Cutting the masks into rows")
    run = np.repeat(np.arange(len(pieces)), pieces)
    row = spread(first, pieces)
    left = np.where(row == top[run], (begin - top * width)[run], 0) + shift_x[run]
    right = np.where(row == bottom[run], (end - bottom * width)[run], width[run]) + shift_x[run]
    across = target.width[owner][run]
    np.maximum(left, 0, out=left)
    np.minimum(right, across, out=right)
    kept = left < right
    base = offsets_of(target.size + 1)
    start = (row + shift_y[run]) * across + base[owner[run]]
    line = np.stack([(start + left)[kept], (start + right)[kept]], axis=1).reshape(-1)
    return take_apart(cancel(line), base)
