"""What became of each prediction and each label, a row each; and the same counted across classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .core import Core
from .matching import FALSE, IGNORED, TRUE, match
from .overlaps import Pairs, best_of

__all__ = ["OUTCOMES", "class_column", "confusion", "ids_of", "iou_of", "matches", "unmatched"]

OUTCOMES = pd.CategoricalDtype(["tp", "fp", "fn", "ignored"])
_CODES = {TRUE: 0, FALSE: 1, IGNORED: 3}
_MISSED = 2


def matches(core: Core, iou: float, score: float) -> pd.DataFrame:
    """One row for each prediction, in their order, then one for each missed label."""
    outcome, label = core.at(iou)
    labels, predictions = core.inputs.label, core.inputs.prediction
    code, took, overlap = np.full(len(predictions), 3), np.full(len(predictions), -1), np.full(len(predictions), np.nan)
    rows = core.line.rows
    code[rows] = np.array([_CODES[value] for value in range(3)])[outcome]
    took[rows] = label
    some = np.flatnonzero(label >= 0)
    overlap[rows[some]] = iou_of(core.pairs_from(iou), some, label[some], len(labels))
    nearest, nearness = _nearest(core)

    kept = np.flatnonzero(predictions.score >= score)
    missed = unmatched(core, took[kept])
    one, other = np.append(kept, np.full(len(missed), -1)), np.append(took[kept], missed)
    klass = np.append(predictions.klass[kept], labels.klass[missed])
    near = np.append(nearest[kept], np.full(len(missed), -1))
    gap = np.full(len(missed), np.nan)
    image = np.append(predictions.image[kept], labels.image[missed])
    return pd.DataFrame(
        {
            "prediction_id": ids_of(core.inputs.predictions.index, one),
            "label_id": ids_of(core.inputs.labels.index, other),
            "image_id": core.inputs.images.index.take(image),
            "class_name": class_column(core, klass),
            "predicted_class_name": class_column(core, np.where(one < 0, -1, klass)),
            "score": np.append(predictions.score[kept], gap),
            "iou": np.append(overlap[kept], gap),
            "outcome": pd.Categorical.from_codes(np.append(code[kept], np.full(len(missed), _MISSED)), dtype=OUTCOMES),
            "nearest_label_id": ids_of(core.inputs.labels.index, near),
            "nearest_class_name": class_column(core, np.where(near < 0, -1, labels.klass[near] if len(labels) else -1)),
            "nearest_iou": np.where(near < 0, np.nan, np.append(nearness[kept], gap)),
        }
    )


def unmatched(core: Core, took: NDArray[np.int64]) -> NDArray[np.int64]:
    """Labels that count and that nobody took."""
    free = ~core.ignored[0]
    free[took[took >= 0]] = False
    return np.flatnonzero(free)


def confusion(core: Core, iou: float, score: float) -> pd.DataFrame:
    """Count labels by their class and the class of the prediction that took them, whatever that is."""
    line, labels, classes = core.image_line, core.inputs.label, core.classes
    kept = core.inputs.prediction.score[line.rows] >= score
    pairs = core.image_pairs
    pairs = pairs.where(kept[pairs.prediction])
    matching = match(pairs, line.group, np.array([iou]), core.ignored[:1], labels.crowd)
    label = np.full(len(line.rows), -1)
    label[matching.prediction] = matching.label[:, 0, 0]
    outside = core.protocol.outside(core.inputs.prediction.area[line.rows])[0]
    counts = kept & np.where(label >= 0, ~core.ignored[0][label] if len(labels) else True, ~outside)
    predicted = core.inputs.prediction.klass[line.rows[counts]]
    true = np.where(label[counts] >= 0, labels.klass[label[counts]] if len(labels) else -1, classes)
    missed = labels.klass[unmatched(core, label[kept])]
    rows, columns = np.append(true, missed), np.append(predicted, np.full(len(missed), classes))
    table = np.bincount(rows * (classes + 1) + columns, minlength=(classes + 1) ** 2).reshape(classes + 1, -1)
    names = pd.Index([*core.inputs.classes, "background"])
    return pd.DataFrame(table, names.rename("class_name"), names.rename("predicted_class_name"))


def _nearest(core: Core) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """For each prediction the label that it overlaps most, of whatever class; crowds are none."""
    pairs = core.image_pairs
    near, overlap = best_of(pairs.where(~core.inputs.label.crowd[pairs.label]), len(core.image_line.rows))
    nearest, nearness = np.empty_like(near), np.empty_like(overlap)
    nearest[core.image_line.rows], nearness[core.image_line.rows] = near, overlap
    return nearest, nearness


def iou_of(pairs: Pairs, prediction: NDArray[np.int64], label: NDArray[np.int64], labels: int) -> NDArray[np.float64]:
    """Overlap of predictions and labels that are among the pairs."""
    found: NDArray[np.float64] = pairs.iou[
        np.searchsorted(pairs.prediction * labels + pairs.label, prediction * labels + label)
    ]
    return found


def ids_of(index: pd.Index[Any], rows: NDArray[np.int64]) -> Any:
    """Ids of some rows; missing for -1."""
    ids = index if isinstance(index.dtype, pd.StringDtype) else index.astype(object)
    return ids.array.take(rows, allow_fill=True)


def class_column(core: Core, klass: NDArray[np.int64]) -> pd.Categorical:
    """Names of classes; missing for -1."""
    return pd.Categorical.from_codes(klass, categories=core.inputs.classes.rename(None))
