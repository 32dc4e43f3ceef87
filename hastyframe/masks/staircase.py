"""COCO's rule for the pixels of a polygon, in closed form.

``rleFrPoly`` in ``common/maskApi.c`` of the COCO API rounds the vertices to a grid five times as fine and walks along
the edges, a step at a time in their longer direction. Where the walk passes the centre line of a column of pixels, the
column changes at the height of the walk, rounded up to the next pixel centre. Here the steps that pass centre lines are
found without walking, in the same floating-point operations, so that each number is rounded the same way.

Between two centre lines the outline is taken to go along the side of the column. That makes it a staircase with a step
a column, which crosses rows of pixels where it goes up and down.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hastyframe.errors import ValidationException
from hastyframe.masks.filling import Crossings, passage
from hastyframe.masks.grids import Grid
from hastyframe.masks.polygon import Polygons, next_in_ring
from hastyframe.masks.ragged import where

__all__ = ["check_near", "staircases"]

SCALE = 5
"""Steps of the fine grid in a pixel."""

FARTHEST = 2**22
"""Vertices lie within this many pixels of the origin, so that the estimate of a step is off by less than a half."""

Points = tuple[NDArray[np.float64], NDArray[np.float64]]


def check_near(shapes: Polygons) -> None:
    """Refuse polygons with vertices too far away to find the steps of a walk without walking."""
    far = np.abs(shapes.points) > FARTHEST
    if far.any():
        at = int(np.argmax(far)) // 2
        raise ValidationException(
            f"polygon {where(shapes.point_offsets, at)[0]} has vertex {shapes.points[at].tolist()}, more than 2**22 "
            'pixels away, which is too far for rule="coco"; cut the outlines to the image with clip_polygons().'
        )


def staircases(shapes: Polygons, images: Grid) -> Crossings:
    """Where outlines cross rows of pixels by COCO's rule, ring by ring.

    Parameters
    ----------
    shapes : Polygons
        Objects whose vertices have passed :func:`check_near`.
    images : Grid
        The image of each object, with its corner at the origin.

    Examples
    --------
    >>> from hastyframe.masks import as_polygons
    >>> image = Grid(*np.array([[0], [0], [9], [9]]))
    >>> row, column, _ = staircases(as_polygons([[1, 1], [3, 1], [3, 3], [1, 3]]), image)
    >>> row.tolist(), column.tolist()
    ([1, 2, 2, 1], [3, 3, 1, 1])
    """
    x, y = np.trunc(SCALE * np.ascontiguousarray(shapes.points.T) + 0.5)
    path = passage(_pixel(x, images.width, shapes.point_offsets), shapes.rings)
    begin, end = path.begin, next_in_ring(shapes.rings)[path.begin]
    edge = path.along(np.arange(len(begin)))
    height = _heights(path.cells, edge, (x[begin], y[begin]), (x[end], y[end]))
    rings = path.offsets[shapes.rings]
    climb = passage(_pixel(height, images.height, path.offsets[shapes.point_offsets]), rings)
    side = path.cells + path.along((path.rise > 0).astype(np.int32))
    return Crossings(climb.cells, climb.along(side[climb.begin]), climb.offsets[rings])


def _pixel(values: NDArray[np.float64], most: NDArray[np.int64], offsets: NDArray[np.int64]) -> NDArray[np.int32]:
    """Find the first pixel, from 0 to `most`, whose centre does not lie before a place on the fine grid."""
    pixel = values.astype(np.int32)
    pixel += SCALE // 2
    pixel //= SCALE
    np.maximum(pixel, 0, out=pixel)
    return np.minimum(pixel, np.repeat(most.astype(np.int32), np.diff(offsets)), out=pixel)


def _heights(column: NDArray[np.int32], edge: NDArray[np.int64], begin: Points, end: Points) -> NDArray[np.float64]:
    """Heights on the fine grid at which walks pass the centre lines of columns.

    A walk passes the line between two steps; of their heights the smaller counts. A walk along an edge that is wider
    than high takes its steps on either side of the line. One that is higher than wide may take many before it passes
    the line: the nearest one is estimated, and where it takes the walk is computed as the walk does.

    Parameters
    ----------
    column : numpy.ndarray of int32, shape (m,)
        The columns.
    edge : numpy.ndarray of int64, shape (m,)
        The edge that passes each.
    begin, end : pair of numpy.ndarray of float64, shape (k,)
        The x and y of the ends of edges on the fine grid.
    """
    (x, y), (x_end, y_end) = begin, end
    wide, high = x_end - x, y_end - y
    steep = np.abs(high) > np.abs(wide)
    turned = np.where(steep, high, wide) < 0  # walks go to the right, or down where that is longer
    x, y = np.where(turned, x_end, x), np.where(turned, y_end, y)
    slope = np.where(steep, wide, high) / np.where(steep, high, wide)
    pace = np.where(steep, np.divide(1, slope, where=steep, out=np.ones_like(slope)), 1)
    delay = np.where(steep, 0.5 * pace, slope < 0) - x * pace
    before = SCALE * column + float(SCALE // 2)  # the last place on the fine grid before the line
    step = before * pace.take(edge)
    step += delay.take(edge)
    np.rint(step, out=step)
    walk = step * slope.take(edge)
    walk += np.where(steep, x, y).take(edge)
    walk += 0.5
    rows = np.flatnonzero(steep.take(edge))
    along = edge.take(rows)
    beyond = (walk.take(rows) >= before.take(rows) + 1) == (slope > 0).take(along)
    walk[rows] = step.take(rows) + y.take(along) - beyond
    return walk
