"""Masks of labels and predictions: checked at once, painted when somebody asks for them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from .. import masks
from ..checks import Problems
from ..errors import ValidationException
from ..frames import BOX, MASK, POLYGON, arrow_list
from ..lists import PARTS, ragged_of
from ..masks.grids import as_grid
from ..masks.overlap import Member
from ..painting import Rule, extent, paint

__all__ = ["OUTCOME", "SHAPES", "Masks", "Painted", "as_lists", "read_masks"]

OUTCOME = "nothing was evaluated"
SHAPES = {"mask": MASK, "polygon": POLYGON, "parts": PARTS}
"""What objects can have besides boxes."""


class Painted(NamedTuple):
    """Masks of all objects, empty where they were not painted.

    Parameters
    ----------
    member : Member
        Run-lengths, and where they lie.
    area : numpy.ndarray of float64, shape (n,)
        Their pixels.
    """

    member: Member
    area: NDArray[np.float64]


class Masks:
    """Masks of objects: those that are there, and outlines and boxes that are painted once somebody asks for them.

    An outline that nothing comes near is never painted.

    Parameters
    ----------
    frame : pandas.DataFrame
        Boxes and what is finer, as columns of Arrow lists; checked.
    sizes : numpy.ndarray of float64, shape (n, 2), or None
        Height and width of each object's image; None where they are not known, or nothing is to be painted.
    rule : {"center", "coco"}
        How to paint.
    what : str
        What the objects are called in an error.

    Attributes
    ----------
    grid : Grid
        Where each lies at most.
    least : numpy.ndarray of float64, shape (n,)
        How many pixels each has at least: all that it has, once it is painted.
    """

    def __init__(self, frame: pd.DataFrame, sizes: NDArray[np.float64] | None, rule: Rule, what: str) -> None:
        self._frame, self._sizes, self._rule, self._what = frame, sizes, rule, what
        self._masked = _masked(frame)
        self._there = self._masked.copy()
        self._painted: Painted | None = None
        self.grid = as_grid(extent(frame, sizes, what, rule), len(frame))
        self.least = np.zeros(len(frame))
        if self._masked.any():
            self.least = masks.area(ragged_of(frame["mask"], MASK)[0]).astype(float)

    def of(self, rows: NDArray[np.int64]) -> Painted:
        """Masks of all objects, of which at least those in `rows` are painted."""
        painted = self._painted
        if painted is None or not self._there[rows].all():
            there = self._there.copy()
            if painted is None and self._sizes is not None:
                there[rows] = True
            else:  # once more, and never again
                there[:] = True
            # In an image without pixels nothing is painted.
            sizes = None if self._sizes is None else self._sizes * there[:, None]
            runs, boxes = paint(self._frame, sizes, self._what, self._rule)
            area = self.least if self._masked.all() else masks.area(runs).astype(float)
            painted = Painted(Member.of(runs, as_grid(boxes, runs.n)), area)
            self._painted, self._there, self.least = painted, there, np.where(there, area, self.least)
        return painted


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
        Names masks that do not fit their boxes, and rows whose image has no size.
    FormatError
        Names an outline that cannot be painted.
    """
    finest = _finest(frame, boxes)
    masked = _masked(finest)
    if masked.any():
        _check_masks(finest, masked, what)
    sizes = None if masked.all() else _sizes(images, image, ~masked, rule, frame, what)
    return Masks(finest, sizes, rule, what)


def _masked(frame: pd.DataFrame) -> NDArray[np.bool_]:
    return frame["mask"].notna().to_numpy() if "mask" in frame else np.zeros(len(frame), bool)


def _finest(frame: pd.DataFrame, boxes: NDArray[np.float64]) -> pd.DataFrame:
    """Boxes, and what is finer than they are, as columns of Arrow lists."""
    out = pd.DataFrame(boxes, index=frame.index, columns=list(BOX))
    for name, kind in SHAPES.items():
        if name in frame and frame[name].notna().any():
            out[name] = as_lists(frame[name], kind)
    return out


def as_lists(column: pd.Series[Any], kind: pa.DataType) -> pd.Series[Any]:
    """Read a column of lists of any kind as Arrow lists."""
    return column if isinstance(column.dtype, pd.ArrowDtype) else arrow_list(column, pd.ArrowDtype(kind))


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
