"""Masks of different boxes on one canvas, where any two of them can be laid on each other."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hastyframe.masks.grids import LARGEST, Grid
from hastyframe.masks.ragged import Ragged, offsets_of, spread
from hastyframe.masks.toggles import within_memory

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
    kind: Any = np.int32 if width * height <= LARGEST else np.int64
    first_row = offsets_of(grid.height)
    number = np.diff(runs.offsets) // 2

    def along(values: NDArray[np.int64]) -> NDArray[Any]:
        return np.repeat(values.astype(kind), number)

    across = along(grid.width)
    left = runs.values[0::2] - kind(1)
    row = (left / across).astype(kind)  # as exact as integers of 32 bits need it, and far faster than their division
    left -= row * across
    pieces = np.empty((len(row), 2), kind)
    np.multiply(row, kind(width), out=pieces[:, 0])
    pieces[:, 0] += left
    pieces[:, 0] += along((grid.y - y) * width + grid.x - x)
    np.add(pieces[:, 0], runs.values[1::2], out=pieces[:, 1])
    left += runs.values[1::2]  # now the column where each run has ended, counted on beyond its row
    over = np.flatnonzero(left > across)
    row = row + np.repeat(first_row[:-1], number)
    if len(over):
        pieces, row = _cut(pieces, row, over, left[over], across[over], width)
    return Canvas(pieces, row, first_row, width, y)


def _cut(
    pieces: NDArray[Any],
    row: NDArray[np.int64],
    over: NDArray[np.int64],
    right: NDArray[Any],
    across: NDArray[Any],
    width: int,
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Cut runs that go over into further rows.

    Parameters
    ----------
    pieces, row
        As in :class:`Canvas`, a run each.
    over : numpy.ndarray of int64, shape (k,)
        The runs that go over.
    right : numpy.ndarray, shape (k,)
        The column where each of them would have ended in its first row.
    across : numpy.ndarray, shape (k,)
        The width of its box.
    width : int
        The width of the canvas.
    """
    right, across = right.astype(np.int64), across.astype(np.int64)
    further = (right - 1) // across
    times = np.ones(len(row), np.int64)
    times[over] += further
    within_memory(len(row) + int(further.sum()), "Cutting the masks into rows")
    first = over + offsets_of(further)[:-1]
    begin = pieces[over, 0].astype(np.int64)
    left = right - (pieces[over, 1] - begin)
    pieces, row = np.repeat(pieces, times, axis=0), np.repeat(row, times)
    place = spread(first, further + 1)
    down = spread(np.zeros_like(further), further + 1)
    row[place] += down
    start = np.repeat(begin - left, further + 1) + down * width
    pieces[place, 0], pieces[place, 1] = start, start + np.repeat(across, further + 1)
    pieces[first, 0] = begin
    pieces[first + further, 1] = begin - left + further * width + right - further * across
    return pieces, row
