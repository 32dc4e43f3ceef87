"""Polygons with fewer vertices."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hastyframe.errors import ValidationException
from hastyframe.masks.farthest import Part, distances, split_long
from hastyframe.masks.polygon import Polygons, as_polygons
from hastyframe.masks.ragged import offsets_of, segment, spread

__all__ = ["simplify"]

LEVELS = 40
"""So often all parts are split at once. A ring whose parts are about halves of each other is done by then."""


def simplify(polygons: Any, tolerance: float) -> Polygons:
    """Leave out vertices that hardly matter (Douglas and Peucker 1973), all rings at once.

    Parameters
    ----------
    polygons
        As :func:`as_polygons` takes them.
    tolerance : float
        Every vertex left out lies within this distance, in pixels, of the side that takes its place.

    Returns
    -------
    Polygons
        The same rings; one that would keep fewer than three vertices stays as it is.

    Raises
    ------
    ValidationException
        What :func:`as_polygons` refuses, a tolerance below 0.

    Examples
    --------
    >>> simplify([[0, 0], [2, 0.1], [4, 0], [4, 4], [0, 4]], 0.5).to_list()[0][0]
    [[0.0, 0.0], [4.0, 0.0], [4.0, 4.0], [0.0, 4.0]]
    """
    if not tolerance >= 0:
        raise ValidationException(f"The tolerance is a distance in pixels, 0 or more; got {tolerance}.")
    return simplified(as_polygons(polygons), tolerance)


def simplified(shapes: Polygons, tolerance: float) -> Polygons:
    """Simplify polygons that are known to be good."""
    points, rings, offsets = shapes
    size = np.diff(rings)
    kept = np.zeros(len(points), bool)
    far = _farthest(points, rings)
    kept[rings[:-1]] = True
    kept[far] = True
    begin = np.concatenate([rings[:-1], far])
    end = np.concatenate([far, rings[1:]])
    wrap = np.concatenate([far, rings[:-1]])  # the end of a ring is its begin
    levels = 0
    while len(begin):
        levels += 1
        if levels == LEVELS:  # the parts are not halves of each other, as they are in most rings
            splits, (begin, end, wrap) = _split_long(points, begin, end, wrap, tolerance)
            kept[splits] = True
        split, distance = _worst(points, begin, end, wrap)
        bad = distance > tolerance
        begin, split, end, wrap = begin[bad], split[bad], end[bad], wrap[bad]
        kept[split] = True
        begin, end, wrap = np.concatenate([begin, split]), np.concatenate([split, end]), np.concatenate([split, wrap])
    left = segment(np.add, kept.astype(np.int64), rings, 0)
    kept |= np.repeat(left < 3, size)
    return type(shapes)(points[kept], np.concatenate([[0], np.cumsum(kept)])[rings], offsets)


def _farthest(points: NDArray[np.float64], rings: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each ring the vertex farthest from its first."""
    away = points - np.repeat(points[rings[:-1]], np.diff(rings), axis=0)
    return _first_greatest(np.hypot(away[:, 0], away[:, 1]), rings, np.arange(len(points)))[0]


def _first_greatest(
    values: NDArray[np.float64], offsets: NDArray[np.int64], index: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """For each row, the index of its greatest value and that value; rows are not empty."""
    greatest = segment(np.maximum, values, offsets, 0.0, np.float64)
    is_it = np.flatnonzero(values == np.repeat(greatest, np.diff(offsets)))
    return index[is_it[np.searchsorted(is_it, offsets[:-1])]], greatest


def _worst(
    points: NDArray[np.float64],
    begin: NDArray[np.int64],
    end: NDArray[np.int64],
    wrap: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Of the vertices between `begin` and `end`, the one farthest from the straight line, and how far it is."""
    between = np.maximum(end - begin - 1, 0)
    some = between > 0
    split, distance = begin.copy(), np.zeros(len(begin))
    if not some.any():
        return split, distance
    begin, wrap, between = begin[some], wrap[some], between[some]
    offsets = offsets_of(between)
    index = spread(begin + 1, between, offsets)
    chord = np.repeat(points[wrap] - points[begin], between, axis=0)
    far = distances(points[index], np.repeat(points[begin], between, axis=0), chord)
    split[some], distance[some] = _first_greatest(far, offsets, index)
    return split, distance


def _split_long(
    points: NDArray[np.float64],
    begin: NDArray[np.int64],
    end: NDArray[np.int64],
    wrap: NDArray[np.int64],
    tolerance: float,
) -> tuple[list[int], NDArray[np.int64]]:
    """Split the long ones of many parts until they are short; give the splits, and the parts there are then."""
    splits: list[int] = []
    parts: list[Part] = []
    for part in zip(begin.tolist(), end.tolist(), wrap.tolist(), strict=True):
        found, short = split_long(points, part, tolerance)
        splits += found
        parts += short
    return splits, np.array(parts, np.int64).reshape(-1, 3).T
