"""Labels as lines of YOLO: boxes, or outlines of one ring each, all inside their pictures."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .. import masks
from ..errors import ValidationException
from ..frames import MASK, POLYGON
from ..lists import PARTS, ragged_of
from ..masks import Polygons
from ..masks.ragged import offsets_of
from ..painting import kinds, paint
from ._folders import full_boxes
from ._records import check_finite, own_numbers
from ._report import Losses

if TYPE_CHECKING:
    from .label_set import LabelSet, Task

__all__ = ["TAILS", "lines_of"]

TAILS = ("score", "track_id")
"""Columns whose numbers follow the shape; trainers take no line that has them."""
NOTHING = 1e-6
"""What may be left of scaling there and back, in pixels."""
_OUTLINES = ("mask", "parts", "polygon")


def lines_of(label_set: LabelSet, task: Task, losses: Losses, *, tails: bool) -> list[str]:
    """Write a line a label; an empty text for one without a place in its picture.

    Parameters
    ----------
    label_set : LabelSet
        Its labels.
    task : {"detect", "segment"}
        Whether all are boxes; or, if any has an outline, all are outlines: trainers take no file of both.
    losses : Losses
        Told what becomes something else.
    tails : bool
        Whether scores and tracks follow.
    """
    labels = label_set.labels
    check_finite(labels)
    sizes = _sizes(label_set.images)[label_set.images.index.get_indexer(labels["image_id"])]
    kind = kinds(labels)
    losses.add(int((kind == "nothing").sum()), "labels without place")
    if task == "segment" and kind.isin(_OUTLINES).any():
        losses.add(int((kind == "box").sum()), "boxes beside outlines, which become outlines of four corners")
        losses.add(int(kind.isin(["mask", "parts"]).sum()), "masks and parts, which become outlines of one ring")
        shares = _outlines(labels, kind, sizes, losses)
    else:
        losses.add(int(kind.isin(_OUTLINES).sum()), "masks and polygons, which become their boxes")
        shares = _boxes(full_boxes(labels), sizes, losses)
    numbers = label_set.label_classes.index.get_indexer(labels["class_id"]).tolist()
    ends = _tails(labels) if tails else [""] * len(labels)
    return [
        f"{number} {_text(row)}{end}\n" if row else "" for number, row, end in zip(numbers, shares, ends, strict=True)
    ]


def _sizes(images: pd.DataFrame) -> NDArray[np.float64]:
    sizes = images[["width", "height"]].to_numpy(dtype=float, na_value=np.nan)
    if not (sizes > 0).all():
        name = images["name"].iloc[int(np.argmin((sizes > 0).all(axis=1)))]
        raise ValidationException(f"YOLO holds shares of the images: give width and height of {name!r}.")
    return sizes


def _boxes(boxes: NDArray[np.float64], sizes: NDArray[np.float64], losses: Losses) -> list[list[float]]:
    """Center, width and height of each box, as shares."""
    low, high = boxes[:, :2], boxes[:, 2:]
    inner_low, inner_high = np.clip(low, 0, sizes), np.clip(high, 0, sizes)
    there = ~np.isnan(boxes).any(axis=1)
    gone = there & ((inner_high <= inner_low) & ((high > low) | (low != inner_low) | (high != inner_high))).any(axis=1)
    beyond = np.maximum(np.abs(low - inner_low), np.abs(high - inner_high)).max(axis=1, initial=0)
    _report_cut(losses, there & ~gone & (beyond > NOTHING), gone)
    low, high = inner_low / sizes, inner_high / sizes
    numbers = np.column_stack([(low + high) / 2, high - low]).tolist()
    return [row if here else [] for row, here in zip(numbers, (there & ~gone).tolist(), strict=True)]


def _outlines(
    labels: pd.DataFrame, kind: pd.Series[str], sizes: NDArray[np.float64], losses: Losses
) -> list[list[float]]:
    """Write the outline of each label as one ring, shares of x and y in turn."""
    out: list[list[float]] = [[] for _ in range(len(labels))]
    cut, gone = np.zeros(len(labels), bool), np.zeros(len(labels), bool)
    for rows, whole in _by_kind(labels, kind, sizes):
        shapes, outside = _inside(whole, sizes[rows])
        cut[rows], gone[rows] = outside, np.diff(shapes.offsets) == 0
        points, ends = _one_ring_each(shapes)
        points = points / np.repeat(sizes[rows], np.diff(ends), axis=0)
        flat, bounds = points.reshape(-1).tolist(), (2 * ends).tolist()
        for row, (start, end) in zip(rows.tolist(), itertools.pairwise(bounds), strict=True):
            out[row] = flat[start:end]
    _report_cut(losses, cut & ~gone, gone)
    return out


def _inside(shapes: Polygons, sizes: NDArray[np.float64]) -> tuple[Polygons, NDArray[np.bool_]]:
    """Cut outlines to their pictures; tell which reached out."""
    counts = np.diff(shapes.point_offsets)
    beyond = np.maximum(-shapes.points, shapes.points - np.repeat(sizes, counts, axis=0)).max(axis=1, initial=-1)
    outside = np.zeros(shapes.n, bool)
    outside[np.repeat(np.arange(shapes.n), counts)[beyond > NOTHING]] = True
    return masks.clip_polygons(shapes, sizes[:, ::-1]) if (beyond > 0).any() else shapes, outside


def _report_cut(losses: Losses, cut: NDArray[np.bool_], gone: NDArray[np.bool_]) -> None:
    losses.add(int(cut.sum()), "what reaches out of its picture, cut off")
    losses.add(int(gone.sum()), "labels outside of their pictures, or without pixels")


def _by_kind(
    labels: pd.DataFrame, kind: pd.Series[str], sizes: NDArray[np.float64]
) -> list[tuple[NDArray[np.int64], Polygons]]:
    """Rows of labels of each kind, and their outlines."""
    boxes = full_boxes(labels)
    out = []
    if len(rows := np.flatnonzero(kind == "box")):
        corners = boxes[rows][:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 2)
        starts = np.arange(len(rows) + 1)
        out.append((rows, Polygons(corners, 4 * starts, starts)))
    if len(rows := np.flatnonzero(kind == "polygon")):
        rings, _ = ragged_of(labels["polygon"].iloc[rows], POLYGON)
        out.append((rows, masks.as_polygons((rings.values.reshape(-1, 2), rings.offsets))))
    if len(rows := np.flatnonzero(kind == "mask")):
        runs, _ = ragged_of(labels["mask"].iloc[rows], MASK)
        out.append((rows, masks.rle_to_polygon(runs, boxes[rows])))
    if len(rows := np.flatnonzero(kind == "parts")):
        parts = masks.as_polygons(labels["parts"].iloc[rows].array._pa_array.combine_chunks().cast(PARTS))
        meet = _rings_meet(parts)
        out.append((rows[~meet], _taken(parts, ~meet)))
        if len(rows := rows[meet]):  # a line between rings that overlap would cut the overlap out
            painted, frames = paint(labels.iloc[rows], sizes[rows][:, ::-1], "the labels")
            out.append((rows, masks.rle_to_polygon(painted, frames)))
    return out


def _rings_meet(shapes: Polygons) -> NDArray[np.bool_]:
    """Which objects have rings whose bounds overlap."""
    bounds = masks.polygon_bounds(Polygons(shapes.points, shapes.rings, np.arange(len(shapes.rings))))
    meet = np.zeros(shapes.n, bool)
    for row, (start, end) in enumerate(itertools.pairwise(shapes.offsets.tolist())):
        own = bounds[start:end]
        apart = (own[:, None, :2] >= own[None, :, 2:]).any(axis=2)
        meet[row] = not (apart | apart.T | np.eye(len(own), dtype=bool)).all()
    return meet


def _taken(shapes: Polygons, rows: NDArray[np.bool_]) -> Polygons:
    counts = np.diff(shapes.offsets)
    ring = np.repeat(rows, counts)
    point = np.repeat(ring, np.diff(shapes.rings))
    return Polygons(shapes.points[point], offsets_of(np.diff(shapes.rings)[ring]), offsets_of(counts[rows]))


def _one_ring_each(shapes: Polygons) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Join the rings of each object: from the first to each other and back on one line, which encloses nothing."""
    counts = np.diff(shapes.offsets)
    if (counts <= 1).all():
        return shapes.points, shapes.point_offsets
    rings, offsets = shapes.rings.tolist(), shapes.offsets.tolist()
    order, lengths = [], []
    for start, end in itertools.pairwise(offsets):
        own = [*range(rings[start], rings[end])]
        if end - start > 1:
            home = rings[start]
            own = [at for r in range(start, end) for at in (*range(rings[r], rings[r + 1]), rings[r], home)]
            del own[rings[start + 1] - home + 1]  # the first ring is at home when it is closed
        order += own
        lengths.append(len(own))
    return shapes.points[order], offsets_of(np.array(lengths, np.int64))


def _tails(labels: pd.DataFrame) -> list[str]:
    pairs = zip(*(own_numbers(labels, name).tolist() for name in TAILS), strict=True)
    return [_score(score) + ("" if math.isnan(track) else f" {track:.0f}") for score, track in pairs]


def _score(score: float) -> str:
    return "" if math.isnan(score) else f" {_number(score)}"


def _text(row: list[float]) -> str:
    *others, last = row
    return f"{' '.join(f'{share:.15g}' for share in others)} {_number(last)}"


def _number(value: float) -> str:
    """Write a number that ends a line with a point: whole ones are read as ids of tracks."""
    text = f"{value:.15g}"
    return text if "." in text or "e" in text else f"{text}.0"
