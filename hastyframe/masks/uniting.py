"""The area that overlapping rings cover together."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["united_area"]

Floats = NDArray[np.float64]


def united_area(rings: list[Floats]) -> float:
    """Area inside at least one of several rings.

    The plane is cut into strips at the heights of all vertices and of all places where two sides cross. In a strip no
    side crosses another, so that what is covered is made of trapezoids, as wide as they are in its middle.

    Parameters
    ----------
    rings : list of numpy.ndarray of float64, shape (k, 2)
        Vertices ``[x, y]``.

    Examples
    --------
    >>> square = np.array([[0, 0], [4, 0], [4, 4], [0, 4.0]])
    >>> united_area([square, square + 2])
    28.0
    """
    begin, end = np.concatenate(rings), np.concatenate([np.roll(ring, -1, axis=0) for ring in rings])
    ring = np.repeat(np.arange(len(rings)), [len(each) for each in rings])
    level = begin[:, 1] != end[:, 1]
    begin, end, ring = begin[level], end[level], ring[level]
    heights = np.unique(np.concatenate([begin[:, 1], end[:, 1], *_crossings(begin, end)]))
    low, high = np.minimum(begin[:, 1], end[:, 1]), np.maximum(begin[:, 1], end[:, 1])
    slope = (end[:, 0] - begin[:, 0]) / (end[:, 1] - begin[:, 1])
    total = 0.0
    for bottom, top in pairwise(heights.tolist()):
        middle = (bottom + top) / 2
        passed = np.flatnonzero((low <= middle) & (middle < high))
        x = begin[passed, 0] + (middle - begin[passed, 1]) * slope[passed]
        order = np.argsort(x, kind="stable")
        total += _covered(x[order], ring[passed[order]]) * (top - bottom)
    return total


def _crossings(begin: Floats, end: Floats) -> list[Floats]:
    """Heights at which sides cross, a side at a time with all behind it."""
    way = end - begin
    return [_met(begin[at], way[at], begin[at + 1 :], way[at + 1 :]) for at in range(len(begin) - 1)]


def _met(begin: Floats, way: Floats, others: Floats, ways: Floats) -> Floats:
    across: Any = way[0] * ways[:, 1] - way[1] * ways[:, 0]
    askew = across != 0
    gap, across = (others - begin)[askew], across[askew]
    share = (gap[:, 0] * ways[askew, 1] - gap[:, 1] * ways[askew, 0]) / across
    other = (gap[:, 0] * way[1] - gap[:, 1] * way[0]) / across
    met = (share > 0) & (share < 1) & (other > 0) & (other < 1)
    heights: Floats = begin[1] + share[met] * way[1]
    return heights


def _covered(x: Floats, ring: NDArray[np.int64]) -> float:
    """How much of a line lies inside of a ring, which a ring's crossings enter and leave in turn."""
    inside = np.zeros(len(x), bool)
    for each in np.unique(ring):
        inside |= np.cumsum(ring == each) % 2 == 1
    return float(np.diff(x)[inside[:-1]].sum())
