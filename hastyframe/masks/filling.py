"""The even-odd rule on runs: where outlines cross rows of pixels goes in, masks in tight boxes come out."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hastyframe.errors import ValidationException
from hastyframe.masks.grids import LARGEST, Grid
from hastyframe.masks.ragged import Ragged, offsets_of, segment, spread, stretched
from hastyframe.masks.toggles import cancel

__all__ = ["Crossings", "Passage", "fill", "passage"]


class Crossings(NamedTuple):
    """Where outlines cross rows of pixels.

    Parameters
    ----------
    row, column : numpy.ndarray of int32, shape (m,)
        The row, and the first pixel to the right of the outline. Along an outline rows follow each other, up or down,
        which makes them quick to sort.
    offsets : numpy.ndarray of int64, shape (n + 1,)
        Where each outline begins, and the end of the last. It is closed: it crosses a row an even number of times.
    """

    row: NDArray[np.int32]
    column: NDArray[np.int32]
    offsets: NDArray[np.int64]


class Passage(NamedTuple):
    """What closed paths pass through.

    Parameters
    ----------
    cells : numpy.ndarray of int32, shape (k,)
        The cells, in order.
    begin : numpy.ndarray of int64, shape (e,)
        Which levels a path leaves for another: the edges that pass cells.
    rise : numpy.ndarray of int, shape (e,)
        How many cells each passes, negative where it goes down.
    offsets : numpy.ndarray of int64, shape (m + 1,)
        Where the cells between each level and the next begin.
    """

    cells: NDArray[np.int32]
    begin: NDArray[np.int64]
    rise: NDArray[Any]
    offsets: NDArray[np.int64]

    def along(self, values: NDArray[Any]) -> NDArray[Any]:
        """Stretch whole numbers, one an edge, over the cells that each edge passes."""
        return stretched(values, self.offsets[self.begin], len(self.cells))


def fill(crossings: Crossings, objects: NDArray[np.int64] | None = None) -> tuple[Ragged, NDArray[np.int64]]:
    """Paint the pixels inside any outline of their object.

    Inside an outline are the pixels to the left of which it crosses their row an odd number of times.

    Parameters
    ----------
    crossings : Crossings
        Within boxes of fewer than 2**31 pixels.
    objects : numpy.ndarray of int64, shape (n + 1,), optional
        Where each object begins in the outlines, and the end of the last. By default each outline is an object.

    Returns
    -------
    runs : Ragged of int32
        Hasty run-lengths inside the boxes.
    boxes : numpy.ndarray of int64, shape (n, 4)
        Tight boxes; zeros for an empty mask.

    Examples
    --------
    >>> row, column = np.array([[3, 4, 4, 3], [5, 5, 8, 8]], np.int32)
    >>> runs, boxes = fill(Crossings(row, column, np.array([0, 4])))
    >>> runs.to_list(), boxes.tolist()
    ([[1, 6]], [[5, 3, 8, 5]])
    """
    if objects is None:
        objects = np.arange(len(crossings.offsets))
    outlines = np.diff(objects)
    if not outlines.all():
        return _fill_some(crossings, objects, np.flatnonzero(outlines))
    grid = _around(crossings, crossings.offsets[objects])
    owner = np.repeat(np.arange(len(outlines)), outlines)
    line, base = _line_up(crossings, grid.take(owner))
    line.sort(kind="stable")  # merges what is in order already
    changes = cancel(line)
    loose = _loose(line, changes, base, owner, grid)
    if (outlines != 1).any():
        changes = _unite(changes, base, owner, grid.size)
    base = offsets_of(grid.size + 1)
    if len(loose):
        changes, grid = _shrink(changes, base, grid, loose)
    runs = _to_runs(changes, base)
    return runs, grid.boxes * (runs.lengths > 0)[:, None]


def _fill_some(
    crossings: Crossings, objects: NDArray[np.int64], filled: NDArray[np.int64]
) -> tuple[Ragged, NDArray[np.int64]]:
    """Paint where some objects have no outlines."""
    runs, found = fill(crossings, np.append(objects[filled], objects[-1]))
    lengths, boxes = np.zeros(len(objects) - 1, np.int64), np.zeros((len(objects) - 1, 4), np.int64)
    lengths[filled], boxes[filled] = runs.lengths, found
    return Ragged(runs.values, offsets_of(lengths)), boxes


def passage(levels: NDArray[Any], rings: NDArray[np.int64]) -> Passage:
    """Which cells closed paths pass through, where cell `c` lies between the levels `c` and `c + 1`.

    Parameters
    ----------
    levels : numpy.ndarray of int, shape (m,)
        The levels that paths visit, one path after the other.
    rings : numpy.ndarray of int64, shape (n + 1,)
        Where each path begins in `levels`, and the end of the last. From its last level it goes to its first.

    Examples
    --------
    >>> found = passage(np.array([0, 3, 3, 1]), np.array([0, 4]))
    >>> found.cells.tolist(), found.begin.tolist(), found.rise.tolist(), found.offsets.tolist()
    ([0, 1, 2, 2, 1, 0], [0, 2, 3], [3, -2, -1], [0, 3, 3, 5, 6])
    """
    rise = np.diff(levels, append=levels[:1])
    filled = rings[1:] > rings[:-1]
    last = rings[1:][filled] - 1
    rise[last] = levels[rings[:-1][filled]] - levels[last]
    offsets = offsets_of(np.abs(rise))
    begin = np.flatnonzero(rise != 0)
    moved = rise[begin]
    up = moved > 0
    turns = np.zeros(len(levels) + 1, bool)
    turns[begin[1:][up[1:] != up[:-1]]] = True
    turns[rings] = True
    first = np.flatnonzero(turns[:-1])  # of each stretch that goes one way
    step = np.sign(np.add.reduceat(rise, first)) if len(first) else rise
    start = offsets[first]
    count = np.diff(start, append=offsets[-1])
    cells = np.arange(int(offsets[-1]), dtype=np.int32)
    cells *= np.repeat(step.astype(np.int32), count)
    cells += np.repeat((levels[first] - (step < 0) - step * start).astype(np.int32), count)
    return Passage(cells, begin, moved, offsets)


def _around(crossings: Crossings, offsets: NDArray[np.int64]) -> Grid:
    """Find the smallest box around the crossings of each object."""
    row, column, _ = crossings
    x, y = segment(np.minimum, column, offsets, 0), segment(np.minimum, row, offsets, 0)
    width = segment(np.maximum, column, offsets, 0) - x
    height = segment(np.maximum, row, offsets, -1) + 1 - y
    grid = Grid(x, y, width, height)
    if grid.size.max(initial=0) > LARGEST:
        raise ValidationException("A polygon spans so many pixels that 32 bits do not count them.")
    return grid


def _line_up(crossings: Crossings, grid: Grid) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Put the grids of all outlines on one line, with a gap of one between them: positions, and where each begins."""
    row, column, offsets = crossings
    base = offsets_of(grid.size + 1)
    kind: Any = np.int32 if base[-1] <= LARGEST else np.int64  # what is short sorts faster
    count = np.diff(offsets)
    line = row * np.repeat(grid.width.astype(kind), count)
    line += column
    line += np.repeat((base[:-1] - grid.y * grid.width - grid.x).astype(kind), count)  # what wrapped wraps back
    return line, base


def _unite(
    changes: NDArray[Any], base: NDArray[np.int64], owner: NDArray[np.int64], size: NDArray[np.int64]
) -> NDArray[Any]:
    """Merge the outlines of each object: where its mask changes, objects lined up."""
    target = offsets_of(size + 1)
    kind: Any = np.int32 if 2 * target[-1] < LARGEST else np.int64
    events = changes.astype(kind)
    events += np.repeat((target[owner] - base[:-1]).astype(kind), np.diff(np.searchsorted(changes, base)))
    events *= 2
    events[1::2] += 1  # of runs that touch, one begins before the other ends
    events.sort(kind="stable")
    ends = events & 1
    depth = np.cumsum(1 - 2 * ends, dtype=kind)
    depth += ends
    return events[depth == 1] >> 1


def _loose(
    line: NDArray[Any], changes: NDArray[Any], base: NDArray[np.int64], owner: NDArray[np.int64], grid: Grid
) -> NDArray[np.int64]:
    """Which objects may have a smaller box: at a side of it an outline goes there and back within a pixel."""
    back = np.flatnonzero(line[0::2] == line[1::2])
    place = line[2 * back]
    outline = np.searchsorted(base, place, side="right") - 1
    found = owner[outline]
    row, column = np.divmod(place - base[outline], np.maximum(grid.width[found], 1))
    outer = (row == 0) | (row == grid.height[found] - 1)
    gone = place[outer]
    outer[outer] = np.searchsorted(changes, gone) == np.searchsorted(changes, gone, side="right")
    return np.unique(found[outer | (column == 0)])


def _shrink(
    changes: NDArray[Any], base: NDArray[np.int64], grid: Grid, rows: NDArray[np.int64]
) -> tuple[NDArray[Any], Grid]:
    """Count some of the objects in their tight boxes."""
    offsets = np.searchsorted(changes, base)
    lengths, within = np.diff(offsets)[rows], grid.take(rows)
    ends = offsets_of(lengths)

    def along(values: NDArray[Any]) -> NDArray[Any]:
        return np.repeat(values, lengths)

    at, begin = spread(offsets[rows], lengths, ends), along(base[rows])
    place = changes[at] - begin
    place[1::2] -= 1  # the last pixel of a run
    row, column = np.divmod(place, along(within.width))
    reach = column.copy()
    goes_on = row[0::2] < row[1::2]  # in the next row, and so it touches both sides
    reach[0::2][goes_on], reach[1::2][goes_on] = 0, along(within.width)[1::2][goes_on] - 1
    x, x_end = segment(np.minimum, reach, ends, 0), segment(np.maximum, reach, ends, -1) + 1
    y, y_end = segment(np.minimum, row, ends, 0), segment(np.maximum, row, ends, -1) + 1
    place = (row - along(y)) * along(x_end - x) + column - along(x)
    place[1::2] += 1
    changes[at] = place + begin
    tight = Grid(*(values.copy() for values in grid))
    for values, found in zip(tight, (within.x + x, within.y + y, x_end - x, y_end - y), strict=True):
        values[rows] = found
    return cancel(changes), tight


def _to_runs(changes: NDArray[Any], base: NDArray[np.int64]) -> Ragged:
    """Hasty run-lengths from changes that are lined up."""
    offsets = np.searchsorted(changes, base)
    begin = changes[0::2].copy()
    runs = np.empty(len(changes), np.int32)
    np.subtract(changes[1::2], begin, out=runs[1::2], casting="unsafe")
    begin -= np.repeat((base[:-1] - 1).astype(begin.dtype), np.diff(offsets) // 2)
    runs[0::2] = begin
    return Ragged(runs, offsets)
