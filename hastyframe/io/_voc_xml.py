"""Objects of Pascal VOC: what their XML says, and their places as columns of a labels frame."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError
from ..frames import BOX
from ..masks.ragged import offsets_of
from ._problems import CORRECT
from ._report import Losses
from ._shapes import parts_array, polygon_array

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

__all__ = ["CORNERS", "VocObject", "XmlFile", "shape_columns"]

CORNERS = ("xmin", "ymin", "xmax", "ymax")


class VocObject(NamedTuple):
    """One object, its coordinates as they stand in the file."""

    name: str
    corners: list[float] | None
    rings: list[list[tuple[float, float]]]
    more: dict[str, Any]


class XmlFile:
    """Values of the elements of one file."""

    def __init__(self, folder: str, path: PurePosixPath) -> None:
        self.folder, self.path = folder, path

    def wrong(self, place: str, problem: str, remedy: str = CORRECT) -> FormatError:
        """Complain about a place of the file."""
        return FormatError(self.folder, f"{self.path}{place}", problem, remedy)

    def size(self, root: Element) -> tuple[int, int] | None:
        """Width and height of the image, if they are there."""
        if root.find("size/width") is None or root.find("size/height") is None:
            return None
        return self._whole(root, "size/width"), self._whole(root, "size/height")

    def object(self, element: Element, number: int, more: Iterable[str]) -> VocObject:
        """Read one object, with what it says under some further keys."""
        place = f", object {number}"
        if (count := len(element.findall("bndbox"))) > 1:
            raise self.wrong(place, f"it has {count} boxes, and an object has one", "Make an object of each")
        rings = [ring for each in element.findall("polygon") if (ring := self._ring(each, place))]
        corners = None
        if count or not rings:
            corners = [self._number(element, f"bndbox/{name}", place) for name in CORNERS]
            for low, high in ((0, 2), (1, 3)):
                if corners[low] > corners[high]:
                    problem = f"{CORNERS[low]} {corners[low]:g} lies beyond {CORNERS[high]} {corners[high]:g}"
                    raise self.wrong(place, problem)
        values: dict[str, Any] = {}
        for name in more:
            text = (element.findtext(name) or "").strip()
            if text:
                values[name] = int(text) if text in {"0", "1"} else text
        return VocObject(self._text(element, "name", place), corners, rings, values)

    def _ring(self, element: Element, place: str) -> list[tuple[float, float]]:
        """Vertices as ``x1``, ``y1``, ``x2``, ..., or as points of ``x`` and ``y`` each; none of an empty element."""
        if points := element.findall("pt") or element.findall("point"):
            ring = [(self._number(point, "x", place), self._number(point, "y", place)) for point in points]
        else:
            texts = {child.tag: child for child in element}
            numbers = sorted(int(tag[1:]) for tag in texts if re.fullmatch("x[0-9]{1,9}", tag))
            ring = [
                (
                    self._value(texts[f"x{n}"], f"polygon/x{n}", place),
                    self._value(texts.get(f"y{n}"), f"polygon/y{n}", place),
                )
                for n in numbers
            ]
        if 0 < len(ring) < 3:
            raise self.wrong(place, f"its polygon has {len(ring)} vertices, and should have three or more")
        return ring

    def _text(self, element: Element, name: str, place: str = "") -> str:
        text = (element.findtext(name) or "").strip()
        if not text:
            raise self.wrong(place, f"{name!r} is missing")
        return text

    def _number(self, element: Element, name: str, place: str = "") -> float:
        return self._value(element.find(name), name, place)

    def _value(self, element: Element | None, name: str, place: str) -> float:
        text = "" if element is None else (element.text or "").strip()
        if not text:
            raise self.wrong(place, f"{name!r} is missing")
        try:
            number = float(text)
        except ValueError:
            number = np.nan
        if not abs(number) < 2**31:
            raise self.wrong(place, f"{name!r} is {text[:40]!r} and should be a number of pixels")
        return number

    def _whole(self, element: Element, name: str) -> int:
        number = self._number(element, name)
        if number < 0 or number != int(number):
            raise self.wrong("", f"{name!r} is {number:g} and should be a whole number")
        return int(number)


def shape_columns(objects: list[VocObject], losses: Losses) -> dict[str, Any]:
    """Make columns of boxes, polygons and parts, which count from 0 and end where the next pixel begins.

    Parameters
    ----------
    objects : list of VocObject
        Objects of a whole data set: one with a corner at 0 shows that all of them count from 0.
    losses : Losses
        Told if they do.
    """
    boxes = np.array([found.corners or [np.nan] * 4 for found in objects], dtype=float).reshape(-1, 4)
    rings = [(row, ring) for row, found in enumerate(objects) for ring in found.rings]
    ends = offsets_of(np.array([len(ring) for _, ring in rings], np.int64))
    points = np.array([point for _, ring in rings for point in ring], dtype=float).reshape(-1, 2)
    owner = np.repeat(np.array([row for row, _ in rings], np.int64), np.diff(ends))
    if _from_zero(boxes) or _from_zero(points):
        losses.add(len(objects), "corners at 0, so that boxes and polygons are taken as they stand")
    else:
        boxes[:, :2] -= 1
        points = _to_edges(points, ends)
    _fill(boxes, points, owner)
    columns: dict[str, Any] = dict(zip(BOX, np.ascontiguousarray(boxes.T), strict=True))
    counts = np.array([len(found.rings) for found in objects], np.int64)
    lone = counts == 1
    first = offsets_of(counts)[:-1]
    if lone.any():
        keep = np.isin(owner, np.flatnonzero(lone))
        own = offsets_of(np.diff(ends)[first[lone]])
        columns["polygon"] = polygon_array(points[keep], own, np.flatnonzero(lone), len(objects))
    if (several := counts > 1).any():
        keep = np.isin(owner, np.flatnonzero(several))
        of_several = np.repeat(several, counts)
        own = offsets_of(np.diff(ends)[of_several])
        columns["parts"] = parts_array(points[keep], own, np.where(several, counts, 0), several)
    return columns


def _from_zero(corners: NDArray[np.float64]) -> bool:
    low = corners[:, :2]
    return bool(((low >= 0) & (low < 1)).any())


def _to_edges(points: NDArray[np.float64], ends: NDArray[np.int64]) -> NDArray[np.float64]:
    """Stretch rings that run through the pixels at their edge, counted from 1, to the outer sides of these pixels.

    What is bounded by xmin and xmax becomes bounded by xmin - 1 and xmax, as its box does.
    """
    if not len(points):
        return points
    low = np.repeat(np.minimum.reduceat(points, ends[:-1]), np.diff(ends), axis=0)
    extent = np.repeat(np.maximum.reduceat(points, ends[:-1]), np.diff(ends), axis=0) - low
    stretched: NDArray[np.float64] = low - 1 + (points - low) * (extent + 1) / np.where(extent > 0, extent, 1)
    return stretched


def _fill(boxes: NDArray[np.float64], points: NDArray[np.float64], owner: NDArray[np.int64]) -> None:
    """Give objects without a box the bounds of their polygons."""
    bare = np.isnan(boxes[:, 0])
    rows = owner[bare[owner]]
    boxes[bare] = [np.inf, np.inf, -np.inf, -np.inf]
    np.minimum.at(boxes[:, :2], rows, points[bare[owner]])
    np.maximum.at(boxes[:, 2:], rows, points[bare[owner]])
