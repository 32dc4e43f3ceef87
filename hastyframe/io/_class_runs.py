"""Pictures of class numbers as a mask a class, found in one go along the rows: no picture a class is made."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..masks import Ragged
from ..masks.ragged import offsets_of

__all__ = ["BAND", "NO_RUNS", "ClassRuns", "class_runs"]

NO_RUNS = Ragged(np.empty(0, np.int32), np.zeros(1, np.int64))
BAND = 2**22
"""Pixels that are looked at together."""


class ClassRuns(NamedTuple):
    """What :func:`class_runs` finds, a row a class that has pixels."""

    numbers: NDArray[np.int64]
    """The classes, rising."""
    boxes: NDArray[np.int64]
    """Their tight boxes, shape (n, 4)."""
    runs: Ragged
    """Their run-lengths, each in its box."""


def class_runs(numbers: NDArray[np.unsignedinteger], take: Callable[[int], None] = lambda count: None) -> ClassRuns:
    """Find the mask of each class in a picture of their numbers, in which 0 is background.

    Parameters
    ----------
    numbers : numpy.ndarray of an unsigned type, shape (height, width)
        The picture.
    take : callable, optional
        Told how many runs there are, some at a time; may refuse more.

    Examples
    --------
    >>> found = class_runs(np.array([[0, 1, 1], [2, 1, 1]], np.uint8))
    >>> found.numbers.tolist(), found.boxes.tolist(), found.runs.to_list()
    ([1, 2], [[1, 0, 3, 2], [0, 1, 1, 2]], [[1, 4], [1, 1]])
    """
    begin, end, values = _row_runs(numbers, take)
    order = np.argsort(values, kind="stable")
    begin, end, values = begin[order], end[order], values[order]
    first = np.flatnonzero(np.diff(values.astype(np.int64), prepend=-1))
    if not len(first):
        return ClassRuns(np.empty(0, np.int64), np.empty((0, 4), np.int64), NO_RUNS)
    width = numbers.shape[1]
    counts = np.diff(first, append=len(values))
    left, top = np.minimum.reduceat(begin % width, first), begin[first] // width
    right = np.maximum.reduceat((end - 1) % width, first) + 1
    bottom = (end[first + counts - 1] - 1) // width + 1
    return ClassRuns(
        values[first].astype(np.int64),
        np.column_stack([left, top, right, bottom]),
        _in_boxes(begin, end, counts, width, left, top, right - left),
    )


def _row_runs(
    numbers: NDArray[np.unsignedinteger], take: Callable[[int], None]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.unsignedinteger]]:
    """Find runs of one class that end with their rows: first pixel, the one behind the last, and the class."""
    height, width = numbers.shape
    rows = max(1, BAND // max(width, 1))
    parts = []
    for top in range(0, height, rows):
        band = numbers[top : top + rows]
        changes = np.ones(band.shape, bool)
        np.not_equal(band[:, 1:], band[:, :-1], out=changes[:, 1:])
        take(int(np.count_nonzero(changes)))
        begin = np.flatnonzero(changes)
        values = band.reshape(-1)[begin]
        end = np.append(begin[1:], band.size)
        there = values > 0
        parts.append((begin[there] + top * width, end[there] + top * width, values[there]))
    if not parts:
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.uint8)
    begin, end, values = map(np.concatenate, zip(*parts, strict=True))
    return begin, end, values


def _in_boxes(
    begin: NDArray[np.int64],
    end: NDArray[np.int64],
    counts: NDArray[np.int64],
    width: int,
    left: NDArray[np.int64],
    top: NDArray[np.int64],
    wide: NDArray[np.int64],
) -> Ragged:
    """Run-lengths in the boxes of the classes: what ends with a row of its box goes on in the next one."""
    length = end - begin
    row, column = np.divmod(begin, width)
    row -= np.repeat(top, counts)
    row *= np.repeat(wide, counts)
    start = row + column - np.repeat(left, counts)
    new = np.ones(len(start), bool)
    new[1:] = start[1:] != start[:-1] + length[:-1]
    new[offsets_of(counts)[:-1]] = True
    heads = np.flatnonzero(new)
    runs = np.empty((len(heads), 2), np.int32)
    runs[:, 0] = start[heads] + 1
    runs[:, 1] = np.add.reduceat(length, heads)
    return Ragged(runs.reshape(-1), offsets_of(np.add.reduceat(new.astype(np.int64), offsets_of(counts)[:-1])) * 2)
