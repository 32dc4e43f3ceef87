"""Where masks live: boxes ``[x_min, y_min, x_max, y_max]`` and shapes ``(height, width)``, checked."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hastyframe.errors import ValidationException
from hastyframe.masks.ragged import Ragged

__all__ = ["Grid", "as_grid", "as_sizes", "numbers"]

FARTHEST = 2**30
"""Boxes lie within this many pixels of the origin, so that no product of two sides overflows."""

LARGEST = 2**31 - 1
"""A mask has at most this many pixels: Hasty run-lengths are 32-bit."""


class Grid(NamedTuple):
    """One pixel grid a mask: its corner in the image and its size, each int64 of shape (n,)."""

    x: NDArray[np.int64]
    y: NDArray[np.int64]
    width: NDArray[np.int64]
    height: NDArray[np.int64]

    @property
    def size(self) -> NDArray[np.int64]:
        """The number of pixels of each box."""
        return self.width * self.height

    @property
    def boxes(self) -> NDArray[np.int64]:
        """The boxes as rows ``[x_min, y_min, x_max, y_max]``."""
        out = np.empty((len(self.x), 4), np.int64)
        out[:, 0], out[:, 1] = self.x, self.y
        np.add(out[:, 0], self.width, out=out[:, 2])
        np.add(out[:, 1], self.height, out=out[:, 3])
        return out

    def take(self, index: Any) -> Grid:
        """Pick boxes."""
        return Grid(self.x[index], self.y[index], self.width[index], self.height[index])


def as_grid(boxes: ArrayLike, n: int, *, of: Ragged | None = None, what: str = "mask") -> Grid:
    """Read boxes of shape (n, 4), or shapes ``(height, width)`` of shape (n, 2), of `n` masks.

    Parameters
    ----------
    boxes : array_like
        Boxes ``[x_min, y_min, x_max, y_max]`` or shapes ``(height, width)`` in whole pixels, a row a mask. One row
        without the outer axis holds for all masks. A shape is a box at the origin.
    n : int
        How many masks there are.
    of : Ragged, optional
        What stands in the boxes. The box of an empty row does not matter and may hold NaN: a label without a mask may
        lack one.
    what : str
        What a row is called in an error.

    Returns
    -------
    Grid

    Raises
    ------
    ValidationException
        Another number of boxes than of masks; a box that is NaN, is not in whole pixels, or whose maxima lie before
        its minima; a side of more than 2**30 pixels.

    Examples
    --------
    >>> as_grid([[10, 10, 14, 12]], 1).size
    array([8])
    """
    table = numbers(boxes)
    if table.ndim == 1 and len(table) in (2, 4):
        table = np.broadcast_to(table, (n, len(table)))
    if not table.size and not n:
        table = table.reshape(0, 4)
    if table.ndim != 2 or table.shape[1] not in (2, 4) or len(table) != n:
        raise ValidationException(
            f"{n} {what}s need {n} boxes [x_min, y_min, x_max, y_max] or shapes (height, width), "
            f"an array of shape ({n}, 4) or ({n}, 2); got shape {table.shape}."
        )
    columns = _whole_columns(table, of, what)
    corner = columns[:2] if len(columns) == 4 else np.zeros((2, n), np.int64)
    sides = columns[2:] - corner if len(columns) == 4 else columns[::-1]
    grid = Grid(*corner, *sides)
    if sides.min(initial=0) < 0:
        index = int(np.argmax((sides < 0).any(axis=0)))
        raise ValidationException(
            f"The box of {what} {index} is {grid.boxes[index].tolist()}; the maxima must not lie before the minima."
        )
    return grid


def as_sizes(sizes: ArrayLike, n: int, *, what: str = "image") -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Heights and widths, each of shape (n,), from rows ``(height, width)`` or one such row for all."""
    table = numbers(sizes)
    if table.shape[-1:] != (2,) and not (n == 0 and not table.size):
        raise ValidationException(f"Sizes of {what}s are rows (height, width); got shape {table.shape}.")
    grid = as_grid(table, n, what=what)
    return grid.height, grid.width


def numbers(boxes: ArrayLike) -> NDArray[Any]:
    """Boxes or sizes as an array of numbers."""
    try:
        table = np.asarray(boxes)
        return table if table.dtype.kind in "iuf" else table.astype(np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValidationException(f"Every box or size is a row of numbers in pixels: {error}") from error


def _whole_columns(table: NDArray[Any], of: Ragged | None, what: str) -> NDArray[np.int64]:
    if table.dtype.kind == "i" and table.size:  # no value changes on the way, so two looks at all of them will do
        whole = table.T.astype(np.int64, order="C")
        if whole.min() >= -FARTHEST and whole.max() <= FARTHEST:
            return whole
    with np.errstate(invalid="ignore"):
        whole = table.T.astype(np.int64, order="C")
    fine = ((whole == table.T) & (whole >= -FARTHEST) & (whole <= FARTHEST)).all(axis=0)
    if of is not None and not fine.all():
        whole = np.where(of.lengths > 0, whole, 0)
        fine |= of.lengths == 0
    if not fine.all():
        index = int(np.argmin(fine))
        raise ValidationException(
            f"The box of {what} {index} is {table[index].tolist()}; boxes are whole pixels within ±2**30 "
            "(np.floor the minima, np.ceil the maxima)."
        )
    return whole
