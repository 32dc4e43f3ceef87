"""Polygons to run-lengths along scan lines, with no picture in between."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hastyframe.errors import ValidationException
from hastyframe.masks.blocks import cuts, stacked
from hastyframe.masks.coco import from_coco_rle
from hastyframe.masks.grids import FARTHEST, LARGEST, Grid, as_sizes
from hastyframe.masks.polygon import Polygons, as_polygons, bounds_of, next_in_ring
from hastyframe.masks.ragged import Ragged, offsets_of, segment_sum, spread
from hastyframe.masks.toggles import MOST, cancel, take_apart, tighten, to_runs, within_memory

__all__ = ["polygon_to_rle"]


def polygon_to_rle(
    polygons: Any, image_sizes: ArrayLike | None = None, *, rule: Literal["center", "coco"] = "center"
) -> tuple[Ragged, NDArray[np.int64]]:
    """Hasty run-lengths and tight boxes of polygons.

    Parameters
    ----------
    polygons : Polygons, pair of arrays, Arrow list array, pandas.Series, or nested lists
        One object or many, each of one ring or several; see :func:`as_polygons`.
    image_sizes : array_like of shape (n, 2) or (2,), optional
        ``(height, width)`` of each object's image, or of all: what lies outside is cut off.
    rule : {"center", "coco"}
        Which pixels belong to a polygon. ``"center"``: those whose centre lies inside an odd number of the object's
        rings; a centre on a left or upper edge is inside, on a right or lower one outside, so that polygons that
        share an edge share no pixel. ``"coco"``: those that pycocotools paints, which needs `image_sizes`; the
        parts of an object are united and holes are not known.

    Returns
    -------
    runs : Ragged of int32
        Hasty run-lengths inside the boxes.
    boxes : numpy.ndarray of int64, shape (n, 4)
        Tight boxes ``[x_min, y_min, x_max, y_max]``; zeros where no pixel belongs to the polygon.

    Raises
    ------
    ValidationException
        What :func:`as_polygons` refuses; a vertex more than 2**30 pixels away; a box of 2**31 pixels or more;
        polygons that cross more scan lines than memory should hold; ``rule="coco"`` without `image_sizes`.

    Examples
    --------
    >>> runs, boxes = polygon_to_rle([[10, 10], [14, 10], [14, 12], [10, 12]])
    >>> runs.to_list(), boxes.tolist()
    ([[1, 8]], [[10, 10, 14, 12]])

    A ring inside another is a hole:

    >>> runs, boxes = polygon_to_rle([[0, 0, 3, 0, 3, 3, 0, 3], [1, 1, 2, 1, 2, 2, 1, 2]])
    >>> runs.to_list()
    [[1, 4, 6, 4]]
    """
    shapes = as_polygons(polygons)
    if rule == "coco":
        return _as_coco(shapes, image_sizes)
    if rule != "center":
        raise ValidationException(f'rule is "center" or "coco", not {rule!r}.')
    grid = _around(shapes, image_sizes)
    tight, box = tighten(_toggles(shapes, grid), grid)
    filled = (tight.lengths > 0).astype(np.int64)
    box = box._replace(x=box.x + grid.x * filled, y=box.y + grid.y * filled)
    return to_runs(tight), box.boxes


def _around(shapes: Polygons, image_sizes: ArrayLike | None) -> Grid:
    """Find the whole pixels around each object, cut to the image."""
    bounds = np.nan_to_num(bounds_of(shapes))
    low = np.floor(bounds[:, :2]).astype(np.int64).T
    high = np.ceil(bounds[:, 2:]).astype(np.int64).T
    if image_sizes is not None:
        height, width = as_sizes(image_sizes, shapes.n)
        limit = np.stack([width, height])
        low, high = np.clip(low, 0, limit), np.clip(high, 0, limit)
    grid = Grid(low[0], low[1], high[0] - low[0], high[1] - low[1])
    large = grid.size > LARGEST
    if large.any():
        index = int(np.argmax(large))
        raise ValidationException(
            f"polygon {index} spans {grid.width[index]} by {grid.height[index]} pixels; Hasty counts in 32 bits. "
            "Give image_sizes to cut it."
        )
    return grid


def _toggles(shapes: Polygons, grid: Grid) -> Ragged:
    """Toggles of all objects in their grids, some objects at a time."""
    owner = np.repeat(np.arange(shapes.n), np.diff(shapes.point_offsets))
    scan = np.ceil(shapes.points[:, 1] - 0.5).astype(np.int64)  # the first scan line at or below a vertex
    np.clip(scan, grid.y[owner], (grid.y + grid.height)[owner], out=scan)
    following = next_in_ring(shapes.rings)
    count = np.abs(scan[following] - scan)
    crossings = offsets_of(segment_sum(count, shapes.point_offsets))
    within_memory(int(crossings[-1]), "Scanning the polygons")
    crossed = np.flatnonzero(count)
    begin, end, owner = crossed, following[crossed], owner[crossed]
    turned = scan[begin] > scan[end]
    begin, end = np.where(turned, end, begin), np.where(turned, begin, end)
    edges = np.searchsorted(owner, np.arange(shapes.n + 1))
    parts = []
    for first, last in pairwise(cuts(crossings)):
        some = slice(edges[first], edges[last])
        parts.append(
            _cross(shapes.points, scan, begin[some], end[some], owner[some] - first, grid.take(slice(first, last)))
        )
    return stacked(parts)


def _cross(
    points: NDArray[np.float64],
    scan: NDArray[np.int64],
    begin: NDArray[np.int64],
    end: NDArray[np.int64],
    owner: NDArray[np.int64],
    grid: Grid,
) -> Ragged:
    """Where scan lines through the pixel centres cross edges that go down: the first pixel to the right of each."""
    x, y = points[begin].T
    far_x, far_y = points[end].T
    count = scan[end] - scan[begin]
    base = offsets_of(grid.size + 1)
    kind: Any = np.int32 if base[-1] <= LARGEST else np.int64  # what is short sorts faster

    def along(values: NDArray[Any]) -> NDArray[Any]:
        return np.repeat(values, count)

    step = spread(np.zeros(len(count), np.int64), count)
    column = step + along(scan[begin] + 0.5)
    column -= along(y)
    column *= along((far_x - x) / (far_y - y))
    column += along(x)
    column -= 0.5
    pixel = np.ceil(column, out=column).astype(kind)
    width = along(grid.width.astype(kind)[owner])
    pixel -= along(grid.x.astype(kind)[owner])
    np.maximum(pixel, 0, out=pixel)
    np.minimum(pixel, width, out=pixel)
    width *= step.astype(kind)
    pixel += width
    pixel += along((base[owner] + (scan[begin] - grid.y[owner]) * grid.width[owner]).astype(kind))
    pixel.sort(kind="stable")  # merges edges, each of which goes down in order
    return take_apart(cancel(pixel).astype(np.int64), base)


def _as_coco(shapes: Polygons, image_sizes: ArrayLike | None) -> tuple[Ragged, NDArray[np.int64]]:
    """Let pycocotools paint, object by object."""
    from pycocotools import mask as coco

    if image_sizes is None:
        raise ValidationException('rule="coco" paints into the image: give image_sizes, rows (height, width).')
    height, width = as_sizes(image_sizes, shapes.n)
    _check_outline(shapes)
    sizes = np.stack([height, width], axis=1).tolist()
    flat, rings, offsets = shapes.points.reshape(-1), (shapes.rings * 2).tolist(), shapes.offsets.tolist()
    rles = []
    for index, (rows, columns) in enumerate(sizes):
        first, last = offsets[index], offsets[index + 1]
        parts = [flat[rings[ring] : rings[ring + 1]].tolist() for ring in range(first, last)]
        painted = coco.frPyObjects(parts, rows, columns) if parts else []
        rles.append(coco.merge(painted) if parts else {"size": [rows, columns], "counts": [rows * columns]})
    return from_coco_rle(rles)


def _check_outline(shapes: Polygons) -> None:
    """Refuse outlines that pycocotools could not hold: it keeps five points a pixel of the longer side of each edge."""
    step = np.abs(np.diff(shapes.points, axis=0, append=shapes.points[:1])).max(axis=1, initial=0)
    if step.sum() > MOST / 5 or np.abs(shapes.points).max(initial=0) > FARTHEST / 8:
        raise ValidationException(
            f'The polygons\' outlines add up to {step.sum():,.0f} pixels, more than rule="coco" can walk along; '
            "cut them to the image with clip_polygons()."
        )
