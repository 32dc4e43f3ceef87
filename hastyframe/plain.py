"""Columns of polygons and masks as the lists and boxes that the rest of the package works on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from . import masks
from .errors import FrameError, Problem
from .frames import BOX, MASK, POLYGON
from .geometry import Mask, MaskArray, MaskDtype, Polygon, PolygonArray, PolygonDtype
from .lists import PARTS

__all__ = ["plain_geometry"]

Boxes = NDArray[np.float64]
Flags = NDArray[np.bool_]


def plain_geometry(frame: pd.DataFrame) -> pd.DataFrame:
    """Turn columns ``polygon`` and ``mask`` of a labels frame into lists, where they are geometry columns.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns of the dtypes ``polygon`` and ``mask``, or of objects that are :class:`hastyframe.geometry.Polygon` and
        :class:`hastyframe.geometry.Mask`.

    Returns
    -------
    pandas.DataFrame
        The frame itself if it has none. A mask counts inside the box of its row; a row that has no box gets the
        smallest one around the mask's pixels. A polygon of several parts goes to a column ``parts``.

    Raises
    ------
    FrameError
        A mask that reaches out of the box of its row, or a polygon with holes; every such row is named.

    Examples
    --------
    >>> import pandas as pd
    >>> from hastyframe.geometry import Mask
    >>> plain_geometry(pd.DataFrame({"mask": pd.Series([Mask([1, 4], [5, 5, 7, 7])], dtype="mask")})).iloc[0].to_dict()
    {'mask': [1, 4], 'x_min': 5.0, 'y_min': 5.0, 'x_max': 7.0, 'y_max': 7.0}
    """
    columns: dict[str, Any] = {}
    if _holds(frame, "polygon", PolygonDtype, Polygon):
        columns |= _polygons(frame)
    if _holds(frame, "mask", MaskDtype, Mask):
        columns |= _masks(frame)
    return frame.assign(**columns) if columns else frame


def _holds(frame: pd.DataFrame, name: str, dtype: type, cell: type) -> bool:
    column = frame.get(name)
    if not isinstance(column, pd.Series):
        return False
    if column.dtype == object:
        return any(isinstance(value, cell) for value in column)
    return isinstance(column.dtype, dtype)


def _polygons(frame: pd.DataFrame) -> dict[str, Any]:
    array = PolygonArray(frame["polygon"])
    shape = array.to_geoarrow()
    parts = shape.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    several = parts > 1
    flat = shape.flatten()
    holed = np.zeros(len(frame), bool)
    rings = flat.value_lengths().to_numpy(zero_copy_only=False)
    holed[np.repeat(np.arange(len(frame)), parts)[rings > 1]] = True
    remedy = "It has holes, and a label has outlines without any: make it a mask, as by hf.masks.polygon_to_rle."
    _refuse(frame, "polygon", holed, remedy)
    outlines = flat.flatten().cast(POLYGON)  # a ring a part
    offsets = np.concatenate([[0], np.cumsum(parts)])
    lists = pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), outlines)
    single = pa.array(np.where(parts == 1, offsets[:-1], 0), mask=parts != 1)
    columns = {"polygon": pd.array(outlines.take(single), dtype=pd.ArrowDtype(POLYGON))}
    if several.any():
        kept = lists.take(pa.array(np.arange(len(frame)), mask=~several))
        columns["parts"] = pd.array(kept.cast(PARTS), dtype=pd.ArrowDtype(PARTS))
    return columns


def _masks(frame: pd.DataFrame) -> dict[str, Any]:
    array = MaskArray(frame["mask"])
    there = ~array.isna()
    runs, frames = array.runs_in_boxes()
    boxes = frame.reindex(columns=list(BOX)).to_numpy(dtype=float, na_value=np.nan)
    bare = there & np.isnan(boxes).all(axis=1)
    boxes = np.where(bare[:, None], _around(array, frames.astype(float)), boxes)
    moved = np.flatnonzero(there & (boxes != frames).any(axis=1))
    if len(moved):
        runs = _cut(frame, array, runs, boxes, moved)
    lists = runs.to_arrow().take(pa.array(np.arange(len(frame)), mask=~there)).cast(MASK)
    return {"mask": pd.array(lists, dtype=pd.ArrowDtype(MASK)), **dict(zip(BOX, boxes.T, strict=True))}


def _around(array: MaskArray, frames: Boxes) -> Boxes:
    """Return the boxes that masks have by themselves: around their pixels, as COCO has them; of none, their frames."""
    return np.where((array.area > 0)[:, None], array.bounds, frames)


def _cut(
    frame: pd.DataFrame, array: MaskArray, runs: masks.Ragged, boxes: Boxes, moved: NDArray[np.intp]
) -> masks.Ragged:
    """Return runs of masks that count inside the boxes of their rows, in which they lie."""
    own, tight = boxes[moved], array.take(moved).bounds
    inside = (own == np.rint(own)).all(axis=1) & (own[:, :2] <= tight[:, :2]).all(axis=1)
    inside &= (own[:, 2:] >= tight[:, 2:]).all(axis=1)
    bad = np.zeros(len(frame), bool)
    bad[moved[~inside]] = True
    remedy = "It reaches out of the box of its row: set the box from it, by hf.fit_boxes, or move the mask as well."
    _refuse(frame, "mask", bad, remedy)
    new = masks.crop(runs.take(moved), array.frames[moved], own)
    order = np.arange(runs.n)
    order[moved] = runs.n + np.arange(len(moved))
    values = np.concatenate([runs.values, new.values])
    return masks.Ragged(values, np.concatenate([runs.offsets, runs.offsets[-1] + new.offsets[1:]])).take(order)


def _refuse(frame: pd.DataFrame, column: str, bad: Flags, remedy: str) -> None:
    if bad.any():
        rows = np.flatnonzero(bad)
        raise FrameError([Problem(column, frame.index[row], frame[column].iloc[row], remedy) for row in rows])
