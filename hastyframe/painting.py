"""What each label is, and every kind of it as run-lengths inside a whole-pixel box."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from . import masks
from .bad_rows import locate_bad_row, naming_outlines
from .errors import ValidationException
from .frames import BOX, MASK, arrow_list
from .lists import ragged_of
from .masks import Ragged
from .masks.blocks import blocks_of, stacked
from .masks.ragged import offsets_of, spread
from .masks.scanline import polygon_blocks, polygon_extent

__all__ = ["Painted", "Rule", "extent", "kinds", "known_sizes", "named", "one_ring_each", "paint"]

Rule: TypeAlias = Literal["center", "coco"]
Painted: TypeAlias = tuple[Ragged, NDArray[np.int64]]

_KINDS = ("nothing", "box", "parts", "polygon", "mask")
"""What a label can be; of several the last."""


def kinds(labels: pd.DataFrame) -> pd.Series[str]:
    """Tell what each label is: ``mask``, ``polygon``, ``parts``, ``box`` or ``nothing``; the first that it has."""
    return pd.Series(np.array(_KINDS, dtype=object)[_numbered(labels)], index=labels.index, dtype="object")


def _numbered(labels: pd.DataFrame) -> NDArray[np.int8]:
    """Tell what each label is by its place in `_KINDS`."""
    number = labels[list(BOX)].notna().to_numpy().all(axis=1).astype(np.int8)
    for place, column in enumerate(_KINDS[2:], 2):
        if column in labels:
            number[labels[column].notna().to_numpy()] = place
    return number


def paint(
    labels: pd.DataFrame,
    sizes: NDArray[np.float64] | None,
    file: str,
    rule: Rule = "center",
    *,
    beside: Painted | None = None,
) -> Painted:
    """Paint labels into their images.

    A mask stays as it is, a polygon is filled, a box is filled where there is nothing finer; all but masks are cut to
    the image.

    Parameters
    ----------
    labels : pandas.DataFrame
        Rows of a labels frame.
    sizes : numpy.ndarray, shape (n, 2), optional
        Height and width of each label's image; without it nothing is cut.
    file : str
        What to call the whole in an error.
    rule : {"center", "coco"}
        Which pixels are inside, see :func:`hastyframe.masks.polygon_to_rle`. ``"coco"`` needs `sizes`, and paints a box
        as the polygon of its corners.
    beside : (Ragged, numpy.ndarray), optional
        What this function gave for rows that have no pixels this time, as in an image of 0 by 0.

    Returns
    -------
    runs : Ragged of int32
        Hasty run-lengths, a row a label; none for a label without place.
    boxes : numpy.ndarray of int64, shape (n, 4)
        What they stand in.

    Raises
    ------
    FormatError
        A mask without a box, a polygon that is not valid, an image without a size; names the label.
    """
    parts, boxes = _row_by_row(_painted, labels, sizes, file, rule)
    if beside is not None:
        parts, boxes = [*parts, [beside[0]]], boxes + beside[1]
    return _together(parts, len(labels)), boxes


def extent(labels: pd.DataFrame, sizes: NDArray[np.float64] | None, file: str, rule: Rule) -> NDArray[np.int64]:
    """Boxes that :func:`paint` paints within, without painting; it refuses what that refuses.

    Parameters
    ----------
    labels, sizes, file, rule
        As in :func:`paint`.

    Returns
    -------
    numpy.ndarray of int64, shape (n, 4)
    """
    boxes: NDArray[np.int64] = _row_by_row(_extent, labels, sizes, file, rule)
    return boxes


def _row_by_row(
    work: Callable[..., Any], labels: pd.DataFrame, sizes: NDArray[np.float64] | None, file: str, rule: Rule
) -> Any:
    """Work on all labels at once; an error names the first bad one."""
    kind = _numbered(labels)

    def of(rows: NDArray[np.int64]) -> Any:
        if len(rows) == len(labels):
            return work(labels, kind, sizes, rule)
        return work(labels.iloc[rows], kind[rows], None if sizes is None else sizes[rows], rule)

    with naming_outlines(labels, file):
        return locate_bad_row(of, np.arange(len(labels)), named(labels.index), file)


def _extent(
    labels: pd.DataFrame, kind: NDArray[np.int8], sizes: NDArray[np.float64] | None, rule: Rule
) -> NDArray[np.int64]:
    boxes = np.zeros((len(labels), 4), np.int64)
    for name, chosen, own in _by_kind(kind, sizes):
        if name == "mask":
            boxes += _mask(labels, chosen)[1]
        else:
            boxes += polygon_extent(_outlines(labels, name, chosen), own, rule=rule)
    return boxes


def _painted(
    labels: pd.DataFrame, kind: NDArray[np.int8], sizes: NDArray[np.float64] | None, rule: Rule
) -> tuple[list[list[Ragged]], NDArray[np.int64]]:
    """Run-lengths of each kind of label in blocks of rows, and the boxes of all."""
    parts, boxes = [], np.zeros((len(labels), 4), np.int64)
    for name, chosen, own in _by_kind(kind, sizes):
        if name == "mask":
            blocks = [_mask(labels, chosen)]
        elif name == "box" and rule == "center":
            blocks = [_box(_corners(labels, chosen), own)]
        else:
            blocks = polygon_blocks(_outlines(labels, name, chosen), own, rule=rule)
        parts.append([runs for runs, _ in blocks])
        boxes += np.concatenate([found for _, found in blocks])
    return parts, boxes


def _by_kind(
    kind: NDArray[np.int8], sizes: NDArray[np.float64] | None
) -> Iterator[tuple[str, NDArray[np.bool_], NDArray[np.int64] | None]]:
    """Go through the kinds that are there: which labels are of it, and the sizes of their images, of others 0."""
    for place, name in enumerate(_KINDS[1:], 1):
        chosen = kind == place
        if chosen.any():
            yield name, chosen, None if sizes is None else known_sizes(np.where(chosen[:, None], sizes, 0))


def _together(parts: list[list[Ragged]], count: int) -> Ragged:
    """Put `count` rows together, each of which one part has at most, from blocks of the rows of each part."""
    parts = [part for part in parts if any(len(block.values) for block in part)]
    if not parts:
        return Ragged(np.empty(0, np.int32), np.zeros(count + 1, np.int64))
    if len(parts) == 1:
        return stacked(parts[0])
    offsets = offsets_of(sum(np.concatenate([block.lengths for block in part]) for part in parts))
    values = np.empty(int(offsets[-1]), np.int32)
    *others, largest = sorted(parts, key=lambda part: sum(len(block.values) for block in part))
    rest = np.ones(len(values), bool)
    for which, some in chain.from_iterable(map(_placed, others)):
        place = spread(offsets[which], some.lengths, some.offsets)
        values[place], rest[place] = some.values, False
    for which, some in _placed(largest):
        here = slice(offsets[which.start], offsets[which.stop])
        values[here][rest[here]] = some.values  # many at a time
    return Ragged(values, offsets)


def _placed(blocks: list[Ragged]) -> Iterator[tuple[slice, Ragged]]:
    """Go through blocks of rows some at a time: which rows, and the rows."""
    first = 0
    for block in blocks:
        for which, some in blocks_of(block, 2**18):
            yield slice(first + which.start, first + which.stop), some
        first += block.n


def named(ids: pd.Index[Any]) -> Callable[[int], str]:
    """Name rows in an error, as ``label 'x'``; the name of the index says what they are."""
    noun = str(ids.name or "label_id").removesuffix("_id")
    return lambda row: f"{noun} {ids[row]!r}"


def one_ring_each(labels: pd.DataFrame, images: pd.DataFrame) -> pd.DataFrame:
    """Labels, those that are only parts as masks: a polygon of the platform has one ring."""
    rows = np.flatnonzero(kinds(labels) == "parts")
    if not len(rows):
        return labels
    place = images.index.get_indexer(labels["image_id"].iloc[rows])
    sizes = images[["height", "width"]].to_numpy(dtype=float, na_value=np.nan)[place]
    runs, boxes = paint(labels.iloc[rows], sizes, "labels")
    labels = labels.copy()
    labels.iloc[rows, labels.columns.get_indexer(list(BOX))] = boxes
    column = labels["mask"].astype(object)
    column.iloc[rows] = runs.to_list()
    labels["mask"] = arrow_list(column, pd.ArrowDtype(MASK)).array
    return labels


def known_sizes(sizes: NDArray[np.float64]) -> NDArray[np.int64]:
    """Sizes as whole numbers; an error where one is missing."""
    if np.isnan(sizes).any():
        raise ValidationException("Its image has no width and height; give both in images.")
    return sizes.astype(np.int64)


def _mask(labels: pd.DataFrame, chosen: NDArray[np.bool_]) -> Painted:
    boxes = _corners(labels, chosen)
    if not (np.isfinite(boxes).all() and (boxes == np.rint(boxes)).all()):
        raise ValidationException("A mask stands in a box of whole pixels, and this box is not one.")
    return ragged_of(labels["mask"], MASK)[0], boxes.astype(np.int64)


def _outlines(labels: pd.DataFrame, name: str, chosen: NDArray[np.bool_]) -> Any:
    """Polygons, parts or boxes as outlines, of what is not chosen none."""
    if name != "box":
        return _only(labels[name], chosen)
    corners = _corners(labels, chosen)[chosen]
    points = corners[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 2)
    return masks.Polygons(points, 4 * np.arange(len(corners) + 1), offsets_of(chosen))


def _only(column: pd.Series[Any], chosen: NDArray[np.bool_]) -> pd.Series[Any] | list[Any]:
    """Blank out what is not chosen; nearly always there is nothing to do, and then nothing is copied."""
    if not isinstance(column.dtype, pd.ArrowDtype):  # of objects pandas blanks out with NaN, which is no outline
        return [value if is_ else None for value, is_ in zip(column, chosen, strict=True)]
    return column if column.count() == chosen.sum() else column.where(chosen)


def _corners(labels: pd.DataFrame, chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.where(chosen[:, None], labels[list(BOX)].to_numpy(dtype=float), 0)


def _box(corners: NDArray[np.float64], sizes: NDArray[np.int64] | None) -> Painted:
    corners = np.rint(corners)
    if sizes is not None:
        corners = np.clip(corners, 0, sizes[:, [1, 0, 1, 0]])
    boxes = corners.astype(np.int64)
    area = np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0), axis=1)
    if (area > np.iinfo(np.int32).max).any():
        raise ValidationException("A box of 2**31 pixels or more; Hasty counts in 32 bits.")
    runs = np.column_stack([np.ones_like(area), area])[area > 0]
    return Ragged(runs.reshape(-1).astype(np.int32), offsets_of(2 * (area > 0))), boxes
