"""Labels and predictions that are likely mistakes of labelling, the likeliest first.

A mistake of the model and a mistake of labelling look alike; the surer the model, the likelier the second.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from . import tide
from .core import Core
from .matches import class_column, ids_of
from .matching import TRUE

__all__ = ["SUSPECTS", "suspects"]

SUSPECTS = pd.CategoricalDtype(["missing label", "unfound label", "class disagreement", "shifted box"])


def suspects(core: Core, iou: float, n: int | None) -> pd.DataFrame:
    """One row for each suspect."""
    labels, predictions = core.inputs.label, core.inputs.prediction
    found = tide.Mistakes.find(core, iou)
    score = predictions.score[found.rows]
    lonely = found.kind == tide.BACKGROUND
    lonely &= ~_ignored(core, iou)[found.rows]
    renamed = (found.kind == tide.CLASSIFICATION) & found.first
    shifted = (found.kind == tide.LOCALISATION) & found.first
    kind = np.select([lonely, renamed, shifted], [0, 2, 3], -1)
    suspicion = score * np.where(renamed, found.iou, 1 - found.iou)
    some = np.flatnonzero(kind >= 0)

    near = _nearest(core)[found.missed]
    unfound = near <= tide.BACKGROUND_IOU
    missed, near = found.missed[unfound], near[unfound]
    sure = _recall(core, iou)[labels.klass[missed]] * (1 - near)

    rows, others = np.append(found.rows[some], np.full(len(missed), -1)), np.append(found.label[some], missed)
    image = np.append(predictions.image[found.rows[some]], labels.image[missed])
    frame = pd.DataFrame(
        {
            "kind": pd.Categorical.from_codes(np.append(kind[some], np.ones(len(missed), int)), dtype=SUSPECTS),
            "image_id": core.inputs.images.index.take(image),
            "label_id": ids_of(core.inputs.labels.index, others),
            "prediction_id": ids_of(core.inputs.predictions.index, rows),
            "class_name": class_column(core, _class_of(labels.klass, others)),
            "predicted_class_name": class_column(core, _class_of(predictions.klass, rows)),
            "score": np.append(score[some], np.full(len(missed), np.nan)),
            "iou": np.append(found.iou[some], near),
            "suspicion": np.append(suspicion[some], sure),
        }
    )
    ranked = frame.sort_values("suspicion", ascending=False, kind="stable", ignore_index=True)
    return ranked if n is None else ranked.head(n)


def _class_of(klass: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.where(rows < 0, -1, klass[rows]) if len(klass) else np.full(len(rows), -1)


def _ignored(core: Core, iou: float) -> NDArray[np.bool_]:
    """Predictions that lie on a crowd."""
    out = np.zeros(len(core.inputs.prediction), bool)
    _, took = core.at(iou)
    out[core.line.rows] = took >= 0
    return out


def _nearest(core: Core) -> NDArray[np.float64]:
    """Greatest overlap of each label with a prediction of whatever class."""
    out = np.zeros(len(core.inputs.label))
    np.maximum.at(out, core.image_pairs.label, core.image_pairs.iou)
    return out


def _recall(core: Core, iou: float) -> NDArray[np.float64]:
    """Share of each class's labels that predictions found."""
    outcome, _ = core.at(iou)
    found = np.bincount(core.inputs.prediction.klass[core.line.rows[outcome == TRUE]], minlength=core.classes)
    return found / np.maximum(core.positives[0], 1)
