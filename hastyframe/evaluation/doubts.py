"""Warnings where an evaluation is probably a mistake: nothing in common, spellings that differ, boxes against masks."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..errors import EvaluationWarning
from ..identity import texts

__all__ = ["warn_of_boxes", "warn_of_classes", "warn_of_images", "warn_of_shares", "why_unknown"]

_SHOWN = 3
_LOOKED_AT = 1000
"""Ids that are looked at for a reason; the same one holds for all of them, or none does."""
_FINER = ("mask", "polygon", "parts")


def warn_of_images(labels: pd.DataFrame, predictions: pd.DataFrame, own: pa.Array, other: pa.Array) -> None:
    """Warn if labels and predictions have no image in common."""
    if not len(own) or not len(other) or pc.any(pc.is_in(other, value_set=own)).as_py():
        return
    names = texts(labels["image_name"], "name").drop_null() if "image_name" in labels else own[:0]
    why = why_unknown(other, own, pd.DataFrame({"name": names.to_pylist()}) if len(names) else None)
    _warn(
        "Labels and predictions have no image in common, so that nothing can match: the labels are on "
        f"{_first(own.unique().to_pylist())}, the predictions on {_first(other.unique().to_pylist())}.{why}"
    )


def why_unknown(ids: pa.Array, known: pa.Array, images: pd.DataFrame | None) -> str:
    """Say how ids of images would be found among those that are known, if that is seen; else nothing."""
    some = [text for text in ids.unique()[:_LOOKED_AT].to_pylist() if text is not None]
    if images is not None and "name" in images:
        names = {text for text in texts(images["name"], "name").to_pylist() if text is not None}
        if not names.isdisjoint(some):
            return " They are file names: replace them by the ids of their images, which have them in 'name'."
        if not {_file(name) for name in names}.isdisjoint(map(_file, some)):
            return " They are paths of files: leave off the folder, and replace the names by the ids of their images."
    there = set(known.to_pylist())
    for words, spelled in _SPELLINGS.items():
        if not {spelled(text) for text in there if text is not None}.isdisjoint(map(spelled, some)):
            return f" They match {words}: bring both sides to one spelling."
    return ""


def warn_of_classes(
    by: str, own: Sequence[str], other: Sequence[str], used: NDArray[np.integer[Any]] | Sequence[int]
) -> None:
    """Warn if labels and predictions have no class in common, or some that differ but for their spelling.

    Parameters
    ----------
    by : str
        What classes go by.
    own, other : list of str
        The classes of labels and of predictions.
    used : sequence of int
        Which of `other` predictions are of.
    """
    predicted = [other[code] for code in used]
    if not set(own).isdisjoint(predicted):
        known = {_plain(text): text for text in reversed(own)}
        alike = [(text, known[_plain(text)]) for text in predicted if text not in own and _plain(text) in known]
        if alike and by == "class_name":
            pairs = ", ".join(f"{text!r} and {same!r}" for text, same in alike[:_SHOWN])
            _warn(
                f"Predictions are of classes ({by}) that no label has but for capitals, spaces and hyphens, so that "
                f"they match nothing: {pairs}. Bring both sides to one spelling."
            )
        return
    same = {_plain(text) for text in own} & {_plain(text) for text in predicted}
    why = " They match but for capitals, spaces and hyphens: bring both sides to one spelling." if same else ""
    _warn(
        f"Labels and predictions have no class in common ({by}), so that nothing can match: the labels have "
        f"{_first(own)}, the predictions {_first(predicted)}.{why}"
    )


def warn_of_boxes(labels: pd.DataFrame, predictions: pd.DataFrame) -> None:
    """Warn if one side is boxes only where masks are compared, and the other is not."""
    sides = {"predictions": predictions, "labels": labels}
    finer = {name: _has_finer(frame) for name, frame in sides.items()}
    if finer["predictions"] == finer["labels"] or not (len(labels) and len(predictions)):
        return
    bare, other = ("labels", "predictions") if finer["predictions"] else ("predictions", "labels")
    _warn(
        f'iou="mask", and the {bare} are boxes only: they are painted, and held against the masks of the {other}. '
        f'Give {bare} with masks or polygons, or compare boxes with iou="bbox".'
    )


def warn_of_shares(labels: NDArray[np.float64], predictions: NDArray[np.float64]) -> None:
    """Warn if all boxes of one side lie within one pixel, as shares of an image do, and those of the other do not."""
    if not len(labels) or not len(predictions):
        return
    farthest = {name: np.nanmax(boxes) for name, boxes in (("labels", labels), ("predictions", predictions))}
    for name, other in (("labels", "predictions"), ("predictions", "labels")):
        if farthest[name] <= 1 < farthest[other]:
            _warn(
                f"All boxes of the {name} lie within one pixel, and those of the {other} do not: the {name} seem to be "
                "shares of their images. Multiply them by width and height."
            )


def _has_finer(frame: pd.DataFrame) -> bool:
    return any(bool(frame[name].notna().any()) for name in _FINER if name in frame)


def _first(values: Iterable[str]) -> str:
    values = [*values]
    return ", ".join(map(repr, values[:_SHOWN])) + (", …" if len(values) > _SHOWN else "")


def _file(text: str) -> str:
    return PurePosixPath(text.replace("\\", "/")).name


def _plain(text: str) -> str:
    return "".join(text.casefold().replace("-", " ").replace("_", " ").split())


_SPELLINGS: Mapping[str, Callable[[str], str]] = {
    "once the folder is left off": _file,
    "once folder and file type are left off": lambda text: PurePosixPath(_file(text)).stem,
    "but for capitals and spaces": lambda text: text.casefold().strip(),
    "once zeros in front are left off": lambda text: text.lstrip("0"),
}
"""How the ids of two sides may differ that mean the same images."""


def _warn(text: str) -> None:
    warnings.warn(text, EvaluationWarning, stacklevel=6)
