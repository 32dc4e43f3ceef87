"""Segmentations, boxes and areas between COCO and the columns of a labels frame."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from msgspec import Raw
from numpy.typing import NDArray

from .. import masks
from ..bad_rows import locate_bad_row
from ..errors import ValidationException
from ..frames import BOX, MASK, POLYGON
from ..lists import ragged_of
from ..masks import Polygons, Ragged
from ..masks.blocks import stacked
from ..masks.coco import from_coco_texts
from ..masks.polygon import bounds_of
from ..masks.ragged import offsets_of
from ..painting import kinds, known_sizes, paint
from ._coco_text import RawRle, Rle
from ._fingerprint import unchanged
from ._lists import KEPT, whole
from ._numbers import numbers_of
from ._records import check_finite, own_numbers
from ._report import Losses
from ._shapes import boxes_in, list_array, masks_at, outlines_in, parsed, parts_array, polygon_array
from ._values import Table, locate_bad_rows

if TYPE_CHECKING:
    from .label_set import Painting, Segmentation

__all__ = ["Segments", "check_painting", "segments_in", "shapes_in", "shapes_out", "with_sizes"]


class Segments(NamedTuple):
    """What annotations have under ``segmentation``, by kind, and in which rows."""

    coded: dict[int, Any]
    """Run-lengths by row."""

    single: NDArray[np.int64]
    rings: Polygons
    """One ring each."""

    several: NDArray[np.int64]
    parts: Polygons
    """Several rings each."""

    degenerate: NDArray[np.int64]
    """Rows that have parts of fewer than three vertices, or an object that says nothing; once for each of these."""

    def kept(self, keep: NDArray[np.bool_]) -> Segments:
        """Return those of some rows, numbered as these rows are then."""
        if keep.all():
            return self
        number = np.cumsum(keep) - 1
        single, several = keep[self.single], keep[self.several]
        return Segments(
            {int(number[row]): value for row, value in self.coded.items() if keep[row]},
            number[self.single[single]],
            _chosen(self.rings, single),
            number[self.several[several]],
            _chosen(self.parts, several),
            number[self.degenerate[keep[self.degenerate]]],
        )


def check_painting(rule: Painting) -> None:
    """Refuse a rule that is none, whether or not there is something to paint."""
    if rule not in ("center", "coco", None):
        raise ValidationException(f'masks is "center", "coco" or None, not {rule!r}.')


def segments_in(table: Table) -> Segments:
    """Take the segmentations out of a table, and with them the text of the file that they are pieces of."""
    values = table.get("segmentation")
    rles, outlined, blank = _by_kind(values, table)
    counts = np.array([len(values[row]) for row in outlined.tolist()], np.int64)
    pieces = list(itertools.chain.from_iterable(values[row] for row in outlined.tolist()))
    owners = np.repeat(outlined, counts)
    points, ends, degenerate = outlines_in(pieces, owners, table, "segmentation")
    rows, counts = np.unique(owners[~degenerate], return_counts=True)
    shapes = Polygons(points, ends, offsets_of(counts))
    coded = {row: values[row] for row in rles.tolist()}
    for item in coded.values():
        if type(item) is RawRle:
            item.counts = Raw(bytes(item.counts))
    table.drop("segmentation")
    single = counts == 1
    return Segments(
        coded,
        rows[single],
        _chosen(shapes, single),
        rows[~single],
        _chosen(shapes, ~single),
        np.concatenate([blank, owners[degenerate]]),
    )


def with_sizes(images: pd.DataFrame, rows: NDArray[np.int64], segments: Segments | None) -> pd.DataFrame:
    """Images, those without width and height with the sizes of their run-lengths.

    Parameters
    ----------
    images : pandas.DataFrame
        All of them.
    rows : numpy.ndarray of int64
        Whose each annotation is.
    segments : Segments or None
        What the annotations have.
    """
    unknown = (images["height"].isna() | images["width"].isna()).to_numpy(copy=True)
    if segments is None or not unknown.any():
        return images
    images = images.copy()
    for row, item in segments.coded.items():
        image = rows[row]
        size = item.size if isinstance(item, Rle) else item.get("size")
        if unknown[image] and _is_size(size):
            for column, length in zip(("height", "width"), size, strict=True):
                if pd.isna(images[column].iloc[image]):
                    images.iloc[image, images.columns.get_loc(column)] = int(length)
            unknown[image] = False
    return images


def _is_size(size: Any) -> bool:
    return (
        isinstance(size, list | tuple | np.ndarray)
        and len(size) == 2
        and all(isinstance(length, int | float | np.number) and 0 <= length <= 2**31 for length in size)
        and all(length == int(length) for length in size)
    )


def shapes_in(
    table: Table, segments: Segments | None, sizes: NDArray[np.float64], rule: Painting, losses: Losses
) -> dict[str, Any]:
    """Read boxes, polygons and masks, and what :func:`shapes_out` needs to write the same file again.

    Parameters
    ----------
    table : Table
        The annotations.
    segments : Segments or None
        Their segmentations; None if those were passed over.
    sizes : numpy.ndarray, shape (n, 2)
        Height and width of each annotation's image.
    rule : {"center", "coco"} or None
        How to paint what has several parts; None for no masks at all.
    losses : Losses
        Told of what has several parts.

    Returns
    -------
    dict
        Columns by name: the box, ``polygon``, ``mask``, ``area``, and where present ``parts`` and ``file_bbox``.
    """
    told = _told_boxes(table)
    boxes = np.concatenate([told[:, :2], told[:, :2] + told[:, 2:]], axis=1)
    mask = pa.nulls(len(table), MASK)
    columns: dict[str, Any] = {}
    if segments is None:
        if (missing := np.isnan(told[:, 0])).any():
            problem = "'bbox' is missing, and segmentations are passed over"
            raise table.all_wrong(missing, problem, "Give it one, or leave out segmentation=False")
        polygon = pa.nulls(len(table), POLYGON)
    else:
        rles, several = np.array(list(segments.coded), np.int64), segments.several
        losses.add(
            len(segments.degenerate), "parts of fewer than three vertices; a label that has no others has its box alone"
        )
        polygon = polygon_array(segments.rings.points, segments.rings.rings, segments.single, len(table))
        boxes[segments.single] = _or_bounds(boxes[segments.single], segments.rings)
        if len(several):
            columns["parts"] = _parts(segments, len(table))
            boxes[several] = _or_bounds(boxes[several], segments.parts)
        if rule and (len(rles) or len(several)):
            rows, runs, found = _painted(table, segments, sizes, rule)
            mask = masks_at(runs, rows, len(table))
            empty = runs.lengths == 0
            found[empty] = _cover(boxes[rows[empty]])
            differs = np.zeros(len(table), bool)
            differs[rows] = (found != boxes[rows]).any(axis=1) & ~np.isnan(told[rows, 0])
            if differs.any():
                columns["file_bbox"] = list_array(offsets_of(4 * differs), pa.array(told[differs].reshape(-1)), differs)
            boxes[rows] = found
            losses.add(
                len(several),
                "objects of several parts as polygons: they became masks, and the column 'parts' has their rings",
            )
        elif len(rles):
            boxes[rles] = _or_decoded(boxes[rles], table, segments.coded, rles, sizes)
    columns |= dict(zip(BOX, np.ascontiguousarray(boxes.T), strict=True))
    return columns | {"polygon": polygon, "mask": mask, "area": table.numbers("area")}


def _by_kind(segments: list[Any], table: Table) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Rows with run-lengths, with rings, and with an object that says nothing."""
    if segments.count(None) == len(segments):
        return (np.empty(0, np.int64),) * 3
    codes = {kind: _code(kind) for kind in set(map(type, segments))}
    kinds = np.array([len(s) if type(s) in _LISTS else codes[type(s)] for s in segments], np.int64)
    for row in np.flatnonzero(kinds == _OTHER).tolist():
        if isinstance(segments[row], float) and np.isnan(segments[row]):
            kinds[row] = 0
    if (wrong := kinds == _OTHER).any():
        raise table.all_wrong(wrong, "'segmentation' should be polygons or run-lengths")
    coded = np.flatnonzero(kinds == _CODED)
    blank = np.array([segments[row] == {} for row in coded.tolist()], bool)
    return coded[~blank], np.flatnonzero(kinds > 0), coded[blank]


_CODED, _OTHER = -1, -2
_LISTS = {list, tuple}


def _code(kind: type[Any]) -> int:
    """Say what a segmentation of a type is that is not a list of rings."""
    return 0 if kind is type(None) else _CODED if issubclass(kind, Rle | Mapping) else _OTHER


def _told_boxes(table: Table) -> NDArray[np.float64]:
    """``[x, y, width, height]`` as the file has them."""
    boxes = boxes_in(table)
    if (bad := (boxes[:, 2:] < 0).any(axis=1)).any():
        raise table.all_wrong(bad, "'bbox' is [x, y, width, height], and width or height is negative")
    return boxes


def _or_bounds(boxes: NDArray[np.float64], shapes: Polygons) -> NDArray[np.float64]:
    """Boxes, and the bounds of the polygons where there is none."""
    missing = np.isnan(boxes)
    return np.where(missing, bounds_of(shapes), boxes) if missing.any() else boxes


def _parts(segments: Segments, count: int) -> pa.Array:
    rings = np.zeros(count, np.int64)
    rings[segments.several] = np.diff(segments.parts.offsets)
    return parts_array(segments.parts.points, segments.parts.rings, rings, rings > 0)


def _painted(
    table: Table, segments: Segments, sizes: NDArray[np.float64], rule: Literal["center", "coco"]
) -> tuple[NDArray[np.int64], Ragged, NDArray[np.float64]]:
    """Rows that have run-lengths or several parts, in order, their masks, and the tight boxes of those."""
    coded, several, shapes = segments.coded, segments.several, segments.parts
    rles = np.array(list(coded), np.int64)
    place = {row: at for at, row in enumerate(several.tolist())}

    def work(rows: NDArray[np.int64]) -> tuple[Ragged, NDArray[np.int64]]:
        chosen = shapes if len(rows) == len(several) else _take(shapes, [place[row] for row in rows.tolist()])
        return masks.polygon_to_rle(chosen, _sizes_around(chosen, sizes[rows]), rule=rule)

    found = locate_bad_rows(work, several, table), _decoded(table, coded, rles, sizes)
    boxes = np.concatenate([boxes for _, boxes in found]).astype(np.float64)
    rows, runs = np.concatenate([several, rles]), [runs for runs, _ in found if runs.n]
    if len(runs) == 1:
        return rows, runs[0], boxes
    order = np.argsort(rows)
    return rows[order], stacked(runs).take(order), boxes[order]


def _decoded(
    table: Table, coded: dict[int, Any], rles: NDArray[np.int64], sizes: NDArray[np.float64]
) -> tuple[Ragged, NDArray[np.int64]]:
    raw = [type(coded[row]) is RawRle and type(coded[row].counts) is Raw for row in rles.tolist()]
    _read_counts(coded, rles[raw], table)

    def work(rows: NDArray[np.int64]) -> tuple[Ragged, NDArray[np.int64]]:
        items, wanted = [coded[row] for row in rows.tolist()], known_sizes(sizes[rows])
        typed = bool(items) and isinstance(items[0], Rle)
        told = list(map(attrgetter("size"), items)) if typed else [_as_tuple(item.get("size")) for item in items]
        if told != list(map(tuple, wanted.tolist())):
            raise ValidationException("The size of the run-lengths is not the [height, width] of the image")
        return from_coco_texts(list(map(attrgetter("counts"), items)), wanted) if typed else masks.from_coco_rle(items)

    return locate_bad_rows(work, rles, table)


def _as_tuple(size: Any) -> Any:
    return tuple(size) if isinstance(size, list | np.ndarray) else size


def _sizes_around(shapes: Polygons, sizes: NDArray[np.float64]) -> NDArray[np.int64]:
    """Sizes of images, and where one is missing, room for all of the polygon."""
    unknown = np.isnan(sizes)
    if unknown.any():
        reach = np.nan_to_num(np.ceil(bounds_of(shapes)[:, [3, 2]])) + 1
        sizes = np.where(unknown, np.clip(reach, 0, 2**31), sizes)
    return sizes.astype(np.int64)


def _read_counts(coded: dict[int, Any], rows: NDArray[np.int64], table: Table) -> None:
    """Replace the texts that the counts of run-lengths are by what they say."""
    texts = [coded[row].counts for row in rows.tolist()]
    counts: list[Any]
    try:
        numbers, lengths = numbers_of(texts, at_once=200)  # they have about a thousand each
        ends = offsets_of(lengths).tolist()
        counts = [numbers[first:last] for first, last in itertools.pairwise(ends)]
    except ValueError:
        counts = parsed(texts, rows, table, "counts")
    for row, each in zip(rows.tolist(), counts, strict=True):
        coded[row].counts = each


def _or_decoded(
    boxes: NDArray[np.float64],
    table: Table,
    coded: dict[int, Any],
    rles: NDArray[np.int64],
    sizes: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Boxes, and those of the run-lengths where there is none."""
    missing = np.isnan(boxes[:, 0])
    if missing.any():
        boxes[missing] = _decoded(table, coded, rles[missing], sizes)[1]
    return boxes


def _cover(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Whole pixels around boxes; at least one."""
    low = np.floor(np.nan_to_num(boxes[:, :2]))
    return np.concatenate([low, np.maximum(np.ceil(np.nan_to_num(boxes[:, 2:])), low + 1)], axis=1)


def _take(shapes: Polygons, rows: list[int]) -> Polygons:
    objects = shapes.to_list()
    return masks.as_polygons([objects[row] for row in rows])


def _chosen(shapes: Polygons, keep: NDArray[np.bool_]) -> Polygons:
    """Objects that are kept, one after the other."""
    if keep.all():
        return shapes
    rings = np.repeat(keep, np.diff(shapes.offsets))
    points = np.repeat(rings, np.diff(shapes.rings))
    return Polygons(
        shapes.points[points], offsets_of(np.diff(shapes.rings)[rings]), offsets_of(np.diff(shapes.offsets)[keep])
    )


# To COCO --------------------------------------------------------------------------------------------------------------


def shapes_out(
    labels: pd.DataFrame, sizes: NDArray[np.float64], segmentation: Segmentation, file: str
) -> tuple[list[Any], list[Any], list[Any]]:
    """Write segmentation, ``[x, y, width, height]`` and area of each label.

    A label that still has the geometry that was read from a file has its own rings, box and area in the new one.
    """
    kind = kinds(labels).to_numpy()
    as_read = unchanged(labels)
    check_finite(labels)
    boxes = labels[list(BOX)].to_numpy(dtype=float, copy=True)
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    segments: list[Any] = [[] for _ in range(len(labels))]

    outlined = np.flatnonzero(kind == "polygon")
    shapes = masks.as_polygons(labels["polygon"].iloc[outlined])
    boxes[outlined] = np.where(np.isnan(boxes[outlined]), masks.polygon_bounds(shapes), boxes[outlined])
    areas[outlined] = masks.polygon_area(shapes)
    _put(segments, outlined, _numbers_of(shapes))
    painted = np.flatnonzero(
        np.isin(kind, ["mask", "parts"] if segmentation == "keep" else ["mask", "parts", "polygon"])
    )
    runs, where = paint(labels.iloc[painted], sizes[painted], file)
    areas[painted] = masks.area(runs)
    _put(segments, painted, _compressed(labels.index[painted], runs, where, sizes[painted], file))
    if "parts" in labels and segmentation == "keep":
        kept = np.flatnonzero(as_read & labels["parts"].notna().to_numpy())
        _put(segments, kept, _numbers_of(masks.as_polygons(labels["parts"].iloc[kept])))
    # Nine digits after the point: what adding and subtracting a corner leaves behind would not be in the file.
    corners = np.round(np.column_stack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]]), 9)
    corners, areas = _as_they_were(labels, as_read, corners, areas)
    return segments, [None if np.isnan(c[0]) else c for c in corners.tolist()], whole(areas)


def _put(segments: list[Any], rows: NDArray[np.int64], values: list[Any]) -> None:
    for row, value in zip(rows.tolist(), values, strict=True):
        segments[row] = value


def _numbers_of(shapes: Polygons) -> list[list[list[float]]]:
    """Rings of each object as COCO has them: x and y in turn."""
    numbers = Ragged(shapes.points.reshape(-1), shapes.rings * 2).to_list()
    return [numbers[first:last] for first, last in itertools.pairwise(shapes.offsets.tolist())]


def _compressed(
    ids: pd.Index[str], runs: Ragged, boxes: NDArray[np.int64], sizes: NDArray[np.float64], file: str
) -> list[dict[str, Any]]:
    def work(rows: NDArray[np.int64]) -> list[dict[str, Any]]:
        return masks.to_coco_rle(runs.take(rows), boxes[rows], sizes[rows], counts="str")

    return locate_bad_row(work, np.arange(runs.n), lambda row: f"label {ids[row]!r}", file)


def _as_they_were(
    labels: pd.DataFrame, as_read: NDArray[np.bool_], corners: NDArray[np.float64], areas: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Put the file's own boxes and areas where the geometry is still the file's."""
    if "file_bbox" in labels:
        own, present = ragged_of(labels["file_bbox"], KEPT["file_bbox"])
        corners[present & as_read] = own.values.reshape(-1, 4)[as_read[present]]
    own_areas = own_numbers(labels, "area")
    return corners, np.where(as_read & ~np.isnan(own_areas), own_areas, areas)
