"""Masks as the places where they change: the form in which all other kernels work.

The toggles of a mask are the positions in its pixels, read in order, at which the value changes, counted from 0 and
in rising order. Even ones begin a run, odd ones end it. Shifting, merging and cancelling them is all that set
operations, transposition and cropping need, and none of it depends on how many pixels lie between.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hastyframe.errors import ValidationException
from hastyframe.masks.grids import LARGEST, Grid
from hastyframe.masks.ragged import Ragged, as_ragged, offsets_of, segment, spread, where

__all__ = ["from_runs", "to_runs"]

MOST = 2**28
"""The most toggles one call may produce. A few hostile numbers can ask for billions: more than this is refused."""


def as_runs(runs: Any) -> Ragged:
    """Hasty run-lengths as a ragged pair of 32-bit numbers in pairs (start, length)."""
    rows = as_ragged(runs)
    odd = rows.offsets % 2 != 0
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
    return rows


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
        Runs that start before 1, have no length, overlap, are out of order, or run past the box. The message names
        the first such mask.

    Examples
    --------
    >>> from_runs([[1, 2, 7, 2]]).values
    array([0, 2, 6, 8])
    """
    rows = as_runs(runs)
    start = rows.values[0::2]
    toggles = np.empty(len(rows.values), np.int64)
    np.subtract(start, 1, out=toggles[0::2], dtype=np.int64)
    np.add(toggles[0::2], rows.values[1::2], out=toggles[1::2])
    out = Ragged(toggles, rows.offsets)
    if (fault := first_fault(out, size)) is not None:
        raise ValidationException(fault)
    return out


def first_fault(toggles: Ragged, size: NDArray[np.int64] | None) -> str | None:
    """Why the first bad mask is bad, in words; None where all are good."""
    if not len(toggles.values):
        return None
    at = _disorder(toggles)
    if at is not None:
        return _describe(toggles, at)
    if size is None:
        return None
    filled = np.flatnonzero(toggles.lengths)
    past = toggles.values[toggles.offsets[filled + 1] - 1] > size[filled]
    if not past.any():
        return None
    index = int(filled[np.argmax(past)])
    return (
        f"mask {index} ends at pixel {toggles.row(index)[-1]} of a box of {size[index]} pixels; "
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


def _describe(toggles: Ragged, at: int) -> str:
    index, place = where(toggles.offsets, at)
    row = toggles.row(index)
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


def cancel(line: NDArray[np.int64]) -> NDArray[np.int64]:
    """Drop from sorted positions those that come an even number of times: two changes at one place are none."""
    fresh = line[1:] != line[:-1]
    if fresh.all():
        return line
    first = np.concatenate([[0], np.flatnonzero(fresh) + 1])
    often = np.diff(first, append=len(line))
    return line[first[often % 2 == 1]]


def divide(position: NDArray[np.int64], width: NDArray[np.int64]) -> NDArray[np.int64]:
    """Floor of position / width, by way of floats: exact below 2**50, and far faster than integer division."""
    return ((position + 0.5) / width).astype(np.int64)


def within_memory(count: int, what: str) -> None:
    """Refuse to go on where `count` changes would have to be written down."""
    if count > MOST:
        raise ValidationException(
            f"{what} would take {count:,} run ends, more than the {MOST:,} that one call holds in memory; "
            "pass fewer masks at a time, or look for a broken one."
        )


def columns_first(
    toggles: Ragged, height: NDArray[np.int64], width: NDArray[np.int64], into: Grid | None = None
) -> Ragged:
    """Toggles of the same masks read column by column instead of row by row.

    Where the pixel above differs from a pixel, a column changes. Those pixels are the mask's toggles together with
    the same toggles one row further down, pairs at one place cancelled. So the work follows the changes, not
    the pixels.

    Parameters
    ----------
    toggles : Ragged
        Positions in grids of `height` rows and `width` columns, row by row.
    height, width : numpy.ndarray of int64, shape (n,)
        The shape of each grid.
    into : Grid, optional
        Count the answer in a larger grid, of this width and height, with the mask's corner at its `x` and `y`.
        The grid of the mask by default.
    """
    if into is None:
        zero = np.zeros_like(width)
        into = Grid(zero, zero, width, height)
    line, base = line_up(toggles, width * (height + 1))
    lower = line + np.repeat(width, toggles.lengths)
    changed = cancel(np.sort(np.concatenate([line, lower]), kind="stable"))
    begin, length = changed[0::2], changed[1::2] - changed[0::2]
    within_memory(int(length.sum()), "Reading the masks by columns")
    offsets = offsets_of(length)
    mask = np.searchsorted(begin, base)
    count = np.diff(offsets[mask])
    pixel = spread(begin - np.repeat(base[:-1], np.diff(mask)), length, offsets)
    row = divide(pixel, np.repeat(width, count))
    pixel -= row * np.repeat(width, count)
    target = offsets_of(into.size + 1)
    pixel *= np.repeat(into.height, count)
    pixel += row
    pixel += np.repeat(target[:-1] + into.x * into.height + into.y, count)
    pixel.sort()
    return take_apart(cancel(pixel), target)


def tighten(toggles: Ragged, width: NDArray[np.int64]) -> tuple[Ragged, Grid]:
    """Cut grids down to the smallest boxes around their masks; an empty mask gets a box of 0 by 0."""
    box = extent(toggles, width)
    begin, end = toggles.values[0::2], toggles.values[1::2]
    count = toggles.lengths // 2
    old, new = np.repeat(width, count), np.repeat(box.width, count)
    shift = np.repeat(box.y * box.width + box.x, count)
    row = divide(begin, old)
    last = divide(end - 1, old)
    line = np.empty_like(toggles.values)
    line[0::2] = begin - row * (old - new) - shift
    line[1::2] = end - last * (old - new) - shift
    base = offsets_of(box.size + 1)
    line += np.repeat(base[:-1], toggles.lengths)
    return take_apart(cancel(line), base), box


def extent(toggles: Ragged, width: NDArray[np.int64]) -> Grid:
    """Find the tight boxes of masks, from the corner of their grids of `width` columns."""
    values, offsets = toggles.values, toggles.offsets
    count = toggles.lengths // 2
    filled = count > 0
    first, final = values[offsets[:-1][filled]], values[offsets[1:][filled] - 1] - 1
    top, bottom = np.zeros(len(count), np.int64), np.zeros(len(count), np.int64)
    top[filled] = divide(first, width[filled])
    bottom[filled] = divide(final, width[filled]) + 1
    across = np.repeat(width, count)
    start = divide(values[0::2], across) * across
    left = values[0::2] - start
    right = values[1::2] - start
    wraps = right > across
    left[wraps] = 0
    np.minimum(right, across, out=right)
    begin = segment(np.minimum, left, offsets // 2, 0)
    end = segment(np.maximum, right, offsets // 2, 0)
    return Grid(begin, top, end - begin, bottom - top)
