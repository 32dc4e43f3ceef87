"""What every source is brought to before it becomes a frame: a row an object, images and classes not yet looked up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from ..frames import POLYGON
from ..masks.ragged import offsets_of
from .masks import Shapes, no_masks

__all__ = ["TEXT", "Objects", "blank", "polygons_of", "unsaid", "without_shapes"]

TEXT = pa.large_string()


@dataclass
class Objects:
    """Objects of any source, a row each.

    Parameters
    ----------
    rows : sequence
        What a row is called in an error.
    image_id, image_name, class_id, class_name : pyarrow.Array of large_string
        Null where the source does not say. What may be either stands in both. An id of a class may be its number in the
        model.
    box : numpy.ndarray of float64, shape (n, 4)
        ``[x_min, y_min, x_max, y_max]`` in pixels, NaN where there is none.
    score : numpy.ndarray of float64
        NaN where there is none.
    polygon : pyarrow.Array
        One ring each, null where there is none.
    shapes : Shapes
        Masks.
    size : numpy.ndarray of float64, shape (n, 2)
        Height and width of the picture that a mask was made for, NaN where that is not said.
    more : dict
        Further columns.
    numbers : bool
        Whether ids of images and classes are those of a COCO file.
    in_pixels : bool
        Whether the source is known to have pixels, or brought to them already.
    """

    rows: Sequence[Any] | pd.Index[Any]
    image_id: pa.Array
    image_name: pa.Array
    class_id: pa.Array
    class_name: pa.Array
    box: NDArray[np.float64]
    score: NDArray[np.float64]
    polygon: pa.Array
    shapes: Shapes
    size: NDArray[np.float64]
    more: dict[str, Any] = field(default_factory=dict)
    numbers: bool = False
    in_pixels: bool = False

    def __len__(self) -> int:
        return len(self.rows)


def blank(rows: Sequence[Any] | pd.Index[Any]) -> Objects:
    """Return objects of which nothing is known yet."""
    count = len(rows)
    nothing = unsaid(count)
    return Objects(
        rows,
        nothing,
        nothing,
        nothing,
        nothing,
        np.full((count, 4), np.nan),
        np.full(count, np.nan),
        pa.nulls(count, POLYGON),
        no_masks(count),
        np.full((count, 2), np.nan),
    )


def without_shapes(objects: Objects) -> Objects:
    """Return objects as their boxes alone."""
    count = len(objects)
    return replace(objects, polygon=pa.nulls(count, POLYGON), shapes=no_masks(count))


def unsaid(count: int) -> pa.Array:
    """Return ids or names of which none is said."""
    return pa.nulls(count, TEXT)


def polygons_of(rings: list[NDArray[np.float64] | None]) -> pa.Array:
    """Make a column of polygons of arrays of vertices, shape (k, 2); those of fewer than three are none.

    Examples
    --------
    >>> polygons_of([np.array([[0, 0], [4, 0], [4, 4]]), None]).to_pylist()
    [[[0.0, 0.0], [4.0, 0.0], [4.0, 4.0]], None]
    """
    there = np.array([ring is not None and len(ring) > 2 for ring in rings], bool)
    kept = [np.asarray(ring, np.float64).reshape(-1, 2) for ring, here in zip(rings, there, strict=True) if here]
    lengths = np.zeros(len(rings), np.int64)
    lengths[there] = [len(ring) for ring in kept]
    points = np.concatenate([*kept, np.empty((0, 2))]).reshape(-1)
    vertices = pa.FixedSizeListArray.from_arrays(pa.array(points), 2)
    mask = None if there.all() else pa.array(~there)
    return pa.ListArray.from_arrays(offsets_of(lengths).astype(np.int32), vertices, mask=mask).cast(POLYGON)
