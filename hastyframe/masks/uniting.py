"""The area that overlapping rings cover together."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hastyframe.masks.blocks import cuts
from hastyframe.masks.polygon import Polygons, next_in_ring
from hastyframe.masks.ragged import offsets_of, segment, spread

__all__ = ["united_area"]

Floats = NDArray[np.float64]
Index = NDArray[np.int64]

_AT_ONCE = 2**20
"""Pairs of sides, or sides in strips, that are looked at together."""


class _Sides(NamedTuple):
    """Sides of rings that are not level, object after object."""

    begin: Floats
    end: Floats
    part: Index
    offsets: Index
    """Where the sides of each object begin."""


def united_area(shapes: Polygons, parts: Index | None = None) -> Floats:
    """Area inside at least one of the parts of each object.

    The plane is cut into strips at the heights of all vertices of an object and of all places where two of its sides
    cross. In a strip no side crosses another, so that what is covered is made of trapezoids, as wide as they are in its
    middle.

    Parameters
    ----------
    shapes : Polygons
        Objects of rings.
    parts : numpy.ndarray of int64, optional
        Where each part begins among the rings, and the end of the last: what lies in an odd number of a part's rings is
        in it. By default each ring is a part.

    Returns
    -------
    numpy.ndarray of float64, shape (n,)

    Examples
    --------
    >>> from hastyframe.masks.polygon import as_polygons
    >>> square = np.array([[0, 0], [4, 0], [4, 4], [0, 4.0]])
    >>> united_area(as_polygons([[square, square + 2], [square, square + 9]]))
    array([28., 32.])
    """
    sides = _sides_of(shapes, np.arange(len(shapes.rings)) if parts is None else parts)
    owner = np.repeat(np.arange(shapes.n), np.diff(sides.offsets))
    met, where = _crossings(sides, owner)
    begin, end = sides.begin[:, 1], sides.end[:, 1]
    heights, of, rank = _distinct(np.concatenate([owner, owner, met]), np.concatenate([begin, end, where]))
    count = len(begin)
    first, last = np.minimum(rank[:count], rank[count : 2 * count]), np.maximum(rank[:count], rank[count : 2 * count])
    area = np.zeros(max(len(heights) - 1, 0))
    for strips in _strips(first, last, len(heights)):
        area[strips] = _covered(sides, first, last, heights, strips)
    return np.bincount(of[: len(area)], area, shapes.n).astype(float)


def _sides_of(shapes: Polygons, parts: Index) -> _Sides:
    points, ends = shapes.points, shapes.points[next_in_ring(shapes.rings)]
    part = np.repeat(np.arange(len(parts) - 1), np.diff(shapes.rings[parts]))
    sloped = points[:, 1] != ends[:, 1]
    offsets = offsets_of(segment(np.add, sloped.astype(np.int64), shapes.point_offsets, 0))
    return _Sides(points[sloped], ends[sloped], part[sloped], offsets)


def _crossings(sides: _Sides, owner: Index) -> tuple[Index, Floats]:
    """Objects and heights at which two sides of an object cross."""
    after = sides.offsets[1:][owner] - np.arange(len(owner)) - 1
    low, high = np.minimum(sides.begin, sides.end), np.maximum(sides.begin, sides.end)
    found = [(np.empty(0, np.int64), np.empty(0))]
    for start, stop in pairwise(cuts(offsets_of(after), _AT_ONCE)):
        one = np.repeat(np.arange(start, stop), after[start:stop])
        other = spread(np.arange(start, stop) + 1, after[start:stop])
        near = np.ones(len(one), bool)
        for axis in (1, 0):
            near &= (low[one, axis] <= high[other, axis]) & (low[other, axis] <= high[one, axis])
        one, other = one[near], other[near]
        found.append((owner[one], _heights(sides, one, other)))
    owners, heights = (np.concatenate(part) for part in zip(*found, strict=True))
    cross = ~np.isnan(heights)
    return owners[cross], heights[cross]


def _heights(sides: _Sides, one: Index, other: Index) -> Floats:
    """Heights at which sides cross inside of both, NaN where they do not."""
    begin, facing = sides.begin[one], sides.begin[other]
    (wx, wy), (vx, vy), (gx, gy) = (sides.end[one] - begin).T, (sides.end[other] - facing).T, (facing - begin).T
    across = wx * vy - wy * vx
    with np.errstate(divide="ignore", invalid="ignore"):
        share, other_share = (gx * vy - gy * vx) / across, (gx * wy - gy * wx) / across
        met = (share > 0) & (share < 1) & (other_share > 0) & (other_share < 1)
        return np.where(met, begin[:, 1] + share * wy, np.nan)


def _distinct(owner: Index, height: Floats) -> tuple[Floats, Index, Index]:
    """Return the distinct heights of each object upwards, their objects, and of each given one its place among them."""
    order = np.lexsort([height, owner])
    new = np.ones(len(order), bool)
    new[1:] = (np.diff(owner[order]) != 0) | (np.diff(height[order]) != 0)
    rank = np.empty(len(order), np.int64)
    rank[order] = np.cumsum(new) - 1
    return height[order][new], owner[order][new], rank


def _strips(first: Index, last: Index, heights: int) -> Iterator[slice]:
    """Go through strips, of which each lies above one of the heights, some at a time, by how many sides pass them."""
    passing = np.bincount(first, minlength=heights) - np.bincount(last, minlength=heights)
    passing = np.cumsum(passing)[:-1]
    for start, stop in pairwise(cuts(offsets_of(passing), _AT_ONCE) if heights > 1 else []):
        yield slice(start, stop)


def _covered(sides: _Sides, first: Index, last: Index, heights: Floats, strips: slice) -> Floats:
    """Area that parts cover in each of some strips."""
    low, high = np.maximum(first, strips.start), np.minimum(last, strips.stop)
    here = np.flatnonzero(low < high)
    count = (high - low)[here]
    side, strip = np.repeat(here, count), spread(low[here], count)
    bottom, top = heights[strips], heights[strips.start + 1 : strips.stop + 1]
    middle = ((bottom + top) / 2)[strip - strips.start]
    (x0, y0), (x1, y1) = sides.begin[side].T, sides.end[side].T
    x = x0 + (middle - y0) * ((x1 - x0) / (y1 - y0))
    order = np.lexsort([x, strip])
    x, strip, part = x[order], strip[order] - strips.start, sides.part[side[order]]
    inside = np.cumsum(_enters(strip, part)) > 0
    width = np.where(inside[:-1], np.diff(x), 0.0)  # behind the last of a strip nothing is inside
    covered: Any = np.bincount(strip[:-1], width, len(bottom)) * (top - bottom)
    return covered


def _enters(strip: Index, part: Index) -> Index:
    """1 where a strip enters a part, and -1 where it leaves it, which are in turn."""
    order = np.lexsort([part, strip])
    new = np.ones(len(order), bool)
    new[1:] = (np.diff(strip[order]) != 0) | (np.diff(part[order]) != 0)
    place = np.arange(len(order)) - np.maximum.accumulate(np.where(new, np.arange(len(order)), 0))
    enters = np.empty(len(order), np.int64)
    enters[order] = 1 - 2 * (place % 2)
    return enters
