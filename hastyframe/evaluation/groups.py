"""Figures by the values of a column of images, labels or predictions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import ValidationException
from ..identity import as_index
from .core import Core
from .figures import figures, positives
from .tables import means

__all__ = ["Of", "by"]

Of: TypeAlias = Literal["images", "labels", "predictions"]
Codes: TypeAlias = NDArray[np.int64]

_IDS = {"image_id": "images", "label_id": "labels", "prediction_id": "predictions"}


def by(core: Core, column: str | pd.Series[Any], of: Of | None) -> pd.DataFrame:
    """Figures and counts, a row a value."""
    values, frame = _values(core, column, of)
    codes, names = pd.factorize(values, sort=True, use_na_sentinel=False)
    table, labels, predictions = _WORK[frame](core, codes.astype(np.int64), len(names))
    out = pd.DataFrame(table, index=pd.Index(names, name=values.name), columns=core.protocol.figures)
    return out.assign(labels=labels, predictions=predictions)


def _values(core: Core, column: str | pd.Series[Any], of: Of | None) -> tuple[pd.Series[Any], str]:
    """Values, a row an image, label or prediction, and which of them."""
    frames = {"images": core.inputs.images, "labels": core.inputs.labels, "predictions": core.inputs.predictions}
    if of is not None and of not in frames:
        raise ValidationException(f"of is one of {list(frames)}, not {of!r}.")
    if isinstance(column, pd.Series):
        name = of or _IDS.get(column.index.name)
        if name is None:
            raise ValidationException(f"Name the index of the values, one of {list(_IDS)}, or say what they are of.")
        if not column.index.is_unique:
            raise ValidationException("The values have an id more than once; give each of the rows one value.")
        return _aligned(column, frames[name].index), name
    found = [name for name in ([of] if of else frames) if column in frames[name]]
    if not found:
        known = {name: list(frame.columns) for name, frame in frames.items() if of in (None, name)}
        raise ValidationException(f"There is no column {column!r}; there are {known}.")
    return frames[found[0]][column], found[0]


def _aligned(values: pd.Series[Any], ids: pd.Index[Any]) -> pd.Series[Any]:
    """Bring values into the order of ids, which are the same by value."""
    if values.index.dtype == ids.dtype:
        return values.reindex(ids)
    return values.set_axis(as_index(values.index)).reindex(as_index(ids)).set_axis(ids)


def _by_image(core: Core, codes: Codes, size: int) -> tuple[NDArray[np.float64], Codes, Codes]:
    """Every value and class is a segment of its own; what matches is the same as without values."""
    label, prediction = core.inputs.label, core.inputs.prediction
    segment = codes[label.image] * core.classes + label.klass
    used, segment = np.unique(segment, return_inverse=True)
    own = codes[prediction.image] * core.classes + prediction.klass
    place = np.minimum(np.searchsorted(used, own), max(len(used) - 1, 0))
    there = used[place] == own if len(used) else np.zeros(len(own), bool)
    line = np.flatnonzero(there[core.line.rows])  # a class without labels has no figures
    tally = core.tally(place[core.line.rows], line)
    found = figures(tally, positives(core.ignored, segment, len(used)), core.protocol)
    borders = np.searchsorted(used, np.arange(size + 1) * core.classes)
    table = _stacked(core, (means(found[start:end]) for start, end in pairwise(borders)))
    return table, _count(codes[label.image][~core.ignored[0]], size), _count(codes[prediction.image], size)


def _by_label(core: Core, codes: Codes, size: int) -> tuple[NDArray[np.float64], Codes, Codes]:
    """Labels of other values are ignored, as those of another size are."""
    table = _stacked(core, (means(core.ignoring(codes != value).figures) for value in range(size)))
    _, took = core.at(0.5)
    return table, _count(codes[~core.ignored[0]], size), _count(codes[took[took >= 0]], size)


def _by_prediction(core: Core, codes: Codes, size: int) -> tuple[NDArray[np.float64], Codes, Codes]:
    """Only predictions of the value, against all labels."""
    table = _stacked(core, (means(core.only(codes == value).figures) for value in range(size)))
    return table, np.full(size, (~core.ignored[0]).sum()), _count(codes, size)


def _stacked(core: Core, rows: Iterable[NDArray[np.float64]]) -> NDArray[np.float64]:
    return np.array([*rows], float).reshape(-1, len(core.protocol.figures))


def _count(codes: Codes, size: int) -> Codes:
    return np.bincount(codes, minlength=size)


_WORK: dict[str, Callable[[Core, Codes, int], tuple[NDArray[np.float64], Codes, Codes]]] = {
    "images": _by_image,
    "labels": _by_label,
    "predictions": _by_prediction,
}
