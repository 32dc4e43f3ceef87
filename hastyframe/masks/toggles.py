"""Masks as the places where they change: the form in which all other kernels work.

The toggles of a mask are the positions in its pixels, read in order, at which the value changes, counted from 0 and
in rising order. Even ones begin a run, odd ones end it. Shifting, merging and cancelling them is all that set
operations, transposition and cropping need, and none of it depends on how many pixels lie between.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from hastyframe.errors import ValidationException
from hastyframe.masks.blocks import blocks_of, cuts, in_blocks, in_threads
from hastyframe.masks.grids import LARGEST, Grid
from hastyframe.masks.ragged import Ragged, as_ragged, offsets_of, where

__all__ = [
    "as_runs",
    "cancel",
    "check_fit",
    "column_changes",
    "divide",
    "extent",
    "fitting",
    "fitting_blocks",
    "from_runs",
    "line_up",
    "take_apart",
    "tight_boxes",
    "tighten",
    "to_runs",
    "within_memory",
]

MOST = 2**28
"""The most toggles one call may produce. A few hostile numbers can ask for billions: more than this is refused."""

AT_ONCE = 2**14
"""Columns that are sorted at a time."""


def as_runs(runs: Any) -> Ragged:
    """Hasty run-lengths as a ragged pair of 32-bit numbers in pairs (start, length)."""
    rows = as_ragged(runs)
    odd = rows.offsets & 1
    if odd.any():
        index = int(np.argmax(odd)) - 1
        raise ValidationException(
            f"mask {index} has {rows.lengths[index]} numbers; run-lengths are pairs start, length, start, length, …"
        )
    if rows.values.dtype != np.int32 and len(rows.values):
        wide = (rows.values > LARGEST) | (rows.values < -LARGEST)
        if wide.any():
            at = int(np.argmax(wide))
            index, place = where(rows.offsets, at)
            raise ValidationException(
                f"mask {index}, run {place // 2} holds {rows.values[at]}, which is beyond 32 bits; "
                "starts and lengths stay within the width * height of the box."
            )
    return Ragged(rows.values.astype(np.int32, copy=False), rows.offsets)


def from_runs(runs: Any, size: NDArray[np.int64] | None = None) -> Ragged:
    """Toggles from Hasty run-lengths, checked.

    Parameters
    ----------
    runs : Ragged, Arrow list array or list of lists
        Hasty run-lengths: start (from 1), length, start, length, …
    size : numpy.ndarray of int64, shape (n,), optional
        The pixels that each mask may fill.

    Raises
    ------
    ValidationException
        As :func:`fitting`.

    Examples
    --------
    >>> from_runs([[1, 2, 7, 2]]).values
    array([0, 2, 6, 8])
    """
    rows = as_runs(runs)
    runs = fitting(rows, size)
    toggles = np.empty(len(rows.values), np.int64)
    toggles[0::2], toggles[1::2] = runs.start, runs.end
    toggles[0::2] -= 1
    return Ragged(toggles, rows.offsets)


class Runs(NamedTuple):
    """Runs of many masks, in order and within their boxes, taken apart."""

    heads: NDArray[np.int64]
    """Where the runs of each mask begin."""

    tails: NDArray[np.int64]
    """Where the last run of each mask is."""

    counts: NDArray[np.int64]
    """How many runs each mask has."""

    start: NDArray[Any]
    """The first pixel of each run, counted from 1."""

    length: NDArray[Any]
    """How many pixels each run has."""

    end: NDArray[Any]
    """The last pixel of each run, counted from 1."""

    @classmethod
    def of(cls, offsets: NDArray[np.int64], start: NDArray[Any], length: NDArray[Any], end: NDArray[Any]) -> Self:
        """Take runs and where those of each mask begin, shape (n + 1,)."""
        return cls(offsets[:-1], offsets[1:] - 1, offsets[1:] - offsets[:-1], start, length, end)


def fitting_blocks(rows: Ragged, size: NDArray[np.int64], most: int = 2**18) -> Iterator[tuple[slice, Runs]]:
    """Take runs apart some at a time, so that the processor's cache holds them; see :func:`fitting`."""
    for masks, some in blocks_of(rows, most):
        yield masks, fitting(some, size[masks], masks.start)


def check_fit(rows: Ragged, size: NDArray[np.int64]) -> None:
    """Refuse what :func:`fitting` refuses."""

    def check(block: tuple[slice, Ragged]) -> None:
        masks, some = block
        fitting(some, size[masks], masks.start)

    in_threads(check, blocks_of(rows, 2**18))


def fitting(rows: Ragged, size: NDArray[np.int64] | None = None, number: int = 0) -> Runs:
    """Take runs apart, if they are in order and fit `size` pixels.

    Parameters
    ----------
    rows : Ragged of int32
        Hasty run-lengths.
    size : numpy.ndarray of int64, shape (n,), optional
        The pixels that each mask may fill.
    number : int
        What the first mask is called in an error.

    Raises
    ------
    ValidationException
        Runs that start before 1, have no length, overlap, are out of order, or run past the box. The message names
        the first such mask.
    """
    start, length = _pulled_apart(rows.values)  # without gaps they are read much faster
    end = start + length
    end -= np.uint32(1)
    runs = Runs.of(rows.offsets >> 1, start, length, end)
    if rows.values.min(initial=1) < 1 or not _in_order(runs, size):
        raise ValidationException(_first_fault(rows, size, number))
    return runs


def _pulled_apart(pairs: NDArray[np.int32]) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """First and second numbers of pairs, as bits: below 0 they are large.

    The low half of a number of 64 bits is had in half the time that every other number of 32 bits takes. The second
    numbers are low halves too, one place on.
    """
    pairs = np.ascontiguousarray(pairs, "<i4")
    second = np.empty(len(pairs) // 2, np.int32)
    second[:-1] = pairs[1:-1].view("<i8")
    second[-1:] = pairs[-1:]
    return pairs.view("<i8").astype(np.uint32), second.view(np.uint32)


def _in_order(runs: Runs, size: NDArray[np.int64] | None) -> bool:
    """Whether runs are in order and end in time, in as few looks at the numbers as that takes.

    With starts and lengths from 1 on, ends have not wrapped around. Where each run starts after the end of the one
    ahead of it as well, only the last end can be too late.
    """
    tails, most = runs.tails, LARGEST if size is None else size
    if not runs.counts.min(initial=1):
        filled = runs.counts > 0
        tails, most = tails[filled], most if size is None else size[filled]
    apart = runs.start[1:] > runs.end[:-1]
    apart[tails[:-1]] = True
    return bool(apart.all() and (runs.end.take(tails) <= most).all())


def _first_fault(rows: Ragged, size: NDArray[np.int64] | None, number: int) -> str:
    """Why the first bad mask is bad, in words."""
    values = rows.values.astype(np.int64)
    values[0::2] -= 1
    values[1::2] += values[0::2]
    toggles = Ragged(values, rows.offsets)
    at = _disorder(toggles)
    if at is not None:
        return _describe(toggles, at, number)
    size = np.full(toggles.n, LARGEST) if size is None else size
    filled = np.flatnonzero(toggles.lengths)
    past = toggles.values[toggles.offsets[filled + 1] - 1] > size[filled]
    index = int(filled[np.argmax(past)])
    return (
        f"mask {number + index} ends at pixel {toggles.row(index)[-1]} of a box of {size[index]} pixels; "
        "runs count from 1 inside the label's box, row by row."
    )


def _disorder(toggles: Ragged) -> int | None:
    """Flat place of the first toggle that lies before its forerunner, or on it where it ends a run."""
    values = toggles.values
    step = np.subtract(values[1:], values[:-1])
    step[0::2] -= 1  # a run has a length of at least one
    first = toggles.offsets[1:-1]
    first = first[(first > 0) & (first < len(values))]
    step[first - 1] = values[first]  # a mask begins at 0 or after it, whatever the one before it did
    if values[0] < 0:
        return 0
    if step.min() >= 0:
        return None
    return int(np.argmax(step < 0)) + 1


def _describe(toggles: Ragged, at: int, number: int) -> str:
    index, place = where(toggles.offsets, at)
    row = toggles.row(index)
    index += number
    run = place // 2
    start, length = int(row[2 * run]) + 1, int(row[2 * run + 1] - row[2 * run])
    if place % 2:
        return f"mask {index}, run {run} has length {length}; a run covers at least one pixel, leave it out."
    if not place:
        return f"mask {index} starts at {start}; starts count from 1, the first pixel of the box."
    return (
        f"mask {index}, run {run} starts at {start}, before the end of the run ahead of it at {int(row[place - 1])}; "
        "runs are in rising order and do not overlap."
    )


def to_runs(toggles: Ragged) -> Ragged:
    """Hasty run-lengths (int32) from toggles.

    Examples
    --------
    >>> to_runs(Ragged(np.array([0, 2, 6, 8]), np.array([0, 4]))).to_list()
    [[1, 2, 7, 2]]
    """
    values = toggles.values
    runs = np.empty(len(values), np.int32)
    np.add(values[0::2], 1, out=runs[0::2], casting="unsafe")
    np.subtract(values[1::2], values[0::2], out=runs[1::2], casting="unsafe")
    return Ragged(runs, toggles.offsets)


def line_up(toggles: Ragged, size: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Put all masks on one line: toggles plus the begin of their mask, and those begins, shape (n + 1,).

    A gap of one lies between masks, so that the end of one is never the begin of the next.
    """
    base = offsets_of(size + 1)
    return toggles.values + np.repeat(base[:-1], toggles.lengths), base


def take_apart(line: NDArray[np.int64], base: NDArray[np.int64]) -> Ragged:
    """Undo :func:`line_up` for sorted positions."""
    offsets = np.searchsorted(line, base)
    return Ragged(line - np.repeat(base[:-1], np.diff(offsets)), offsets)


def cancel(line: NDArray[Any]) -> NDArray[Any]:
    """Drop from sorted positions those that come an even number of times: two changes at one place are none."""
    same = line[1:] == line[:-1]
    if not same.any():
        return line
    kept = np.ones(len(line), bool)
    kept[1:] = differs = ~same
    if not (same[1:] & same[:-1]).any():  # nothing comes more than twice
        kept[:-1] &= differs
        return line.compress(kept)  # several times faster than line[kept]
    repeats = np.flatnonzero(same)
    first = np.flatnonzero(np.diff(repeats, prepend=-2) != 1)
    often = np.diff(first, append=len(repeats))  # how often the first of its kind is repeated
    kept[repeats[first[often % 2 == 1]]] = False
    return line.compress(kept)


def divide(position: NDArray[Any], width: NDArray[Any]) -> NDArray[np.int64]:
    """Floor of position / width, by way of floats: exact below 2**50, and far faster than integer division."""
    return ((position + 0.5) / width).astype(np.int64)


def within_memory(count: int, what: str) -> None:
    """Refuse to go on where `count` changes would have to be written down."""
    if count > MOST:
        raise ValidationException(
            f"{what} would take {count:,} run ends, more than the {MOST:,} that one call holds in memory; "
            "pass fewer masks at a time, or look for a broken one."
        )


def column_changes(
    toggles: Ragged,
    height: NDArray[np.int64],
    width: NDArray[np.int64],
    x: NDArray[np.int64],
    y: NDArray[np.int64],
    into_width: NDArray[np.int64],
    into_height: NDArray[np.int64],
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Toggles of the same masks read column by column instead of row by row, lined up, and where each mask begins.

    Where the pixel above differs from a pixel, a column changes. Those pixels are the mask's toggles together with
    the same toggles one row further down, pairs at one place cancelled. So the work follows the changes, not
    the pixels.

    Parameters
    ----------
    toggles : Ragged
        Positions in grids of `height` rows and `width` columns, row by row.
    height, width : numpy.ndarray of int64, shape (n,)
        The shape of each grid.
    x, y, into_width, into_height : numpy.ndarray of int64, shape (n,)
        The grid that the answer counts in, and the place of the other one's corner in it. It may be a larger one or
        a smaller one, with `x` and `y` below zero, that still holds the whole mask.
    """
    rows, above = np.minimum(height, into_height), np.minimum(y, 0)  # the line leaves out what lies above and below
    base = offsets_of(width * (rows + 1) + 1)
    target = offsets_of(into_width * into_height + 1)
    kind: Any = np.int32 if max(base[-1], target[-1]) <= LARGEST else np.int64  # what is short sorts faster
    line = toggles.values.astype(kind)
    line += np.repeat((base[:-1] + above * width).astype(kind), toggles.lengths)
    lower = line + np.repeat(width.astype(kind), toggles.lengths)
    changed = cancel(np.sort(np.concatenate([line, lower]), kind="stable"))
    begin, length = changed[0::2], changed[1::2] - changed[0::2]
    offsets = offsets_of(length)
    within_memory(int(offsets[-1]), "Reading the masks by columns")
    mask = np.searchsorted(begin, base)
    ends = offsets[mask]
    count = np.diff(ends)

    def along(values: NDArray[Any]) -> NDArray[Any]:
        return np.repeat(values.astype(kind), count)

    step = begin - np.repeat(base[:-1].astype(kind), np.diff(mask))
    step[1:] -= step[:-1] + length[:-1] - 1
    pixel = np.ones(int(offsets[-1]), kind)  # steps, most of them to the next pixel
    pixel[offsets[:-1]] = step
    np.cumsum(pixel, out=pixel)
    row = ((pixel + 0.5) * np.repeat(1 / np.maximum(width, 1), count)).astype(kind)  # as in divide()
    column = pixel
    column -= row * along(width)
    place = column * along(into_height)
    place += row
    place += along(target[:-1] + x * into_height + y - above)
    columns = offsets_of(np.minimum(width, into_width))
    column += along(columns[:-1] + np.minimum(x, 0))
    _sort_by_columns(place, column, ends, columns)
    return cancel(place), target


def _sort_by_columns(
    place: NDArray[Any], column: NDArray[Any], ends: NDArray[np.int64], columns: NDArray[np.int64]
) -> None:
    """Sort the places of each mask, in order of rows so far: by radix, as far as columns are less than 2**16."""
    for first, last in pairwise(cuts(columns, AT_ONCE)):
        some = slice(ends[first], ends[last])
        if columns[last] - columns[first] <= 2**16:
            key = (column[some] - column.dtype.type(columns[first])).astype(np.uint16)
            place[some] = place[some].take(np.argsort(key, kind="stable"))
        else:
            place[some].sort()


def tighten(toggles: Ragged, grid: Grid) -> tuple[Ragged, Grid]:
    """Cut grids down to the smallest boxes around their masks; an empty mask gets a box of 0 by 0 at the origin."""
    box = tight_boxes(toggles, grid)
    x, y = box.x - grid.x, box.y - grid.y
    return in_blocks(_tighten, toggles, grid.width, x, y, box.width, box.height), box


def tight_boxes(toggles: Ragged, grid: Grid) -> Grid:
    """Find the smallest boxes around masks."""
    begin, end = toggles.values[0::2], toggles.values[1::2]
    left, top, right, bottom = extent(Runs.of(toggles.offsets >> 1, begin + 1, end - begin, end), grid)
    return Grid(left, top, right - left, bottom - top)


def _tighten(
    toggles: Ragged,
    old_width: NDArray[np.int64],
    x: NDArray[np.int64],
    y: NDArray[np.int64],
    width: NDArray[np.int64],
    height: NDArray[np.int64],
) -> Ragged:
    """Count positions in a smaller box."""
    base = offsets_of(width * height + 1)
    line = toggles.values.copy()
    line[1::2] -= 1  # the last pixel of a run lies in the same row as its end
    row = divide(line, np.repeat(old_width, toggles.lengths))
    row *= np.repeat(old_width - width, toggles.lengths)
    line -= row
    line[1::2] += 1
    line += np.repeat(base[:-1] - y * width - x, toggles.lengths)
    return take_apart(cancel(line), base)


def extent(runs: Runs, grid: Grid) -> NDArray[np.int64]:
    """Find the sides of the smallest boxes around masks.

    Numbers of pixels are divided by the width in fixed point: they are multiplied by ``2**32 / width``, rounded down.
    The 32 bits after the point say how far across its row the far side of a pixel lies, and those ahead of it which row
    that is. Without rounding the far side of the last column would be the beginning of the next row; a little less than
    that is the largest number there is. Rounding takes less than a column as long as ``pixel * width`` is below
    ``2**32``; beyond that, 64 bits and a division do the same.

    Parameters
    ----------
    runs : Runs
        The masks. Starts and lengths are overwritten.
    grid : Grid
        The boxes that they count in.

    Returns
    -------
    numpy.ndarray of int64, shape (4, n)
        Left, top, right and bottom sides, in pixels of the image; zeros for a mask without runs.
    """
    heads, tails, counts = runs.heads, runs.tails, runs.counts
    if not (len(counts) and counts.min()):
        return _with_empty(runs, grid)
    bottom = runs.end.take(tails)
    kind: Any = np.uint32 if int(bottom.max()) * int(grid.width.max()) < 2**32 else np.uint64
    width = grid.width.astype(kind)
    step = ~kind(0) // width
    share = np.repeat(step, counts)
    start, end = runs.start.astype(kind, copy=False), runs.end.astype(kind, copy=False)
    far = np.empty((4, len(heads)), kind)
    far[1], far[3] = start.take(heads), bottom
    first, last = np.multiply(start, share, out=start), np.multiply(end, share, out=share)
    np.minimum.reduceat(first, heads, out=far[0])
    np.maximum.reduceat(last, heads, out=far[2])
    if kind is np.uint32:
        far = far.astype(np.uint64)
        far[0::2] *= width
        far[1::2] *= step
        far >>= np.uint64(32)
    else:
        far -= np.uint64(1)
        far[0::2] //= step
        far[1::2] //= width
    sides = far.view(np.int64)
    sides[2:] += 1
    np.copyto(runs.length, LARGEST, where=last < first)
    goes_on = np.maximum.reduceat(runs.length, heads) > width  # in the next row, so that it touches both sides
    np.copyto(sides[0], 0, where=goes_on)
    np.copyto(sides[2], grid.width, where=goes_on)
    sides[0::2] += grid.x
    sides[1::2] += grid.y
    return sides


def _with_empty(runs: Runs, grid: Grid) -> NDArray[np.int64]:
    """Find the sides of the smallest boxes, zeros where a mask has no runs."""
    filled = np.flatnonzero(runs.counts)
    sides = np.zeros((4, len(runs.counts)), np.int64)
    if len(filled):
        there = Runs(runs.heads[filled], runs.tails[filled], runs.counts[filled], runs.start, runs.length, runs.end)
        sides[:, filled] = extent(there, grid.take(filled))
    return sides
