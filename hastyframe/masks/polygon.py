"""Polygons as flat points, rings and objects, from whatever holds them."""

from __future__ import annotations

import math
import struct
from itertools import chain, pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hastyframe.errors import ValidationException
from hastyframe.masks.grids import FARTHEST
from hastyframe.masks.ragged import Ragged, arrow_of, arrow_offsets, as_list, offsets_of, segment, where

__all__ = ["Outlines", "Polygons", "as_polygons", "polygon_bounds"]


class Polygons(NamedTuple):
    """Objects made of rings, in three arrays.

    Object ``i`` has the rings ``offsets[i]`` to ``offsets[i + 1]``, ring ``r`` the points ``rings[r]`` to
    ``rings[r + 1]``. They are parts that unite, as in COCO: what two of them cover belongs to the object as well.

    Parameters
    ----------
    points : numpy.ndarray of float64, shape (m, 2)
        Vertices ``[x, y]`` in pixels; pixel (0, 0) covers 0 to 1 on both axes.
    rings : numpy.ndarray of int64
        Where each ring begins in `points`, and the end of the last.
    offsets : numpy.ndarray of int64, shape (n + 1,)
        Where each object begins in `rings`, and the end of the last.

    Examples
    --------
    >>> shapes = as_polygons([[[0, 0], [4, 0], [4, 4]], [[1, 1], [2, 1], [2, 2], [1, 2]]])
    >>> shapes.n, shapes.rings.tolist(), shapes.offsets.tolist()
    (2, [0, 3, 7], [0, 1, 2])
    """

    points: NDArray[np.float64]
    rings: NDArray[np.int64]
    offsets: NDArray[np.int64]

    @property
    def n(self) -> int:
        """The number of objects."""
        return len(self.offsets) - 1

    @property
    def point_offsets(self) -> NDArray[np.int64]:
        """Where each object begins in `points`, shape (n + 1,)."""
        return self.rings[self.offsets]

    @property
    def has_holes(self) -> bool:
        """Whether rings inside others are holes; see :class:`Outlines`."""
        return isinstance(self, Outlines)

    def to_list(self) -> list[list[list[list[float]]]]:
        """Every object as a list of rings of ``[x, y]``, ready for JSON.

        Examples
        --------
        >>> as_polygons([[0, 0, 4, 0, 4, 4]]).to_list()
        [[[[0.0, 0.0], [4.0, 0.0], [4.0, 4.0]]]]
        """
        points, rings, offsets = self.points.tolist(), self.rings.tolist(), self.offsets.tolist()
        parts = [points[start:end] for start, end in pairwise(rings)]
        return [parts[start:end] for start, end in pairwise(offsets)]

    def to_arrow(self) -> Any:
        """Build an Arrow list of rings, each a list of fixed-size lists of two doubles (GeoArrow's interleaved layout).

        Examples
        --------
        >>> len(as_polygons([[0, 0, 4, 0, 4, 4]]).to_arrow())
        1
        """
        import pyarrow as pa

        points = pa.FixedSizeListArray.from_arrays(pa.array(self.points.reshape(-1)), 2)
        rings = pa.ListArray.from_arrays(pa.array(self.rings.astype(np.int32)), points)
        return pa.ListArray.from_arrays(pa.array(self.offsets.astype(np.int32)), rings)


class Outlines(Polygons):
    """Polygons of which rings inside others are holes: what lies inside an odd number of rings belongs to the object.

    Examples
    --------
    >>> rings = [[0, 0, 4, 0, 4, 4, 0, 4], [1, 1, 2, 1, 2, 2, 1, 2]]
    >>> from hastyframe.masks import polygon_area
    >>> polygon_area(rings), polygon_area(as_polygons(rings, holes=True))
    (array([16.]), array([15.]))
    """

    __slots__ = ()


def as_polygons(polygons: Any, *, holes: bool = False) -> Polygons:
    """Read polygons from whatever holds them.

    Parameters
    ----------
    polygons : Polygons, Ragged, pair of arrays, Arrow list array, pandas.Series, or nested lists
        Flat: a `Polygons`, or ``(points, offsets)`` with one ring an object, points of shape (m, 2). A column: an
        Arrow list of points (one ring an object) or a list of rings; null is an object without rings. Nested
        lists: ``[[x, y], …]`` is one object of one ring, ``[[x0, y0, x1, y1, …], …]`` one object in COCO's manner, a
        list of either, or of lists of rings of ``[x, y]``, is many objects.
    holes : bool, default False
        Whether rings inside others are holes. By default they are parts like others, except those of
        :class:`Outlines`, which stay what they are.

    Returns
    -------
    Polygons
        With holes, :class:`Outlines`.

    Raises
    ------
    ValidationException
        A ring of one or two points, an odd count of numbers, a coordinate that is NaN or beyond 2**30, a wrong
        nesting. The message names the object.

    Examples
    --------
    >>> as_polygons([[[0, 0, 4, 0, 4, 4], [8, 8, 9, 8, 9, 9]]]).rings.tolist()
    [0, 3, 6]
    """
    return _checked(_read(polygons), holes)


def polygon_bounds(polygons: Any) -> NDArray[np.float64]:
    """Smallest boxes around polygons.

    Parameters
    ----------
    polygons
        As :func:`as_polygons` takes them.

    Returns
    -------
    numpy.ndarray of float64, shape (n, 4)
        ``[x_min, y_min, x_max, y_max]``, not rounded; NaN for an object without points.

    Raises
    ------
    ValidationException
        As :func:`as_polygons`.

    Examples
    --------
    >>> polygon_bounds([[0.5, 0.0], [4.0, 1.0], [4.0, 4.5]]).tolist()
    [[0.5, 0.0, 4.0, 4.5]]
    """
    return bounds_of(as_polygons(polygons))


def bounds_of(shapes: Polygons) -> NDArray[np.float64]:
    """Smallest boxes around polygons that have been checked."""
    x, y = np.ascontiguousarray(shapes.points.T)  # without gaps they are read faster
    offsets = shapes.point_offsets
    columns = [(np.minimum, x), (np.minimum, y), (np.maximum, x), (np.maximum, y)]
    return np.stack([segment(ufunc, values, offsets, np.nan, np.float64) for ufunc, values in columns], axis=1)


def next_in_ring(rings: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each vertex the one after it, round and round."""
    following = np.arange(1, int(rings[-1]) + 1)
    filled = rings[1:] > rings[:-1]
    following[rings[1:][filled] - 1] = rings[:-1][filled]
    return following


def _read(polygons: Any) -> Polygons:
    if isinstance(polygons, Polygons):
        return polygons
    if isinstance(polygons, Ragged) or (
        isinstance(polygons, tuple) and len(polygons) == 2 and all(isinstance(part, np.ndarray) for part in polygons)
    ):
        points, rings = (np.asarray(part) for part in polygons)
        rings = rings.astype(np.int64) // (2 if points.ndim == 1 else 1)
        return Polygons(_points(points), rings, np.arange(len(rings)))
    if (column := arrow_of(polygons)) is not None:
        return _from_arrow(column)
    return _from_lists(as_list(polygons, "polygons"))


def _points(values: ArrayLike) -> NDArray[np.float64]:
    if isinstance(values, list):
        values = _packed(values)
    try:
        return np.asarray(values, dtype=np.float64).reshape(-1, 2)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValidationException(f"Polygons are made of pairs of numbers x, y: {error}") from error


def _packed(numbers: list[Any]) -> ArrayLike:
    """Turn a list of Python numbers into an array, in less than half of the time that NumPy takes for that."""
    buffer = bytearray(8 * len(numbers))
    try:
        struct.pack_into(f"={len(numbers)}d", buffer, 0, *numbers)
    except (struct.error, TypeError, OverflowError):  # something is not a number: NumPy says what
        return numbers
    return np.frombuffer(buffer)


def _from_arrow(column: Any) -> Polygons:
    import pyarrow as pa

    levels = []
    while pa.types.is_nested(column.type) and not pa.types.is_struct(column.type):
        column, offsets = arrow_offsets(column)
        levels.append(offsets)
    if pa.types.is_null(column.type) and not levels:
        return Polygons(np.empty((0, 2)), np.zeros(1, np.int64), np.zeros(len(column) + 1, np.int64))
    if not 1 <= len(levels) <= 4 or column.null_count:
        raise ValidationException(
            f"A polygon column is a list of [x, y] pairs or of rings of them, without nulls inside; got {column.type}."
        )
    if len(levels) > 1 and (np.diff(levels[-1]) == 2).all():
        levels.pop()  # the pairs
    else:
        levels[-1] = _halved(levels)
    points = _points(column.to_numpy(zero_copy_only=False))
    if len(levels) == 1:
        return _one_ring_each(points, levels[0])
    if len(levels) == 3:
        return _of_parts(points, *levels[::-1])
    return Polygons(points, levels[1], levels[0])


def _halved(levels: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Offsets of points from offsets of numbers."""
    odd = levels[-1] % 2 == 1
    if odd.any():
        ring = int(np.argmax(odd)) - 1
        index = ring if len(levels) == 1 else where(levels[0], ring)[0]
        raise ValidationException(f"polygon {index} has an odd count of numbers; a vertex is x and y.")
    return levels[-1] // 2


def _of_parts(
    points: NDArray[np.float64], rings: NDArray[np.int64], parts: NDArray[np.int64], offsets: NDArray[np.int64]
) -> Polygons:
    """Objects of a column of polygons: of parts of one ring each, or of one part each."""
    holes = np.diff(parts) != 1
    if not holes.any():
        return Polygons(points, rings, offsets)
    several = np.diff(offsets) > 1
    if several.any():
        raise ValidationException(
            f"polygon {int(np.argmax(several))} has several parts, and some have holes; take them apart, or as a mask."
        )
    return Outlines(points, rings, parts[offsets])


def _one_ring_each(points: NDArray[np.float64], ends: NDArray[np.int64]) -> Polygons:
    """Objects of one ring; of none where there are no points."""
    filled = ends[1:] > ends[:-1]
    return Polygons(points, np.concatenate([[0], ends[1:][filled]]), offsets_of(filled))


def _from_lists(items: list[Any]) -> Polygons:
    depth = _depth(items)
    if depth == 2:
        return _from_lists([items])
    rows = [() if item is None or isinstance(item, float) else item for item in items]
    try:
        if depth == 4:
            offsets, rings = _open(rows)
            ends, pairs = _open(rings)
            return Polygons(_pairs(pairs), ends, offsets)
        offsets, inner = _open(rows)
        if inner and len(inner[0]) == 2:
            return _one_ring_each(_pairs(inner), offsets)
        ends, numbers = _open(inner)
        ends = _halved([offsets, ends])
        return Polygons(_points(numbers), ends, offsets)
    except TypeError as error:
        raise ValidationException(f"Polygons are lists of rings of x, y: {error}") from error


def _pairs(pairs: list[Any]) -> NDArray[np.float64]:
    lengths, numbers = _open(pairs)
    if (np.diff(lengths) != 2).any():
        raise ValidationException("Every vertex of a polygon is a pair [x, y].")
    return _points(numbers)


def _open(rows: list[Any]) -> tuple[NDArray[np.int64], list[Any]]:
    """Take one level of lists off: offsets, and what was inside."""
    return offsets_of(np.fromiter(map(len, rows), np.int64, len(rows))), list(chain.from_iterable(rows))


def _depth(items: Any) -> int:
    """How many levels of lists, down the first branch that has any inside; 3 where none has."""
    level, item = 0, items
    while isinstance(item, list | tuple | np.ndarray):
        if isinstance(item, np.ndarray) and item.dtype != object:
            return level + item.ndim
        level += 1
        item = next((inner for inner in item if not _is_blank(inner, level)), None)
        if item is None:
            return 3
    if level not in (2, 3, 4):
        raise ValidationException(f"Polygons are lists of rings of x, y; got {level} levels of lists.")
    return level


def _is_blank(item: Any, level: int) -> bool:
    """Whether nothing can be learnt from an item: an empty list, and among objects None and NaN."""
    if isinstance(item, list | tuple | np.ndarray):
        return not len(item)
    return level == 1 and (item is None or (isinstance(item, float) and math.isnan(item)))


def _checked(shapes: Polygons, holes: bool) -> Polygons:
    points, rings, offsets = shapes
    for ends, most in ((rings, len(points)), (offsets, len(rings) - 1)):
        if not len(ends) or ends[0] < 0 or ends[-1] > most or (ends[1:] < ends[:-1]).any():
            raise ValidationException("The offsets of polygons must not fall and must stay within the points.")
    if offsets[0] or offsets[-1] != len(rings) - 1:
        rings, offsets = rings[offsets[0] : offsets[-1] + 1], offsets - offsets[0]
    if rings[0] or rings[-1] != len(points):
        points, rings = points[rings[0] : rings[-1]], rings - rings[0]
    near = np.abs(points) <= FARTHEST
    if not near.all():
        _refuse_vertex(points, near, rings[offsets])
    short = np.diff(rings) < 3
    if short.any():
        ring = int(np.argmax(short))
        index, part = where(offsets, ring)
        raise ValidationException(
            f"polygon {index}, ring {part} has {np.diff(rings)[ring]} vertices; it takes three to enclose pixels."
        )
    return (Outlines if holes or shapes.has_holes else Polygons)(points, rings, offsets)


def _refuse_vertex(points: NDArray[np.float64], near: NDArray[np.bool_], offsets: NDArray[np.int64]) -> None:
    """Say which vertex is not finite, else which is too far away."""
    finite = np.isfinite(points).all(axis=1)
    if not finite.all():
        at = int(np.argmin(finite))
        index, place = where(offsets, at)
        raise ValidationException(
            f"polygon {index} has vertex {points[at].tolist()} at place {place}; it must be finite."
        )
    at = int(np.argmin(near.all(axis=1)))
    index, _ = where(offsets, at)
    raise ValidationException(
        f"polygon {index} has vertex {points[at].tolist()}, more than 2**30 pixels away; "
        "vertices are pixels of the image."
    )
