"""Columns of a frame as values for JSON, and the columns that a format has no key for."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .. import frames
from ..entities import Entity, Image, Label
from ..errors import ValidationException
from ..frames import BOX, POLYGON
from ..lists import ragged_of
from ._lists import COCO_ID, KEPT, whole
from ._report import Losses

if TYPE_CHECKING:
    from .label_set import LabelSet

__all__ = [
    "DATASET",
    "DEFAULTS",
    "boxes_out",
    "check_finite",
    "grouped",
    "own_columns",
    "own_numbers",
    "records",
    "report_columns",
    "says_something",
    "values_out",
]

DATASET = "default"
"""The dataset of images whose file names none."""

DEFAULTS: dict[str, Any] = {
    "status": "NEW",
    "dataset_name": DATASET,
    "z_index": 0,
    "class_type": "object",
    "subject_type": "LABEL",
}
"""What a column says where nobody said anything."""


def says_something(column: pd.Series[Any]) -> pd.Series[bool]:
    """Which rows hold a value that is not the one that everybody assumes.

    Examples
    --------
    >>> says_something(pd.Series([0.0, 1.0, None], name="z_index")).tolist()
    [False, True, False]
    """
    there = column.notna()
    return there & (column != DEFAULTS[str(column.name)]) if column.name in DEFAULTS else there


def own_columns(entity: type[Entity], frame: pd.DataFrame) -> list[str]:
    """Columns of a frame that its entity does not declare: what users or files brought along."""
    declared = frames.dtypes(entity)
    return [str(column) for column in frame if column not in declared]


def report_columns(
    losses: Losses, label_set: LabelSet, *, images: Iterable[str], labels: Iterable[str], carried: Iterable[str] = ()
) -> None:
    """Note what a format without room for extras loses: the columns named, all others of one's own, whole frames.

    Parameters
    ----------
    losses : Losses
        Where to note it.
    label_set : LabelSet
        What is being written.
    images, labels : iterable of str
        Declared columns of images and labels that the format has no place for.
    carried : iterable of str
        Columns that are not declared and that it has a place for all the same.
    """
    for entity, frame, declared in ((Image, label_set.images, images), (Label, label_set.labels, labels)):
        own = [name for name in own_columns(entity, frame) if name not in {*carried, *KEPT, COCO_ID}]
        for name in (*declared, *own):
            losses.add(int(says_something(frame[name]).sum()), f"{name} of {entity.plural}")
    for name, what in (("label_attributes", "attribute values"), ("tags", "tags")):
        frame = getattr(label_set, name)
        losses.add(0 if frame is None else len(frame), what)


def values_out(column: pd.Series[Any]) -> list[Any]:
    """Values of a column as JSON has them: None for what is missing, Python numbers, texts and lists."""
    if isinstance(column.dtype, pd.ArrowDtype):
        return frames.arrow_array(column).to_pylist()
    if (endless := _endless(column)).any():
        raise _not_finite(column.index[endless][0], str(column.name))
    if pd.api.types.is_float_dtype(column.dtype) and isinstance(column.dtype, np.dtype):
        numbers = whole(column.fillna(0).to_numpy())
    else:
        numbers = column.tolist()
    missing = column.isna()
    if not missing.any():
        return numbers
    return [None if gone else value for value, gone in zip(numbers, missing.tolist(), strict=True)]


def _endless(column: pd.Series[Any]) -> NDArray[np.bool_]:
    """Find infinite numbers, for which JSON would have nulls."""
    if column.dtype == np.dtype(object):
        return np.fromiter((isinstance(v, float) and math.isinf(v) for v in column), bool, len(column))
    if pd.api.types.is_float_dtype(column.dtype):
        return np.isinf(column.to_numpy(dtype=float, na_value=np.nan))
    return np.zeros(0, bool)


def boxes_out(labels: pd.DataFrame) -> list[list[float] | None]:
    """Boxes ``[x_min, y_min, x_max, y_max]``, None where there is none; whole pixels as integers."""
    boxes = labels[list(frames.BOX)].to_numpy(dtype=float)
    there = ~np.isnan(boxes).any(axis=1)
    rows = whole(np.where(there[:, None], boxes, 0))
    return [row if here else None for row, here in zip(rows, there.tolist(), strict=True)]


def own_numbers(labels: pd.DataFrame, name: str) -> NDArray[np.float64]:
    """Return a column of numbers that labels may have, NaN where there is none.

    Raises
    ------
    ValidationException
        It holds something else.
    """
    if name not in labels:
        return np.full(len(labels), np.nan)
    try:
        numbers: NDArray[np.float64] = labels[name].to_numpy(dtype=float, na_value=np.nan)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValidationException(
            f"A file takes numbers in the column {name!r}: {error}. Convert or drop it."
        ) from error
    if (endless := np.isinf(numbers)).any():
        raise _not_finite(labels.index[endless][0], name)
    return numbers


def check_finite(labels: pd.DataFrame) -> None:
    """Refuse boxes and polygons that no text of a number stands for.

    Raises
    ------
    ValidationException
        A coordinate is infinite or, in a polygon, missing.
    """
    if (endless := np.isinf(labels[list(BOX)].to_numpy(dtype=float)).any(axis=1)).any():
        raise _not_finite(labels.index[endless][0], "box")
    points, _ = ragged_of(labels["polygon"], POLYGON)
    if not np.isfinite(points.values).all():
        at = int(np.argmin(np.isfinite(points.values.reshape(-1, 2)).all(axis=1)))
        row = int(np.searchsorted(points.offsets, at, side="right")) - 1
        raise _not_finite(labels.index[row], "polygon")


def _not_finite(row: Any, name: str) -> ValidationException:
    return ValidationException(f"Row {row!r} has no finite number in {name!r}, and a file holds no other: correct it.")


def records(columns: Mapping[str, Iterable[Any]], extra: Mapping[str, list[Any]] | None = None) -> list[dict[str, Any]]:
    """Make dicts of columns; keys of `extra` only where there is a value."""
    keys = tuple(columns)
    rows = [dict(zip(keys, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    for key, values in (extra or {}).items():
        for row, value in zip(rows, values, strict=True):
            if value is not None:
                row[key] = value
    return rows


def grouped(rows: list[Any], codes: np.ndarray[Any, Any], groups: int) -> list[list[Any]]:
    """Put rows into groups by their group's number, in order."""
    order = np.argsort(codes, kind="stable")
    ends = np.searchsorted(codes[order], np.arange(groups + 1)).tolist()
    ordered = [rows[i] for i in order.tolist()]
    return [ordered[start:end] for start, end in itertools.pairwise(ends)]
