"""Masks of labels and predictions: checked at once, painted when somebody asks for them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from .. import masks
from ..checks import Problems, as_lists
from ..errors import ValidationException
from ..frames import BOX, MASK, POLYGON
from ..lists import PARTS, ragged_of
from ..masks import Ragged
from ..masks.grids import Grid, as_grid
from ..masks.overlap import Member
from ..painting import Painted, Rule, extent, paint

__all__ = ["OUTCOME", "Masks", "lists_of", "read_masks"]

OUTCOME = "nothing was evaluated"
_SHAPES = {"mask": MASK, "polygon": POLYGON, "parts": PARTS}
"""What objects can have besides boxes."""


class Masks:
    """Masks of objects: those that are there, and outlines and boxes that are painted once somebody asks for them.

    An outline that nothing comes near is never painted.

    Parameters
    ----------
    frame : pandas.DataFrame
        Boxes and what is finer, as columns of Arrow lists; checked.
    sizes : numpy.ndarray of float64, shape (n, 2), or None
        Height and width of each object's image, 0 of those that have a mask; None where nothing is known of them.
    rule : {"center", "coco"}
        How to paint.
    what : str
        What the objects are called in an error.

    Attributes
    ----------
    grid : Grid
        Where each lies at most.
    member : Member
        Run-lengths of what is painted, and where it lies; empty for the others.
    area : numpy.ndarray of float64, shape (n,)
        Their pixels.
    """

    def __init__(self, frame: pd.DataFrame, sizes: NDArray[np.float64] | None, rule: Rule, what: str) -> None:
        self._frame, self._sizes, self._rule, self._what = frame, sizes, rule, what
        self.grid = as_grid(extent(frame, sizes, what, rule), len(frame))
        masked = _masked(frame)
        empty = Ragged(np.empty(0, np.int32), np.zeros(len(frame) + 1, np.int64))
        runs = ragged_of(frame["mask"], MASK)[0] if masked.any() else empty
        self._keep((runs, np.where(masked[:, None], self.grid.boxes, 0)), masked)
        self._asked = False

    def _keep(self, painted: Painted, there: NDArray[np.bool_]) -> None:
        runs, boxes = painted
        member, area = Member.of(runs, as_grid(boxes, runs.n)), masks.area(runs).astype(float)
        grid = Grid(*(np.where(there, *sides) for sides in zip(member.grid, self.grid, strict=True)))
        self._painted, self._there, self.member, self.area, self.grid = painted, there, member, area, grid

    def paint(self, rows: NDArray[np.int64]) -> None:
        """See to it that some rows are painted."""
        if self._there[rows].all():
            return
        if self._sizes is None:
            self._keep(paint(self._frame, None, self._what, self._rule), np.ones(len(self._frame), bool))
            return
        there = self._there | self._asked  # the second time all others, and never again
        there[rows] = True
        sizes = self._sizes * (there & ~self._there)[:, None]  # in an image without pixels nothing is painted
        outlines = self._frame.drop(columns="mask", errors="ignore")
        self._keep(paint(outlines, sizes, self._what, self._rule, beside=self._painted), there)
        self._asked = True


def read_masks(
    frame: pd.DataFrame,
    boxes: NDArray[np.float64],
    image: NDArray[np.int64],
    what: str,
    images: pd.DataFrame,
    rule: Rule,
) -> Masks:
    """Check the masks of objects, and what their images must have for the rest to be painted.

    Raises
    ------
    FrameError
        Names what is not a mask or an outline, masks that do not fit their boxes, and rows whose image has no size.
    FormatError
        Names an outline that cannot be painted.
    """
    finest = _finest(frame, boxes, what)
    masked = _masked(finest)
    if masked.any():
        _check_masks(finest, masked, what)
    sizes = None if masked.all() else _sizes(images, image, ~masked, rule, frame, what)
    return Masks(finest, sizes, rule, what)


def _masked(frame: pd.DataFrame) -> NDArray[np.bool_]:
    return frame["mask"].notna().to_numpy() if "mask" in frame else np.zeros(len(frame), bool)


def _finest(frame: pd.DataFrame, boxes: NDArray[np.float64], what: str) -> pd.DataFrame:
    """Boxes, and what is finer than they are, as columns of Arrow lists."""
    out = pd.DataFrame(boxes, index=frame.index, columns=list(BOX))
    for name in _SHAPES:
        if name in frame and frame[name].notna().any():
            out[name] = lists_of(frame, name, what)
    return out


def lists_of(frame: pd.DataFrame, name: str, what: str) -> pd.Series[Any]:
    """Read a column of lists of any kind as Arrow lists."""
    column = frame[name]
    if isinstance(column.dtype, pd.ArrowDtype) and pa.types.is_list(column.dtype.pyarrow_dtype):
        return column
    problems = Problems(frame)
    lists = as_lists(column, pd.ArrowDtype(_SHAPES[name]), problems)
    problems.throw(what, OUTCOME)
    return lists


def _check_masks(frame: pd.DataFrame, masked: NDArray[np.bool_], what: str) -> None:
    """Refuse masks that do not fit their boxes."""
    boxes = frame[list(BOX)].to_numpy()
    problems = Problems(frame)
    fraction = masked & (boxes != np.rint(boxes)).any(axis=1)
    problems.add("bbox", fraction, "A mask stands in a box of whole pixels.", boxes)
    problems.throw(what, OUTCOME)
    runs, _ = ragged_of(frame["mask"], MASK)
    try:
        masks.check(runs, boxes)
    except ValidationException:
        found = masks.problems(runs, boxes)
        texts = {row: f"It does not fit its box: {text}" for row, text in found.items()}
        problems.add("mask", np.isin(np.arange(len(frame)), list(found)), texts)
        problems.throw(what, OUTCOME)
        raise


def _sizes(
    images: pd.DataFrame,
    image: NDArray[np.int64],
    needed: NDArray[np.bool_],
    rule: Rule,
    frame: pd.DataFrame,
    what: str,
) -> NDArray[np.float64] | None:
    """Height and width of the image of each row where they are needed; None where they are not known at all."""
    if not {"width", "height"} <= set(images.columns):
        if rule == "coco":
            raise ValidationException(
                'rule="coco" paints polygons into their images: give images with width and height.'
            )
        return None
    sizes = images[["height", "width"]].to_numpy(dtype=float, na_value=np.nan)[image]
    problems = Problems(frame)
    problems.add("image_id", needed & np.isnan(sizes).any(axis=1), "Its image has no width and height.")
    problems.throw(what, OUTCOME)
    return np.where(needed[:, None], sizes, 0.0)
