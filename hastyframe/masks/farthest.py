"""The vertex farthest from a chord, of a long stretch of a ring, asked again and again for parts of it."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Part", "distances", "split_long"]

LONG = 512
"""Shorter parts are better measured whole, many at once."""
BLOCK = 64
"""Vertices whose hull stands for them."""

Part: TypeAlias = tuple[int, int, int]
"""Vertices `begin` to `end`, and the vertex that the chord from `begin` goes to."""


def distances(
    points: NDArray[np.float64], begin: NDArray[np.float64], chord: NDArray[np.float64]
) -> NDArray[np.float64]:
    """How far points lie from the straight lines that go from `begin` along `chord`.

    Parameters
    ----------
    points, begin, chord : numpy.ndarray
        Of shape (n, 2) or, where all are measured from one line, (2,).

    Examples
    --------
    >>> distances(np.array([[1.0, 2.0], [-3.0, 4.0]]), np.zeros(2), np.array([4.0, 0.0])).tolist()
    [2.0, 5.0]
    """
    length = np.maximum(chord[..., 0] * chord[..., 0] + chord[..., 1] * chord[..., 1], 1e-300)
    away = points - begin
    along = (away[:, 0] * chord[..., 0] + away[:, 1] * chord[..., 1]) / length
    away -= np.clip(along, 0, 1)[:, None] * chord
    return np.hypot(away[:, 0], away[:, 1])


def split_long(points: NDArray[np.float64], part: Part, tolerance: float) -> tuple[list[int], list[Part]]:
    """Split a long part at the vertex farthest from its chord, and what is left of it, until all is short or near.

    Where each split takes few vertices off, to measure all of the rest each time takes the square of their number.

    Returns
    -------
    splits : list of int
        Vertices.
    short : list of Part
        What is left, and may have to be split.
    """
    hulls = _Hulls(points, part)
    parts, splits, short = [part], [], []
    while parts:
        begin, end, wrap = parts.pop()
        if end - begin - 1 <= LONG:
            short.append((begin, end, wrap))
            continue
        split, distance = hulls.farthest(begin, end, wrap)
        if distance > tolerance:
            splits.append(split)
            parts += [(begin, split, split), (split, end, wrap)]
    return splits, short


class _Hulls:
    """Blocks of vertices and their convex hulls: a vertex of the hull is as far from any line as all of the block."""

    def __init__(self, points: NDArray[np.float64], part: Part) -> None:
        begin, end, _ = part
        self._points, self._first = points, begin + 1
        own = points[begin:end] - points[begin]
        # What rounding can do to a hull and to a distance; nothing is left out that is nearer to the greatest.
        self._slack = 1e-10 * float(np.abs(own).max())
        count = (end - self._first) // BLOCK
        hulls = [_hull(own[1 + block * BLOCK : 1 + (block + 1) * BLOCK]) for block in range(count)]
        self._starts = np.concatenate([[0], np.cumsum(list(map(len, hulls)))]).astype(np.int64)
        places = [self._first + block * BLOCK + np.array(hull) for block, hull in enumerate(hulls)]
        self._index = np.concatenate([np.empty(0, np.int64), *places])

    def farthest(self, begin: int, end: int, wrap: int) -> tuple[int, float]:
        """Give the first of the vertices between that is farthest from the chord, and how far it is."""
        low, high = -((self._first - begin - 1) // BLOCK), (end - self._first) // BLOCK
        origin, chord = self._points[begin], self._points[wrap] - self._points[begin]
        if high - low >= 4 and np.isfinite(self._slack):
            starts = self._starts[low:high]
            far = distances(self._points[self._index[starts[0] : self._starts[high]]], origin, chord)
            in_block = np.maximum.reduceat(far, starts - starts[0])
            near = low + np.flatnonzero(in_block >= in_block.max() - self._slack)
            blocks = self._first + (near[:, None] * BLOCK + np.arange(BLOCK)).reshape(-1)
            head = np.arange(begin + 1, self._first + low * BLOCK)
            whole = np.concatenate([head, blocks, np.arange(self._first + high * BLOCK, end)])
        else:
            whole = np.arange(begin + 1, end)
        far = distances(self._points[whole], origin, chord)
        at = int(far.argmax())
        return int(whole[at]), float(far[at])


def _hull(points: NDArray[np.float64]) -> list[int]:
    """Which points are on their convex hull (Andrew 1979)."""
    xs, ys = points[:, 0].tolist(), points[:, 1].tolist()
    order = np.lexsort(points.T[::-1]).tolist()
    found: set[int] = set()
    for way in (order, order[::-1]):
        chain: list[int] = []
        for at in way:
            while len(chain) > 1:
                a, b = chain[-2], chain[-1]
                if (xs[b] - xs[a]) * (ys[at] - ys[a]) - (ys[b] - ys[a]) * (xs[at] - xs[a]) > 0:
                    break
                chain.pop()
            chain.append(at)
        found.update(chain)
    return sorted(found)
