"""The area of polygons: of parts that unite, and of outlines with holes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hastyframe.masks.polygon import Polygons, as_polygons, bounds_of, next_in_ring
from hastyframe.masks.ragged import offsets_of, segment, spread
from hastyframe.masks.toggles import within_memory
from hastyframe.masks.uniting import united_area

__all__ = ["polygon_area"]

Index = NDArray[np.int64]


def polygon_area(polygons: Any) -> NDArray[np.float64]:
    """Area of polygons, in square pixels.

    Parameters
    ----------
    polygons
        As :func:`as_polygons` takes them.

    Returns
    -------
    numpy.ndarray of float64, shape (n,)
        By the shoelace formula, whichever way a ring runs. Parts unite: what two of them cover counts once. Of
        :class:`Outlines` a ring inside an odd number of others is a hole and takes its area away. Rings are taken not
        to cross themselves, and those of outlines not each other.

    Raises
    ------
    ValidationException
        As :func:`as_polygons`.

    Examples
    --------
    >>> polygon_area([[0, 0, 4, 0, 4, 4, 0, 4], [2, 0, 6, 0, 6, 4, 2, 4]])
    array([24.])
    """
    shapes = as_polygons(polygons)
    following = next_in_ring(shapes.rings)
    first = np.repeat(shapes.points[shapes.rings[:-1]], np.diff(shapes.rings), axis=0)
    x, y = (shapes.points - first).T  # from the ring's own first vertex: no digits are lost far from the origin
    area = np.abs(segment(np.add, x * y[following] - x[following] * y, shapes.rings, 0.0, np.float64)) / 2
    if shapes.has_holes:
        return segment(np.add, np.where(_is_hole(shapes), -area, area), shapes.offsets, 0.0, np.float64)
    total = segment(np.add, area, shapes.offsets, 0.0, np.float64)
    some = _with_overlaps(shapes)
    if len(some):
        total[some] = united_area(_taken(shapes, some))
    return total


def _with_overlaps(shapes: Polygons) -> Index:
    """Objects of which two rings overlap, or touch."""
    some = _with_near_boxes(shapes)
    return some[_overlap(_taken(shapes, some))] if len(some) else some


def _with_near_boxes(shapes: Polygons) -> Index:
    """Objects of which the bounds of two rings overlap or touch, or are no farther apart than rounding may say."""
    one, other = _pairs(shapes.offsets)
    if not len(one):
        return one
    boxes = _boxes(shapes)
    apart = np.maximum(boxes[one, :2], boxes[other, :2]) - np.minimum(boxes[one, 2:], boxes[other, 2:])
    near = (apart <= _MARGIN * np.abs(boxes).max()).all(axis=1)
    found = np.zeros(len(boxes), bool)
    found[one[near]] = True
    return np.flatnonzero(segment(np.add, found.astype(np.int64), shapes.offsets, 0))


def _taken(shapes: Polygons, objects: Index) -> Polygons:
    """Return some of the objects."""
    points, rings, offsets = shapes
    many = np.diff(offsets)[objects]
    kept = spread(offsets[:-1][objects], many)
    length = np.diff(rings)[kept]
    return Polygons(points[spread(rings[:-1][kept], length)], offsets_of(length), offsets_of(many))


def _overlap(shapes: Polygons) -> Index:
    """Objects of which two rings overlap, or touch, among objects whose rings are near to each other."""
    one, other = _pairs(shapes.offsets)
    boxes = _boxes(shapes)
    low, high = np.maximum(boxes[one, :2], boxes[other, :2]), np.minimum(boxes[one, 2:], boxes[other, 2:])
    near = (low <= high).all(axis=1)
    one, other, box = one[near], other[near], np.concatenate([low, high], axis=1)[near]
    found = np.zeros(len(shapes.rings) - 1, bool)
    found[one[_meet(shapes, one, other, box)]] = True
    found |= _is_hole(shapes)
    return np.flatnonzero(segment(np.add, found.astype(np.int64), shapes.offsets, 0))


def _boxes(shapes: Polygons) -> NDArray[np.float64]:
    """Bounds of each ring."""
    return bounds_of(Polygons(shapes.points, shapes.rings, np.arange(len(shapes.rings))))


_MARGIN = 1e-9


def _holds(boxes: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell of points whether they may lie inside of a ring with these bounds, each of its own.

    To the left and right with a margin, beyond which no rounding says that a side is on the other side of the point.
    """
    (x, y), (left, top, right, bottom) = points.T, boxes.T
    wider = _MARGIN * np.maximum(np.maximum(np.abs(left), np.abs(right)), np.abs(x))
    found: NDArray[np.bool_] = (top <= y) & (y <= bottom) & (left - wider <= x) & (x <= right + wider)
    return found


def _pairs(offsets: Index) -> tuple[Index, Index]:
    """Each two rings of an object, the earlier one first."""
    siblings = np.diff(offsets)
    after = offsets[1:].repeat(siblings) - np.arange(offsets[-1]) - 1
    within_memory(int(after.sum()), "Comparing the parts of polygons")
    one = np.repeat(np.arange(len(after)), after)
    return one, spread(np.arange(len(after)) + 1, after)


def _meet(shapes: Polygons, one: Index, other: Index, box: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell of pairs of rings whether a side of one meets a side of the other."""
    following = next_in_ring(shapes.rings)
    (side, ends), (facing, facing_ends) = (_sides_in(shapes, following, rings, box) for rings in (one, other))
    count, facing_count = np.diff(ends), np.diff(facing_ends)
    each = np.repeat(facing_count, count)
    within_memory(int(each.sum()), "Comparing the sides of polygons")
    first = np.repeat(side, each)
    second = facing[spread(np.repeat(facing_ends[:-1], count), each)]
    begin, way = shapes.points[first], shapes.points[following[first]] - shapes.points[first]
    gap, ways = shapes.points[second] - begin, shapes.points[following[second]] - shapes.points[second]
    across: Any = _cross(way, ways)
    share, facing_share = _cross(gap, ways) * np.sign(across), _cross(gap, way) * np.sign(across)
    met = (across != 0) & (share >= 0) & (facing_share >= 0) & (np.maximum(share, facing_share) <= np.abs(across))
    return segment(np.add, np.asarray(met, np.int64), offsets_of(count * facing_count), 0) > 0


def _cross(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    return one[:, 0] * other[:, 1] - one[:, 1] * other[:, 0]


def _sides_in(shapes: Polygons, following: Index, rings: Index, box: NDArray[np.float64]) -> tuple[Index, Index]:
    """Sides of rings that reach into a box each, by the vertex that they begin at, and where those of each begin."""
    count = np.diff(shapes.rings)[rings]
    side = spread(shapes.rings[rings], count)
    begin, end, within = shapes.points[side], shapes.points[following[side]], np.repeat(box, count, axis=0)
    reaches = (np.minimum(begin, end) <= within[:, 2:]) & (np.maximum(begin, end) >= within[:, :2])
    kept = np.logical_and(reaches[:, 0], reaches[:, 1])
    return side[kept], offsets_of(segment(np.add, kept.astype(np.int64), offsets_of(count), 0))


def _is_hole(shapes: Polygons) -> NDArray[np.bool_]:
    """Which rings lie inside an odd number of the other rings of their object.

    Asked of the middle of a ring's first side: rings may share vertices, sides hardly ever.
    """
    points, rings, offsets = shapes
    siblings = np.diff(offsets)
    each = np.repeat(siblings, siblings)
    within_memory(int(each.sum()), "Telling holes from parts")
    one = np.repeat(np.arange(len(each)), each)
    other = spread(np.repeat(offsets[:-1], siblings), each)
    middle = (points[rings[:-1]] + points[rings[:-1] + 1]) / 2 if len(points) else points
    boxes = _boxes(shapes)
    near = (one != other) & _holds(boxes[other], middle[one])
    one, other = one[near], other[near]
    size = np.diff(rings)[other]
    within_memory(int(size.sum()), "Telling holes from parts")
    vertex = spread(rings[other], size)
    pair = np.repeat(one, size)
    (px, py), (x0, y0), (x1, y1) = middle[pair].T, points[vertex].T, points[next_in_ring(rings)[vertex]].T
    spans = (y0 <= py) != (y1 <= py)
    slope = np.divide(x1 - x0, y1 - y0, out=np.zeros_like(x0), where=spans)
    beyond = spans & (px >= x0 + (py - y0) * slope)
    inside = segment(np.add, beyond, offsets_of(size), 0) % 2
    return np.bincount(one, inside, len(each)) % 2 == 1
