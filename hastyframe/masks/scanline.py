"""Polygons to run-lengths along scan lines, with no picture in between."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hastyframe.errors import ValidationException
from hastyframe.masks.blocks import cuts, in_threads, stacked
from hastyframe.masks.filling import Crossings, fill, passage
from hastyframe.masks.grids import FARTHEST, LARGEST, Grid, as_sizes
from hastyframe.masks.polygon import Polygons, as_polygons, bounds_of, next_in_ring
from hastyframe.masks.ragged import Ragged, offsets_of, segment_sum
from hastyframe.masks.staircase import check_near, staircases
from hastyframe.masks.toggles import within_memory

__all__ = ["polygon_to_rle"]

Rule = Literal["center", "coco"]
Column = NDArray[np.int64]

BLOCKS = 8
LEAST, MOST = 2**16, 2**19
"""Polygons are worked on in some blocks, so that threads end together. A block has so many crossings of scan lines:
enough for a thread to work on without asking for the interpreter, and few enough that the arrays stay in memory that
the allocator keeps."""


def polygon_to_rle(
    polygons: Any, image_sizes: ArrayLike | None = None, *, rule: Rule = "center"
) -> tuple[Ragged, NDArray[np.int64]]:
    """Hasty run-lengths and tight boxes of polygons.

    Parameters
    ----------
    polygons : Polygons, pair of arrays, Arrow list array, pandas.Series, or nested lists
        One object or many, each of one ring or several; see :func:`as_polygons`.
    image_sizes : array_like of shape (n, 2) or (2,), optional
        ``(height, width)`` of each object's image, or of all: what lies outside is cut off.
    rule : {"center", "coco"}
        Which pixels belong to a ring. ``"center"``: those whose centre lies inside; a centre on a left or upper edge
        is inside, on a right or lower one outside, so that rings that share an edge share no pixel. ``"coco"``: those
        that pycocotools paints, byte by byte, which needs `image_sizes`. In both, a ring that crosses itself has
        inside what it goes around an odd number of times. Several rings of an object are parts that unite, as in
        COCO, unless they are :class:`Outlines`: then those inside others are holes.

    Returns
    -------
    runs : Ragged of int32
        Hasty run-lengths inside the boxes.
    boxes : numpy.ndarray of int64, shape (n, 4)
        Tight boxes ``[x_min, y_min, x_max, y_max]``; zeros where no pixel belongs to the polygon.

    Raises
    ------
    ValidationException
        What :func:`as_polygons` refuses; a vertex more than 2**30 pixels away, with ``rule="coco"`` more than 2**22; a
        box of 2**31 pixels or more; polygons that cross more scan lines than memory should hold; ``rule="coco"``
        without `image_sizes`.

    Examples
    --------
    >>> runs, boxes = polygon_to_rle([[10, 10], [14, 10], [14, 12], [10, 12]])
    >>> runs.to_list(), boxes.tolist()
    ([[1, 8]], [[10, 10, 14, 12]])

    Rings are parts that unite, unless they are said to be holes:

    >>> rings = [[0, 0, 3, 0, 3, 3, 0, 3], [1, 1, 2, 1, 2, 2, 1, 2]]
    >>> polygon_to_rle(rings)[0].to_list(), polygon_to_rle(as_polygons(rings, holes=True))[0].to_list()
    ([[1, 9]], [[1, 4, 6, 4]])
    """
    blocks = polygon_blocks(polygons, image_sizes, rule=rule)
    return stacked([runs for runs, _ in blocks]), np.concatenate([boxes for _, boxes in blocks])


def polygon_blocks(
    polygons: Any, image_sizes: ArrayLike | None = None, *, rule: Rule = "center"
) -> list[tuple[Ragged, NDArray[np.int64]]]:
    """Do what :func:`polygon_to_rle` does, and return some objects at a time, in order, as they were painted."""
    shapes, images = _read(polygons, image_sizes, rule)
    try:
        return in_threads(lambda some: _paint(*some, rule), _blocks(shapes, images, rule))
    except ValidationException:
        _extent(shapes, images, rule)  # which names the polygon by its place among all
        raise


def polygon_extent(polygons: Any, image_sizes: ArrayLike | None = None, *, rule: Rule = "center") -> NDArray[np.int64]:
    """Boxes that :func:`polygon_to_rle` paints within, without painting.

    Parameters
    ----------
    polygons, image_sizes, rule
        As in :func:`polygon_to_rle`.

    Returns
    -------
    numpy.ndarray of int64, shape (n, 4)
        ``[x_min, y_min, x_max, y_max]``, no smaller than the tight boxes; without extent where nothing is painted.

    Raises
    ------
    ValidationException
        As :func:`polygon_to_rle`, but for polygons that cross more scan lines than memory should hold.

    Examples
    --------
    >>> polygon_extent([[10.2, 10], [14, 10], [14, 12], [10, 12]]).tolist()
    [[10, 10, 14, 12]]
    """
    return _extent(*_read(polygons, image_sizes, rule), rule).boxes


def _read(polygons: Any, image_sizes: ArrayLike | None, rule: Rule) -> tuple[Polygons, Grid]:
    """Polygons that can be painted by the rule, and their images."""
    shapes = as_polygons(polygons)
    if rule not in ("center", "coco"):
        raise ValidationException(f'rule is "center" or "coco", not {rule!r}.')
    if rule == "coco":
        if image_sizes is None:
            raise ValidationException('rule="coco" paints into the image: give image_sizes, rows (height, width).')
        check_near(shapes)
    return shapes, _images(shapes, image_sizes)


def _images(shapes: Polygons, image_sizes: ArrayLike | None) -> Grid:
    """Take the image of each object; without sizes, all of the plane that vertices may lie in."""
    if image_sizes is None:
        corner, side = np.full((2, shapes.n), [[-FARTHEST], [2 * FARTHEST]])
        return Grid(corner, corner, side, side)
    height, width = as_sizes(image_sizes, shapes.n)
    zero = np.zeros_like(height)
    return Grid(zero, zero, width, height)


def _extent(shapes: Polygons, images: Grid, rule: Rule) -> Grid:
    """Find where polygons may paint, and refuse boxes that are too large to count in."""
    margin = 0.5 if rule == "coco" else 0.0  # a polygon may paint as far outside its bounds
    bounds = bounds_of(shapes).T
    low, side = np.stack([images.x, images.y]), np.stack([images.width, images.height])
    begin, end = np.floor(bounds[:2] - margin), np.ceil(bounds[2:] + margin)
    corners, ends = (np.nan_to_num(np.clip(place, low, low + side)).astype(np.int64) for place in (begin, end))
    extent = Grid(*corners, *(ends - corners))
    large = extent.size > LARGEST
    if large.any():
        index = int(np.argmax(large))
        raise ValidationException(
            f"polygon {index} spans {extent.width[index]} by {extent.height[index]} pixels; Hasty counts in 32 bits. "
            "Give image_sizes to cut it."
        )
    return extent


def _blocks(shapes: Polygons, images: Grid, rule: Rule) -> Iterator[tuple[Polygons, Grid]]:
    """Go through some objects at a time, and their images."""
    points, rings, offsets = shapes
    axes = [(points[:, 1], images.y, images.height), (points[:, 0], images.x, images.width)]
    passed = reduce(np.add, in_threads(lambda axis: _passed(*axis, shapes), axes if rule == "coco" else axes[:1]))
    effort = offsets_of(segment_sum(passed, shapes.point_offsets))
    within_memory(int(effort[-1]), "Scanning the polygons")
    for first, last in pairwise(cuts(effort, min(MOST, max(LEAST, int(effort[-1]) // BLOCKS)))):
        ends = rings[offsets[first] : offsets[last] + 1]
        some = type(shapes)(points[ends[0] : ends[-1]], ends - ends[0], offsets[first : last + 1] - offsets[first])
        yield some, images.take(slice(first, last))


def _passed(values: NDArray[np.float64], low: Column, side: Column, shapes: Polygons) -> Column:
    """How many lines through pixel centres lie between each vertex and the next, on one axis."""
    line = _lines(values, low, side, shapes)
    return np.abs(line[next_in_ring(shapes.rings)] - line)


def _lines(values: NDArray[np.float64], low: Column, side: Column, shapes: Polygons) -> Column:
    """For each vertex the first line through pixel centres at or after it, cut to the image."""
    line = np.ceil(values - 0.5).astype(np.int64)
    return _clipped(line, low, side, np.diff(shapes.point_offsets))


def _clipped(values: NDArray[Any], low: Column, side: Column, count: Column) -> NDArray[Any]:
    kind = values.dtype
    np.maximum(values, np.repeat(low.astype(kind), count), out=values)
    return np.minimum(values, np.repeat((low + side).astype(kind), count), out=values)


def _paint(shapes: Polygons, images: Grid, rule: Rule) -> tuple[Ragged, NDArray[np.int64]]:
    crossings = (staircases if rule == "coco" else _scan)(shapes, images)
    if shapes.has_holes:  # all rings of an object are one outline
        return fill(crossings._replace(offsets=crossings.offsets[shapes.offsets]))
    return fill(crossings, shapes.offsets)


def _scan(shapes: Polygons, images: Grid) -> Crossings:
    """Where lines through the centres of rows cross outlines, ring by ring: the first pixel to the right of each.

    Every edge is followed from its upper end, so that two polygons that share it share its numbers.
    """
    x, y = np.ascontiguousarray(shapes.points.T)
    row, begin, rise, offsets = path = passage(_lines(y, images.y, images.height, shapes), shapes.rings)
    edge = path.along(np.arange(len(begin)))
    end = next_in_ring(shapes.rings)[begin]
    upper = np.where(rise > 0, begin, end)
    column = row + 0.5
    column -= y[upper].take(edge)
    column *= ((x[end] - x[begin]) / (y[end] - y[begin])).take(edge)
    column += x[upper].take(edge)
    column -= 0.5
    pixel = np.ceil(column, out=column).astype(np.int32)
    _clipped(pixel, images.x, images.width, np.diff(offsets[shapes.point_offsets]))
    crossings = Crossings(row, pixel, offsets[shapes.rings])
    _blunt(crossings)
    return crossings


def _blunt(crossings: Crossings) -> None:
    """Draw in tips without a pixel: what is crossed there and back at one place.

    Wherever both crossings are, they cancel each other. At the one before them they do not widen the object's box.
    """
    row, column, offsets = crossings
    same = row[1:] == row[:-1]
    same &= column[1:] == column[:-1]
    begins = np.zeros(len(row) + 1, bool)
    begins[offsets] = True
    same &= ~begins[:-2]  # there is one before them
    same &= ~begins[1:-1]  # and both are of one object
    tip = np.flatnonzero(same)
    tip = tip[np.diff(tip, prepend=-2) > 1]
    for values in (row, column):
        values[tip] = values[tip + 1] = values[tip - 1]
