"""Masks of different boxes on one canvas, where any two of them can be laid on each other."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hastyframe.masks.grids import LARGEST, Grid
from hastyframe.masks.ragged import Ragged, offsets_of
from hastyframe.masks.toggles import divide, within_memory

__all__ = ["Canvas", "on_canvas"]


class Canvas(NamedTuple):
    """Masks in pieces that end with their rows, placed where they lie in the image.

    Parameters
    ----------
    pieces : numpy.ndarray of int32 or int64, shape (m, 2)
        Where each piece begins and has ended, counted row by row over a canvas that holds all boxes.
    row : numpy.ndarray of int64, shape (m,)
        The row that each piece lies in. Rows are counted through the boxes of all masks, so that they only ever rise.
    first_row : numpy.ndarray of int64, shape (n + 1,)
        The number of the first row of each box.
    width : int
        The width of the canvas.
    y : int
        The row of the image that is the first of the canvas.
    """

    pieces: NDArray[Any]
    row: NDArray[np.int64]
    first_row: NDArray[np.int64]
    width: int
    y: int

    def find(self, mask: NDArray[np.int64], row: NDArray[np.int64]) -> NDArray[np.int64]:
        """First piece of each mask that lies in a row of its box or below it."""
        return np.searchsorted(self.row, self.first_row[mask] + row)


def on_canvas(runs: Ragged, grid: Grid) -> Canvas:
    """Place masks on one canvas.

    Parameters
    ----------
    runs : Ragged of int32
        Hasty run-lengths that fit their grids.
    grid : Grid
        Where the masks lie in the image.

    Raises
    ------
    ValidationException
        Masks of so many rows that the pieces would not fit into memory.

    Examples
    --------
    >>> corner = Grid(np.array([1]), np.array([0]), np.array([2]), np.array([2]))  # x, y, width, height
    >>> on_canvas(Ragged(np.array([1, 3], np.int32), np.array([0, 2])), corner).pieces.tolist()
    [[0, 2], [2, 3]]
    """
    x, y = int(grid.x.min()), int(grid.y.min())
    width, height = int((grid.x + grid.width).max()) - x, int((grid.y + grid.height).max()) - y
    left, right, row, count = _cut(runs, grid.width)
    start = row * width
    start += np.repeat((grid.y - y) * width + grid.x - x, count)
    pieces = np.empty((len(row), 2), np.int32 if width * height <= LARGEST else np.int64)
    np.add(start, left, out=pieces[:, 0], casting="unsafe")
    np.add(start, right, out=pieces[:, 1], casting="unsafe")
    first_row = offsets_of(grid.height)
    row += np.repeat(first_row[:-1], count)
    return Canvas(pieces, row, first_row, width, y)


Index = NDArray[np.int64]


def _cut(runs: Ragged, width: Index) -> tuple[Index, Index, Index, Index]:
    """Cut runs at the ends of rows: columns where pieces begin and end, their rows, and how many each mask has."""
    offsets = runs.offsets // 2
    across = np.repeat(width, np.diff(offsets))
    begin = runs.values[0::2] - np.int64(1)
    end = begin + runs.values[1::2]
    top, bottom = divide(begin, across), divide(end - 1, across)
    begin -= top * across
    end -= bottom * across
    ends = offsets_of(bottom - top + 1)
    total = int(ends[-1])
    within_memory(total, "Cutting the masks into rows")
    count = np.diff(ends[offsets])
    if total == len(top):  # no run goes over from one row to the next
        return begin, end, top, count
    first, last = ends[:-1], ends[1:] - 1
    left, right, row = np.zeros(total, np.int64), np.repeat(width, count), np.ones(total, np.int64)
    left[first], right[last] = begin, end
    row[first] = top
    row[first[1:]] -= bottom[:-1]
    return left, right, np.cumsum(row, out=row), count
