"""Arrow list columns as the nested lists of JSON."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from ..frames import MASK, POLYGON
from ..lists import PARTS, ragged_of

__all__ = ["COCO_ID", "KEPT", "mask_lists", "polygon_lists", "whole"]

KEPT = {"parts": PARTS, "file_bbox": pa.list_(pa.float64()), "as_read": pa.int64()}
"""Columns that remember how a file wrote a label; see :mod:`hastyframe.io.coco`."""

COCO_ID = "coco_id"
"""The column of images and classes that has their numbers in a COCO file, where their ids are others."""


def mask_lists(column: pd.Series[Any]) -> list[list[int] | None]:
    """Run-lengths of every row as JSON has them."""
    runs, present = ragged_of(column, MASK)
    return [row if there else None for row, there in zip(runs.to_list(), present.tolist(), strict=True)]


def polygon_lists(column: pd.Series[Any]) -> list[list[list[float]] | None]:
    """Vertices of every row as JSON has them; whole coordinates as integers."""
    polygons, present = ragged_of(column, POLYGON)
    vertices = whole(polygons.values.reshape(-1, 2))
    ends = polygons.offsets.tolist()
    return [
        vertices[start:end] if there else None
        for start, end, there in zip(ends[:-1], ends[1:], present.tolist(), strict=True)
    ]


def whole(numbers: NDArray[np.float64]) -> list[Any]:
    """Make nested Python lists of an array, with integers where the numbers are whole."""
    if np.array_equal(numbers, np.rint(numbers)) and np.abs(numbers).max(initial=0) < 2**53:
        return numbers.astype(np.int64).tolist()
    rows = numbers.reshape(-1).tolist()
    mixed = [int(n) if n.is_integer() else n for n in rows]
    return mixed if numbers.ndim == 1 else [list(row) for row in zip(*[iter(mixed)] * numbers.shape[1], strict=True)]
