"""Which masks are broken, and why."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hastyframe.errors import ValidationException
from hastyframe.masks.columns import takes_masks
from hastyframe.masks.grids import LARGEST, as_grid
from hastyframe.masks.ragged import Ragged, as_ragged, segment
from hastyframe.masks.toggles import as_runs, check_fit

__all__ = ["check", "problems"]


@takes_masks
def check(runs: Any, boxes: ArrayLike) -> None:
    """Refuse masks that are not Hasty run-lengths inside their boxes.

    Parameters
    ----------
    runs : list of int, Ragged, Arrow list array, list of lists, or a column of masks
        Hasty run-lengths; a column of masks (:mod:`hastyframe.geometry`) carries its boxes, which are left out then.
    boxes : array_like
        Boxes ``[x_min, y_min, x_max, y_max]`` or shapes ``(height, width)``, a row a mask.

    Raises
    ------
    ValidationException
        Names the first bad masks, why each is bad, and how many there are.

    Examples
    --------
    >>> check([1, 2, 7, 2], [10, 10, 14, 12])
    >>> check([1, 2, 7, 3], [10, 10, 14, 12])
    Traceback (most recent call last):
    hastyframe.errors.ValidationException: mask 0 ends at pixel 9 of a box of 8 pixels. (1 of 1 masks is bad.)
    """
    if _fine(runs, boxes):
        return
    found = problems(runs, boxes)
    shown = " ".join(f"mask {index} {why}." for index, why in list(found.items())[:5])
    total = as_ragged(runs).n
    raise ValidationException(f"{shown} ({len(found)} of {total} masks {'is' if len(found) == 1 else 'are'} bad.)")


def _fine(runs: Any, boxes: ArrayLike) -> bool:
    """Whether all masks are good, in a fraction of the time that it takes to say what is wrong."""
    try:
        rows = as_runs(runs)
        check_fit(rows, as_grid(boxes, rows.n, of=rows).size)
    except ValidationException:
        return False
    return True


@takes_masks
def problems(runs: Any, boxes: ArrayLike) -> dict[int, str]:
    """Why each bad mask is bad.

    Parameters
    ----------
    runs, boxes
        As in :func:`check`.

    Returns
    -------
    dict of int to str
        The number of each bad mask, in order, and what is wrong with it. Empty where all are good.

    Raises
    ------
    ValidationException
        Only for what is not a list of masks and boxes at all.

    Examples
    --------
    >>> problems([[1, 2, 7, 2], [0, 2], [1, 2, 2, 2]], (2, 4))
    {1: 'starts at 0, starts count from 1', 2: 'has run 1 starting at 2, before the end of the run ahead of it'}
    """
    rows = as_ragged(runs)
    grid = as_grid(boxes, rows.n, of=rows)
    why: dict[int, str] = {}
    for bad, reason in (
        _odd(rows),
        _wide(rows),
        _early(rows),
        _short(rows),
        _unsorted(rows),
        _long(rows, grid.size),
    ):
        for index in np.flatnonzero(bad).tolist():
            if index not in why:
                why[index] = reason(index)
    return dict(sorted(why.items()))


Finding = tuple[NDArray[np.bool_], Any]


def _odd(rows: Ragged) -> Finding:
    return rows.lengths % 2 == 1, lambda index: f"has {rows.lengths[index]} numbers, runs are pairs start, length"


def _wide(rows: Ragged) -> Finding:
    wide = (rows.values > LARGEST) | (rows.values < -LARGEST)
    return _any(wide, rows), lambda index: f"holds {_first(rows, wide, index)}, which is beyond 32 bits"


def _early(rows: Ragged) -> Finding:
    filled = rows.lengths > 0
    first = np.ones(rows.n, np.int64)
    first[filled] = rows.values[rows.offsets[:-1][filled]]
    return first < 1, lambda index: f"starts at {first[index]}, starts count from 1"


def _short(rows: Ragged) -> Finding:
    short = ~_is_start(rows) & (rows.values < 1)
    return _any(short, rows), lambda index: f"has a run of length {_first(rows, short, index)}, leave it out"


def _unsorted(rows: Ragged) -> Finding:
    start = _is_start(rows)
    values = rows.values.clip(-LARGEST, LARGEST).astype(np.int64)
    bad = np.zeros(len(values), bool)
    bad[2:] = start[2:] & (values[2:] < values[:-2] + values[1:-1])
    opening = rows.offsets[:-1][rows.lengths > 0]
    bad[opening] = False

    def reason(index: int) -> str:
        run = int(np.argmax(bad[rows.offsets[index] : rows.offsets[index + 1]])) // 2
        return f"has run {run} starting at {rows.row(index)[run * 2]}, before the end of the run ahead of it"

    return _any(bad, rows), reason


def _long(rows: Ragged, size: NDArray[np.int64]) -> Finding:
    whole = rows.lengths > 1
    end = np.zeros(rows.n, np.int64)
    last = rows.offsets[1:][whole]
    values = rows.values.clip(-LARGEST, LARGEST).astype(np.int64)
    end[whole] = values[last - 2] + values[last - 1] - 1
    return end > size, lambda index: f"ends at pixel {end[index]} of a box of {size[index]} pixels"


def _is_start(rows: Ragged) -> NDArray[np.bool_]:
    return (np.arange(len(rows.values)) - np.repeat(rows.offsets[:-1], rows.lengths)) % 2 == 0


def _any(flags: NDArray[np.bool_], rows: Ragged) -> NDArray[np.bool_]:
    return segment(np.logical_or, flags, rows.offsets, False, np.bool_)


def _first(rows: Ragged, flags: NDArray[np.bool_], index: int) -> int:
    return int(rows.row(index)[np.argmax(flags[rows.offsets[index] : rows.offsets[index + 1]])])
