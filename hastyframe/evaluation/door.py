"""Where predictions come in: as frames of ours, or as models leave them behind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from ..frames import BOX
from ..intake import as_pandas
from .inputs import check_sides

__all__ = ["predictions_in"]

_SHAPES = ("mask", "polygon", "parts")


def predictions_in(source: Any, labels: pd.DataFrame, images: pd.DataFrame | None, iou: str) -> pd.DataFrame:
    """Return predictions as a frame of ours, itself where it is one.

    Parameters
    ----------
    source : object
        A frame of any library, or what :func:`hastyframe.as_predictions` takes.
    labels, images, iou
        As of :func:`hastyframe.evaluate`.

    Raises
    ------
    ValidationException
        If it is a table whose column ``bbox`` may be two corners, or a corner and a size.
    """
    if (frame := _frame(source)) is not None:
        return frame
    from ..intake.predictions import predictions_on
    from ..intake.tables import is_coco

    table = as_pandas(source)
    if isinstance(table, pd.DataFrame) and not is_coco(table):
        check_sides(table, "predictions")
    return predictions_on(labels, source, images, masks=iou == "mask")


def _frame(source: Any) -> pd.DataFrame | None:
    """Return a frame of ours; None if it is something else."""
    if isinstance(source, Mapping):
        ours = _is_ours(source)
    elif isinstance(source, list | tuple):
        ours = bool(source) and all(isinstance(row, Mapping) and _is_ours(row) for row in source)
    else:
        ours = True
    frame = as_pandas(source, "prediction_id") if ours else None
    return frame if isinstance(frame, pd.DataFrame) and _is_ours(frame) else None


def _is_ours(columns: Any) -> bool:
    """Whether there are the columns that say where something is, as our frames have them."""
    return "image_id" in columns and (all(name in columns for name in BOX) or any(name in columns for name in _SHAPES))
