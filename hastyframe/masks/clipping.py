"""Polygons cut to their images."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hastyframe.masks.grids import as_sizes
from hastyframe.masks.polygon import Polygons, as_polygons
from hastyframe.masks.ragged import offsets_of

__all__ = ["clip_polygons"]


def clip_polygons(polygons: Any, image_sizes: ArrayLike) -> Polygons:
    """Cut off what lies outside the image (Sutherland and Hodgman 1974), all rings at once.

    Parameters
    ----------
    polygons
        As :func:`as_polygons` takes them.
    image_sizes : array_like of shape (n, 2) or (2,)
        ``(height, width)`` of each object's image, or of all.

    Returns
    -------
    Polygons
        The rings inside. A ring that lies outside is gone; its object stays, if need be without rings. Parts of one
        ring that the border separates stay joined along it, which encloses the same pixels.

    Raises
    ------
    ValidationException
        What :func:`as_polygons` refuses.

    Examples
    --------
    >>> clip_polygons([[-2, 1], [2, 1], [2, 3], [-2, 3]], (4, 4)).to_list()[0][0]
    [[0.0, 1.0], [2.0, 1.0], [2.0, 3.0], [0.0, 3.0]]
    """
    shapes = as_polygons(polygons)
    height, width = as_sizes(image_sizes, shapes.n)
    owner = np.repeat(np.arange(shapes.n), np.diff(shapes.offsets))
    zero = np.zeros(len(owner))
    for axis, limit, sign in ((0, zero, 1), (0, width[owner], -1), (1, zero, 1), (1, height[owner], -1)):
        shapes = _half_plane(shapes, axis, limit, sign)
    return _without_remnants(shapes)


def _half_plane(shapes: Polygons, axis: int, limit: NDArray[Any], sign: int) -> Polygons:
    """Keep of each ring what lies on one side of a line along an axis."""
    points, rings, offsets = shapes
    ahead = np.arange(-1, len(points) - 1)
    filled = rings[1:] > rings[:-1]
    ahead[rings[:-1][filled]] = rings[1:][filled] - 1
    border = np.repeat(limit.astype(np.float64), np.diff(rings))
    inside = sign * (points[:, axis] - border) >= 0
    if inside.all():
        return shapes
    crosses = inside != inside[ahead]
    here, before = points, points[ahead]
    gap = np.where(crosses, here[:, axis] - before[:, axis], 1)
    share = (border - before[:, axis]) / gap
    met = before + share[:, None] * (here - before)
    met[:, axis] = border
    count = crosses.astype(np.int64) + inside
    slot = offsets_of(count)
    out = np.empty((int(slot[-1]), 2))
    out[slot[:-1][crosses]] = met[crosses]
    out[slot[1:][inside] - 1] = points[inside]
    return type(shapes)(out, slot[rings], offsets)


def _without_remnants(shapes: Polygons) -> Polygons:
    """Drop rings of fewer than three vertices."""
    points, rings, offsets = shapes
    size = np.diff(rings)
    kept = size >= 3
    before = offsets_of(kept)
    return type(shapes)(points[np.repeat(kept, size)], offsets_of(size[kept]), before[offsets])
