"""Rows of a labels frame as outlines that matplotlib draws."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.path import Path

from .. import masks
from ..bad_rows import naming_outlines
from ..frames import BOX
from ..lists import for_kernels
from ..painting import kinds

__all__ = ["boxes_of", "outlines"]


def outlines(labels: pd.DataFrame, *, as_boxes: bool = False) -> tuple[list[Path], np.ndarray[Any, Any]]:
    """Outline labels: the mask of one that has a mask, else its polygon, else its parts, else its box.

    A mask is followed along the edges of its pixels, which takes as long as it has runs, however large the picture.

    Parameters
    ----------
    labels : pandas.DataFrame
        Labels or predictions.
    as_boxes : bool
        Take the boxes of all that have one.

    Returns
    -------
    paths : list of matplotlib.path.Path
        One a label, in pixels of the image; holes run the other way than what they lie in.
    kind : numpy.ndarray of str, shape (n,)
        ``mask``, ``polygon``, ``parts``, ``box``, or ``nothing`` with an empty path.
    """
    complete = labels.reindex(columns=labels.columns.union(list(BOX)))
    kind = kinds(complete).to_numpy()
    boxes = complete[list(BOX)].to_numpy(dtype=float, na_value=np.nan)
    if as_boxes:
        kind = np.where(np.isnan(boxes).any(axis=1), kind, "box")
    found = [_NOTHING] * len(labels)
    for name in ("mask", "polygon", "parts", "box"):
        rows = np.flatnonzero(kind == name)
        if not len(rows):
            continue
        if name == "mask":
            shapes = masks.rle_to_polygon(for_kernels(labels["mask"].iloc[rows]), boxes[rows])
        elif name == "box":
            shapes = _rectangles(boxes[rows])
        else:
            with naming_outlines(labels):
                shapes = masks.as_polygons(for_kernels(labels[name].iloc[rows]))
        for row, path in zip(rows.tolist(), _paths(shapes), strict=True):
            found[row] = path
    return found, kind


def boxes_of(paths: list[Path]) -> np.ndarray[Any, Any]:
    """Bounds of paths, shape (n, 4); NaN for an empty one."""
    bounds = np.full((len(paths), 4), np.nan)
    for row, path in enumerate(paths):
        if len(path):
            vertices = np.asarray(path.vertices)
            bounds[row] = [*vertices.min(axis=0), *vertices.max(axis=0)]
    return bounds


_NOTHING = Path(np.empty((0, 2)))


def _rectangles(boxes: np.ndarray[Any, Any]) -> masks.Polygons:
    corners = boxes[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 2)
    return masks.Polygons(corners, np.arange(0, len(corners) + 1, 4), np.arange(len(boxes) + 1))


def _paths(shapes: masks.Polygons) -> list[Path]:
    """Close every ring with its first vertex, and cut the vertices into a path an object."""
    filled = np.diff(shapes.rings) > 0
    starts, ends = shapes.rings[:-1][filled], shapes.rings[1:][filled]
    vertices = np.insert(shapes.points, ends, shapes.points[starts], axis=0)
    codes = np.full(len(vertices), Path.LINETO, Path.code_type)
    added = np.arange(len(starts))
    codes[starts + added] = Path.MOVETO
    codes[ends + added] = Path.CLOSEPOLY
    cuts = shapes.point_offsets + np.append(0, np.cumsum(filled))[shapes.offsets]
    return [Path(vertices[start:end], codes[start:end]) for start, end in pairwise(cuts.tolist())]
