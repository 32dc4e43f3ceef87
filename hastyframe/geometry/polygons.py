"""Polygons as a column of pandas: parts that unite, each of rings of which inner ones are holes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pandas.api.extensions import register_extension_dtype

from .. import masks
from ..errors import ValidationException
from ..masks.ragged import arrow_offsets, offsets_of
from ..masks.uniting import united_area
from .base import GeometryArray, GeometryDtype, GeometryType, is_missing, lists, refuse, register
from .svg import polygon_svg
from .text import Parts, jsonable, polygon_from_text, polygon_text

__all__ = ["Polygon", "PolygonArray", "PolygonDtype", "PolygonType"]

Ints = NDArray[np.int64]

_POINTS = pa.list_(pa.field("vertices", pa.list_(pa.field("xy", pa.float64()), 2)))
_STORAGE = pa.list_(pa.field("polygons", pa.list_(pa.field("rings", _POINTS))))
"""The layout of GeoArrow's multipolygon with interleaved coordinates."""


class Polygon:
    """The polygon of one label: parts that unite, each of rings; what lies in an odd number of a part's rings is in it.

    Parameters
    ----------
    value : list, numpy.ndarray, str or geometry
        ``[[x, y], …]`` is one ring; a list of such, or of flat ``[x0, y0, x1, …]`` as in COCO, has several parts; a
        list of lists of rings has parts with holes. Well-known text, a GeoJSON dict, and whatever has a
        ``__geo_interface__``, as the geometries of shapely.

    Raises
    ------
    ValidationException
        If it is none of these.

    Examples
    --------
    >>> polygon = Polygon([[0, 0], [4, 0], [4, 2]])
    >>> polygon, polygon.area, polygon.bounds
    (polygon of 3 points, 4.0, (0.0, 0.0, 4.0, 2.0))
    >>> polygon == [[0, 0], [4, 0], [4, 2]], polygon.to_list()
    (True, [[0, 0], [4, 0], [4, 2]])
    """

    __slots__ = ("_row",)

    _row: pa.Array

    def __init__(self, value: Any) -> None:
        row = PolygonArray._parsed([value])
        if row.null_count:
            raise ValidationException(f"{value!r} is not a polygon.")
        object.__setattr__(self, "_row", row)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("A polygon does not change; make another one.")

    @classmethod
    def _of(cls, row: pa.Array) -> Polygon:
        made = cls.__new__(cls)
        object.__setattr__(made, "_row", row)
        return made

    @property
    def parts(self) -> tuple[tuple[NDArray[np.float64], ...], ...]:
        """The parts, each a tuple of rings, each an array of shape (n, 2)."""
        return tuple(tuple(np.array(ring, float).reshape(-1, 2) for ring in part) for part in self._nested())

    @property
    def area(self) -> float:
        """Square pixels that it covers."""
        return float(self._array().area[0])

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """The smallest box around it: ``x_min, y_min, x_max, y_max``."""
        x_min, y_min, x_max, y_max = self._array().bounds[0].tolist()
        return x_min, y_min, x_max, y_max

    def to_list(self) -> list[Any]:
        """Return it as the wire has polygons, ``[[x, y], …]``; of several parts or with holes as nested lists."""
        parts = self._nested()
        if any(len(part) != 1 for part in parts):
            return jsonable(parts)
        return jsonable(parts[0][0] if len(parts) == 1 else [part[0] for part in parts])

    def _nested(self) -> Parts:
        return self._row.to_pylist()[0]

    def _array(self) -> PolygonArray:
        return PolygonArray._of(self._row)

    @property
    def __geo_interface__(self) -> dict[str, Any]:
        parts = [[[*ring, *ring[:1]] for ring in part] for part in self._nested()]
        if len(parts) == 1:
            return {"type": "Polygon", "coordinates": parts[0]}
        return {"type": "MultiPolygon", "coordinates": parts}

    def toDict(self) -> dict[str, Any]:  # noqa: N802
        """Return it as GeoJSON; the name is the one by which pandas asks for it, in ``to_json``."""
        return self.__geo_interface__

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if dtype is not None and np.dtype(dtype) == object:  # an array of objects is to hold it, and not its numbers
            whole = np.empty((), dtype=object)
            whole[()] = self
            return whole
        rings = list(chain.from_iterable(self._nested()))
        if len(rings) > 1:
            raise ValueError("A polygon of several rings is not a single array; its .parts are.")
        return np.array(rings[0] if rings else [], dtype=float if dtype is None else dtype).reshape(-1, 2)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Polygon):
            if not isinstance(other, list | tuple | np.ndarray):
                return NotImplemented
            try:
                other = Polygon(other)
            except ValidationException:
                return False
        return bool(self._row.equals(other._row))

    def __hash__(self) -> int:
        return hash(self._array()._keys()[0][0].as_py())  # -0.0 is 0.0 there, as it is in a comparison

    def __str__(self) -> str:
        return polygon_text(self._nested())

    def __repr__(self) -> str:
        parts = self._nested()
        points = sum(len(ring) for part in parts for ring in part)
        holes = sum(max(len(part) - 1, 0) for part in parts)
        text = f"polygon of {_count(points, 'point')}"
        if len(parts) != 1:
            text = f"{_count(len(parts), 'part')}, {_count(points, 'point')}"
        return f"{text}, {_count(holes, 'hole')}" if holes else text

    def _repr_svg_(self) -> str:
        return polygon_svg(self._nested())

    def __reduce__(self) -> Any:
        return Polygon, (self._nested(),)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' if number != 1 else ''}"


@register_extension_dtype
class PolygonDtype(GeometryDtype):
    """The dtype of polygon columns, ``"polygon"``.

    Examples
    --------
    >>> import pandas as pd
    >>> import hastyframe
    >>> pd.Series([[[0, 0], [4, 0], [4, 2]], None], dtype="polygon")
    0    polygon of 3 points
    1                   <NA>
    dtype: polygon
    """

    name = "polygon"
    type = Polygon


class PolygonArray(GeometryArray[Polygon]):
    """A column of polygons.

    Parameters
    ----------
    values : sequence
        What :class:`Polygon` takes, None for a missing one; an Arrow array of nested lists.
    copy : bool
        Without effect: the buffers are never written to.

    Examples
    --------
    >>> polygons = PolygonArray([[[0, 0], [4, 0], [4, 2]], None, [[0, 0, 2, 0, 2, 2], [5, 5, 9, 5, 9, 9]]])
    >>> polygons.area.tolist()
    [4.0, nan, 10.0]
    >>> polygons[2]
    2 parts, 6 points
    """

    EXAMPLE = "POLYGON ((0 0, 1 0, 1 1, 0 0))"

    @classmethod
    def from_rings(cls, shapes: masks.Polygons, valid: NDArray[np.bool_] | None = None) -> PolygonArray:
        """Make a column of what the kernels work on.

        Parameters
        ----------
        shapes : hastyframe.masks.Polygons
            Rings; those of :class:`hastyframe.masks.Outlines` are rings of one part, others a part each.
        valid : numpy.ndarray of bool, optional
            Which rows are not missing.

        Examples
        --------
        >>> from hastyframe.masks import as_polygons
        >>> PolygonArray.from_rings(as_polygons([[0, 0, 4, 0, 4, 2]]))[0]
        polygon of 3 points
        """
        rings = len(shapes.rings) - 1
        if shapes.has_holes:
            filled = shapes.offsets[1:] > shapes.offsets[:-1]
            parts, offsets = np.append(shapes.offsets[:-1][filled], rings), offsets_of(filled)
        else:
            parts, offsets = np.arange(rings + 1), shapes.offsets
        return cls._of(_laid_out(shapes.points, shapes.rings, parts, offsets, valid))

    @property
    def area(self) -> NDArray[np.float64]:
        """Square pixels that each row covers, NaN where it is missing."""
        points, rings, parts, offsets = self._levels()
        area = masks.polygon_area(_without_lines(points, rings, parts[offsets])).astype(float)
        holed = np.unique(np.repeat(np.arange(len(self)), np.diff(offsets))[np.diff(parts) > 1])
        if len(holed):
            points, rings, parts, offsets = self.take(holed)._levels()
            area[holed] = united_area(masks.Polygons(points, rings, parts[offsets]), parts)
        return np.where(self.isna(), np.nan, area)

    @property
    def bounds(self) -> NDArray[np.float64]:
        """Smallest boxes, shape (n, 4): ``x_min, y_min, x_max, y_max``; NaN where there are no points."""
        points, rings, parts, offsets = self._levels()
        return masks.polygon.bounds_of(masks.Polygons(points, rings, parts[offsets]))

    def to_geoarrow(self) -> pa.Array:
        """Return the Arrow array of plain lists, which is GeoArrow's multipolygon with interleaved coordinates.

        Examples
        --------
        >>> PolygonArray([[[0, 0], [4, 0], [4, 2]]]).to_geoarrow().to_pylist()
        [[[[[0.0, 0.0], [4.0, 0.0], [4.0, 2.0]]]]]
        """
        return self._data

    def to_shapely(self) -> NDArray[Any]:
        """Return an array of shapely geometries, None where a row is missing; needs the package shapely."""
        from shapely import from_wkt  # type: ignore[import-untyped,unused-ignore]

        return from_wkt(np.array([None if cell is pd.NA else str(cell) for cell in self], dtype=object))

    def _levels(self) -> tuple[NDArray[np.float64], Ints, Ints, Ints]:
        """Points, and where each ring begins in them, each part among rings, each row among parts."""
        parts, offsets = arrow_offsets(self._data)
        rings, part_ends = arrow_offsets(parts)
        vertices, ring_ends = arrow_offsets(rings)
        points = vertices.flatten().to_numpy(zero_copy_only=False).reshape(-1, 2)
        return points, ring_ends, part_ends, offsets

    def _keys(self) -> list[pa.Array]:
        points, rings, parts, offsets = self._levels()
        ends = rings[parts[offsets]]
        keys = [_bytes(points + 0.0, ends)]  # so that -0.0 is 0.0
        if len(rings) - 1 != len(self) or (np.diff(offsets) != 1).any() or (np.diff(parts) != 1).any():
            keys += [_bytes(np.diff(rings), parts[offsets]), _bytes(np.diff(parts), offsets)]
        return keys

    @classmethod
    def _cell(cls, row: pa.Array) -> Polygon:
        return Polygon._of(row)

    @classmethod
    def _parsed(cls, items: list[Any]) -> pa.Array:
        if items and all(isinstance(item, Polygon) for item in items):
            return pa.concat_arrays([item._row for item in items])
        nested: list[Parts | None] = []
        for row, item in enumerate(items):
            try:
                nested.append(None if is_missing(item) else _parts_of(item))
            except (ValidationException, TypeError, ValueError, AttributeError) as error:
                raise refuse(row, item, getattr(error, "message", f"it is not a polygon: {error}")) from None
        try:
            return _without_gaps(pa.array(nested, _STORAGE))
        except (pa.ArrowInvalid, pa.ArrowTypeError, TypeError, ValueError):
            return pa.concat_arrays([_one(row, item, items[row]) for row, item in enumerate(nested)])

    @classmethod
    def _stored(cls, array: pa.Array) -> pa.Array:
        type_ = array.type
        name = getattr(type_, "extension_name", "")
        array = array.storage if isinstance(array, pa.ExtensionArray) else array
        if pa.types.is_null(array.type):
            return array.cast(_STORAGE)
        if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
            return cls._parsed(array.to_pylist())
        valid = np.asarray(array.is_valid())
        levels: list[Ints] = []
        while _is_list(array.type):
            array, ends = arrow_offsets(array)
            levels.append(ends)
        numbers = pa.types.is_floating(array.type) or pa.types.is_integer(array.type) or pa.types.is_null(array.type)
        if not numbers or (not 1 <= len(levels) <= 4):
            raise ValidationException(f"A column of {type_} holds no polygons; they are nested lists of [x, y].")
        if array.null_count:
            raise ValidationException("A vertex of a polygon lacks a coordinate.")
        values = array.cast(pa.float64()).to_numpy(zero_copy_only=False)
        if len(levels) > 1 and (np.diff(levels[-1]) == 2).all():
            levels.pop()  # the pairs
        elif (levels[-1] % 2).any():
            raise ValidationException("A polygon has an odd count of numbers; a vertex is x and y.")
        else:
            levels[-1] = levels[-1] // 2
        points = values.reshape(-1, 2)
        single = np.arange(len(levels[-1]))
        if len(levels) == 1:  # a ring a row
            return _laid_out(points, levels[0], single, np.arange(len(valid) + 1), valid)
        if len(levels) == 2 and name == "geoarrow.polygon":
            return _laid_out(points, levels[1], levels[0], np.arange(len(valid) + 1), valid)
        if len(levels) == 2:  # parts of one ring each
            return _laid_out(points, levels[1], single, levels[0], valid)
        return _laid_out(points, levels[2], levels[1], levels[0], valid)


def _is_list(type_: pa.DataType) -> bool:
    return pa.types.is_list(type_) or pa.types.is_large_list(type_) or pa.types.is_fixed_size_list(type_)


def _laid_out(
    points: NDArray[np.float64], rings: Ints, parts: Ints, offsets: Ints, valid: NDArray[np.bool_] | None
) -> pa.Array:
    """Storage of points and offsets; a missing row, which is to hold nothing, may lie over others."""
    vertices = pa.FixedSizeListArray.from_arrays(
        pa.array(np.ascontiguousarray(points, float).reshape(-1)), type=_POINTS.value_type
    )
    array = lists(offsets, lists(parts, lists(rings, vertices)), valid)
    return array.cast(_STORAGE)


def _without_lines(points: NDArray[np.float64], rings: Ints, objects: Ints) -> masks.Polygons:
    """Rings that enclose something: of three points at least."""
    keep = np.diff(rings) > 2
    if keep.all():
        return masks.Polygons(points, rings, objects)
    counts = np.diff(rings)
    return masks.Polygons(
        points[np.repeat(keep, counts)], offsets_of(counts[keep]), np.concatenate([[0], np.cumsum(keep)])[objects]
    )


def _bytes(values: NDArray[Any], ends: Ints) -> pa.Array:
    """Rows of numbers as rows of bytes, without a copy."""
    values = np.ascontiguousarray(values)
    width = values.itemsize * (values.shape[1] if values.ndim > 1 else 1)
    buffers = [None, pa.py_buffer(np.ascontiguousarray(ends * width)), pa.py_buffer(values)]
    return pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(ends) - 1, buffers)


def _without_gaps(array: pa.Array) -> pa.Array:
    inner = array
    for _ in range(4):
        inner = inner.flatten()
        if inner.null_count:
            raise ValueError("a vertex or a coordinate is missing")
    return array


def _one(row: int, nested: Parts | None, item: Any) -> pa.Array:
    try:
        return _without_gaps(pa.array([nested], _STORAGE))
    except (pa.ArrowInvalid, pa.ArrowTypeError, TypeError, ValueError):
        raise refuse(row, item, "a polygon is a list of vertices [x, y], or of rings of them.") from None


def _parts_of(item: Any) -> Parts:
    """Parts of rings of points, whatever tells them."""
    if isinstance(item, Polygon):
        return item._nested()
    if isinstance(item, str):
        return polygon_from_text(item)
    if isinstance(item, Mapping) or hasattr(item, "__geo_interface__"):
        return _of_geojson(item if isinstance(item, Mapping) else item.__geo_interface__)
    if isinstance(item, bytes) or not isinstance(item, Sequence | np.ndarray):
        raise ValidationException("a polygon is a list of vertices [x, y], or of rings of them.")
    return _of_lists(*_without_contours(item, _depth(item)))


def _without_contours(item: Any, depth: int) -> tuple[Any, int]:
    """Turn contours as OpenCV has them, arrays of shape (n, 1, 2), into rings, one alone or one a part."""
    if depth == 3 and _is_contour(item):
        return item[:, 0], 2
    if depth == 4 and not isinstance(item, np.ndarray) and all(map(_is_contour, item)):
        return [contour[:, 0] for contour in item], 3
    return item, depth


def _is_contour(item: Any) -> bool:
    return isinstance(item, np.ndarray) and item.ndim == 3 and item.shape[1:] == (1, 2)


def _of_lists(item: Any, depth: int) -> Parts:
    """Parts of nested lists, by how deep they are nested."""
    if depth == 1 and len(item) == 2:  # a ring whose vertices were dealt out to rows, and no polygon of one point
        raise ValidationException(
            "two numbers are one vertex, and a polygon is a list of them. To give one to several rows, make it a "
            "hastyframe.geometry.Polygon."
        )
    if depth == 1 or (depth == 2 and len(item[0]) != 2):
        return [[_pairs(ring)] for ring in ([item] if depth == 1 else item)]
    if depth in (2, 3):
        return [[_points_of(ring)] for ring in ([item] if depth == 2 else item)]
    if depth in (0, 4):
        return [[_points_of(ring) for ring in part] for part in (item if depth else [])]
    raise ValidationException(f"a polygon has four levels of lists at most, and this has {depth}.")


def _depth(item: Any) -> int:
    """How many levels of lists there are, down the first branch that holds something."""
    if isinstance(item, np.ndarray) and item.dtype != object:
        return item.ndim if item.size else 0
    if isinstance(item, str) or not isinstance(item, Sequence | np.ndarray):
        return 0
    inner = next((each for each in item if not isinstance(each, Sequence | np.ndarray) or len(each)), None)
    return 0 if inner is None else 1 + _depth(inner)


def _pairs(numbers: Any) -> list[list[float]]:
    numbers = np.asarray(numbers, dtype=float)
    if numbers.ndim != 1 or numbers.size % 2:
        raise ValidationException("a ring of plain numbers is x0, y0, x1, y1, …, an even count of them.")
    return numbers.reshape(-1, 2).tolist()


def _points_of(ring: Any) -> list[list[float]]:
    return ring.tolist() if isinstance(ring, np.ndarray) else [list(point) for point in ring]


def _of_geojson(item: Mapping[str, Any]) -> Parts:
    kind, coordinates = item.get("type"), item.get("coordinates", ())
    if kind not in ("Polygon", "MultiPolygon"):
        raise ValidationException(f"a geometry of type {kind!r} is not a polygon.")
    parts = coordinates if kind == "MultiPolygon" else [coordinates] if len(coordinates) else []
    return [[_opened([list(point[:2]) for point in ring]) for ring in part] for part in parts]


def _opened(ring: list[list[float]]) -> list[list[float]]:
    """Return a ring without the last point, if that closes it."""
    return ring[:-1] if len(ring) > 1 and ring[0] == ring[-1] else ring


class PolygonType(GeometryType):
    """The Arrow type ``hastyframe.polygon``."""

    NAME: ClassVar[str] = "hastyframe.polygon"
    STORAGE: ClassVar[pa.DataType] = _STORAGE
    DTYPE: ClassVar[Any] = PolygonDtype


PolygonArray.TYPE = PolygonType
PolygonDtype.ARRAY = PolygonArray
register(PolygonType)
