"""What each label is, and every kind of it as run-lengths inside a whole-pixel box."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from . import masks
from .blame import blame
from .errors import ValidationException
from .frames import BOX, MASK, arrow_list
from .lists import ragged_of
from .masks import Ragged
from .masks.ragged import offsets_of

__all__ = ["Painted", "Rule", "kinds", "known_sizes", "named", "one_ring_each", "paint"]

Rule: TypeAlias = Literal["center", "coco"]
Painted: TypeAlias = tuple[Ragged, NDArray[np.int64]]


def kinds(labels: pd.DataFrame) -> pd.Series[str]:
    """Tell what each label is: ``mask``, ``polygon``, ``parts``, ``box`` or ``nothing``; the first that it has."""
    kind = np.full(len(labels), "nothing", dtype=object)
    kind[labels[list(BOX)].notna().to_numpy().all(axis=1)] = "box"
    for column in ("parts", "polygon", "mask"):
        if column in labels:
            kind[labels[column].notna().to_numpy()] = column
    return pd.Series(kind, index=labels.index, dtype="object")


def paint(labels: pd.DataFrame, sizes: NDArray[np.float64] | None, file: str, rule: Rule = "center") -> Painted:
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

    Returns
    -------
    runs : Ragged of int32
        Hasty run-lengths, a row a label; none for a label without place.
    boxes : numpy.ndarray of int64, shape (n, 4)
        What they stand in.

    Raises
    ------
    FormatError
        A mask without a box, a polygon that is none, an image without a size; names the label.
    """
    kind = kinds(labels).to_numpy()
    boxes = np.zeros((len(labels), 4), np.int64)
    parts = {}
    for name, work in _WORK.items():
        rows = np.flatnonzero(kind == name)
        if len(rows):
            of = _rows_of(work, labels, sizes, rule)
            parts[name], boxes[rows] = blame(of, rows, named(labels.index), file)
    return _interleaved(parts, kind), boxes


def named(ids: pd.Index[Any]) -> Callable[[int], str]:
    """Name rows in an error, as ``label 'x'``; the name of the index says what they are."""
    noun = str(ids.name or "label_id").removesuffix("_id")
    return lambda row: f"{noun} {ids[row]!r}"


def _interleaved(parts: dict[str, Ragged], kind: NDArray[Any]) -> Ragged:
    """Put the runs of each kind where its rows are."""
    if len(parts) == 1:
        return next(iter(parts.values()))
    lengths = np.zeros(len(kind), np.int64)
    for name, part in parts.items():
        lengths[kind == name] = part.lengths
    values = np.empty(lengths.sum(), np.int32)
    for name, part in parts.items():
        values[np.repeat(kind == name, lengths)] = part.values
    return Ragged(values, offsets_of(lengths))


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


_Sizes: TypeAlias = NDArray[np.int64] | None
_Work: TypeAlias = Callable[[pd.DataFrame, _Sizes, Rule], Painted]


def _rows_of(
    work: _Work, labels: pd.DataFrame, sizes: NDArray[np.float64] | None, rule: Rule
) -> Callable[[NDArray[np.int64]], Painted]:
    return lambda rows: work(labels.iloc[rows], None if sizes is None else known_sizes(sizes[rows]), rule)


def known_sizes(sizes: NDArray[np.float64]) -> NDArray[np.int64]:
    """Sizes as whole numbers; an error where one is missing."""
    if np.isnan(sizes).any():
        raise ValidationException("Its image has no width and height; give both in images.")
    return sizes.astype(np.int64)


def _mask(labels: pd.DataFrame, sizes: _Sizes, rule: Rule) -> Painted:
    boxes = labels[list(BOX)].to_numpy(dtype=float)
    if not (np.isfinite(boxes).all() and (boxes == np.rint(boxes)).all()):
        raise ValidationException("A mask stands in a box of whole pixels, and this box is not one.")
    return ragged_of(labels["mask"], MASK)[0], boxes.astype(np.int64)


def _polygon(labels: pd.DataFrame, sizes: _Sizes, rule: Rule) -> Painted:
    return masks.polygon_to_rle(labels["polygon"], sizes, rule=rule)


def _parts(labels: pd.DataFrame, sizes: _Sizes, rule: Rule) -> Painted:
    return masks.polygon_to_rle(labels["parts"], sizes, rule=rule)


def _box(labels: pd.DataFrame, sizes: _Sizes, rule: Rule) -> Painted:
    corners = labels[list(BOX)].to_numpy(dtype=float)
    if rule == "coco":
        each = np.arange(len(corners) + 1)
        rings = masks.Polygons(corners[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 2), each * 4, each)
        return masks.polygon_to_rle(rings, sizes, rule=rule)
    corners = np.rint(corners)
    if sizes is not None:
        corners = np.clip(corners, 0, sizes[:, [1, 0, 1, 0]])
    boxes = corners.astype(np.int64)
    area = np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0), axis=1)
    if (area > np.iinfo(np.int32).max).any():
        raise ValidationException("A box of 2**31 pixels or more; Hasty counts in 32 bits.")
    runs = np.column_stack([np.ones_like(area), area])[area > 0]
    return Ragged(runs.reshape(-1).astype(np.int32), offsets_of(2 * (area > 0))), boxes


def _nothing(labels: pd.DataFrame, sizes: _Sizes, rule: Rule) -> Painted:
    return Ragged(np.empty(0, np.int32), np.zeros(len(labels) + 1, np.int64)), np.zeros((len(labels), 4), np.int64)


_WORK: dict[str, _Work] = {"mask": _mask, "polygon": _polygon, "parts": _parts, "box": _box, "nothing": _nothing}
