"""COCO results: a file, a list of detections, what pycocotools takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from .. import identity
from ..entities import Label
from ..frames import empty
from ..io import LabelSet, read_coco_detections
from .objects import Objects, unsaid
from .places import Images
from .tables import objects_in_table

__all__ = ["are_detections", "objects_in_detections", "told"]


def are_detections(data: Any) -> bool:
    """Whether data are COCO results: rows as dicts, or their columns.

    Examples
    --------
    >>> are_detections([{"image_id": 1, "category_id": 18, "bbox": [1, 0, 4, 3], "score": 0.5}])
    True
    """
    keys = set(told(data) if isinstance(data, Mapping) else data[0] if data else ())
    return {"image_id", "category_id"} <= keys and bool({"bbox", "segmentation"} & keys)


def told(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns that hold something."""
    return {
        key: values
        for key, values in columns.items()
        if isinstance(values, np.ndarray) or any(value is not None for value in values)
    }


def objects_in_detections(data: Any, images: Images, *, masks: bool) -> Objects:
    """Read COCO results.

    Parameters
    ----------
    data : list of dict, or dict of columns
        What :func:`are_detections` knows.
    images : Images
        Where sizes are looked up, which segmentations are painted in.
    masks : bool
        Whether segmentations are wanted.

    Raises
    ------
    FormatError
        Names every bad row.
    """
    ids = {key: _values(data, key) for key in ("image_id", "category_id")}
    label_set = LabelSet(_images(ids["image_id"], images), empty(Label), _named(ids["category_id"]))
    frame = read_coco_detections(data, label_set, segmentation=masks, on_loss="ignore")
    objects = objects_in_table(frame.drop(columns=["image_name", "class_name"]), None, "the detections")
    objects.rows = pd.RangeIndex(len(frame))
    objects.numbers = True
    crowds = _values(data, "iscrowd")
    if any(crowds):
        objects.more["iscrowd"] = np.array([crowd == 1 for crowd in crowds], bool)
    return objects


def _values(data: Any, key: str) -> Sequence[Any]:
    if isinstance(data, Mapping):
        return data.get(key) or ()
    return [row.get(key) if isinstance(row, Mapping) else None for row in data]


def _named(values: Sequence[Any]) -> pd.DataFrame:
    """Return a frame of the ids that occur, which are their own names."""
    ids = pd.Index(pd.Series(pd.unique(pd.Series(values, dtype=object)), dtype=object).dropna())
    found = pd.Index(identity.texts(ids).unique().drop_null(), dtype="str")
    return pd.DataFrame({"name": found.array}, index=found)


def _images(values: Sequence[Any], images: Images) -> pd.DataFrame:
    """Images of the detections, with the sizes that are known."""
    frame = _named(values)
    rows = images.place(identity.texts(frame.index), unsaid(len(frame)), numbers=True).rows
    sizes = np.full((len(frame), 2), np.nan)
    if len(images.sizes):
        sizes[rows >= 0] = images.sizes[rows[rows >= 0]]
    return frame.assign(height=sizes[:, 0], width=sizes[:, 1])
