"""Masks of different boxes on one canvas, where any two of them can be laid on each other."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

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
    row : numpy.ndarray of int32 or int64, shape (m,)
        The row that each piece lies in. Rows are counted through the boxes of all masks, so that they only ever rise.
    first_row : numpy.ndarray of int64, shape (n + 1,)
        The number of the first row of each box.
    width : int
        The width of the canvas.
    y : int
        The row of the image that is the first of the canvas.
    """

    pieces: NDArray[Any]
    row: NDArray[Any]
    first_row: NDArray[np.int64]
    width: int
    y: int

    def find(self, mask: NDArray[np.int64], row: NDArray[np.int64]) -> NDArray[np.int64]:
        """First piece of each mask that lies in a row of its box or below it."""
        return np.searchsorted(self.row, (self.first_row[mask] + row).astype(self.row.dtype))


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
    first_row = offsets_of(grid.height)
    kind: Any = np.int32 if max(width * height, first_row[-1]) <= LARGEST else np.int64
    number = np.diff(runs.offsets) // 2

    def along(values: NDArray[np.int64]) -> NDArray[Any]:
        return np.repeat(values.astype(kind), number)

    across = along(grid.width)
    length = np.ascontiguousarray(runs.values[1::2])
    left = runs.values[0::2] - kind(1)
    row = (left / across).astype(kind)  # as exact as integers of 32 bits need it, and far faster than their division
    left -= row * across
    begin = row * kind(width)
    begin += left
    begin += along((grid.y - y) * width + grid.x - x)
    row += along(first_row[:-1])
    left += length  # now the column where each run has ended, counted on beyond its row
    over = np.flatnonzero(left > across)
    end = np.add(begin, length, dtype=kind)
    if len(over):
        begin, end, row = _cut((begin, end, row), over, left[over], across[over], width)
    pieces = np.empty((len(row), 2), kind)
    pieces[:, 0], pieces[:, 1] = begin, end
    return Canvas(pieces, row, first_row, width, y)


_Pieces: TypeAlias = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]
"""Where pieces begin, where they have ended, and their rows."""


def _cut(whole: _Pieces, over: NDArray[np.int64], right: NDArray[Any], across: NDArray[Any], width: int) -> _Pieces:
    """Cut runs that go over into further rows.

    Parameters
    ----------
    whole : tuple of arrays
        The pieces, a run each.
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
    within_memory(len(whole[0]) + int(further.sum()), "Cutting the masks into rows")
    added = offsets_of(further)
    place = spread(over + 1 + added[:-1], further)
    kept = np.ones(len(whole[0]) + len(place), bool)
    kept[place] = False
    begin, end, row = (_apart(values, kept) for values in whole)
    first = over + added[:-1]
    side = end[first] - right  # the left side of the box, in the first row
    end[first] = side + across
    down = spread(np.ones_like(further), further)
    begin[place] = np.repeat(side, further) + down * width
    end[place] = begin[place] + np.repeat(across, further)
    end[first + further] -= (further + 1) * across - right
    row[place] = np.repeat(row[first], further) + down
    return begin, end, row


def _apart(values: NDArray[Any], kept: NDArray[np.bool_]) -> NDArray[Any]:
    """Spread values over some of more places; what comes between them is not set."""
    out = np.empty(len(kept), values.dtype)
    out[kept] = values  # nearly all of them: many at a time
    return out
