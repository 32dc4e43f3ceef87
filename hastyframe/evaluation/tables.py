"""Figures and curves of classes as frames."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .accumulation import accumulate
from .core import Core
from .matches import class_column, unmatched
from .matching import FALSE, IGNORED, TRUE
from .sorting import by_score

__all__ = ["best_thresholds", "f1_curve", "means", "per_class", "pr_curve"]


def means(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means of columns without what is missing; NaN where all is."""
    some = ~np.isnan(table)
    total = np.where(some, table, 0.0).sum(axis=0)
    return np.divide(total, some.sum(axis=0), out=np.full(total.shape, np.nan), where=some.any(axis=0))


def per_class(core: Core) -> pd.DataFrame:
    """Figures and counts, a row a class."""
    outcome, took = core.at(0.5)
    klass = core.inputs.prediction.klass[core.line.rows]
    counts = {
        "labels": core.inputs.label.klass[~core.ignored[0]],
        "predictions": core.inputs.prediction.klass,
        "tp": klass[outcome == TRUE],
        "fp": klass[outcome == FALSE],
        "fn": core.inputs.label.klass[unmatched(core, took)],
    }
    frame = pd.DataFrame(core.figures, index=core.inputs.classes, columns=core.protocol.figures)
    return frame.assign(**{name: np.bincount(value, minlength=core.classes) for name, value in counts.items()})


def pr_curve(core: Core, iou: float) -> pd.DataFrame:
    """Precision at COCO's recalls, for each class with labels."""
    outcome, klass, score = _sorted(core, iou)
    count = core.positives[0]
    curves = accumulate(outcome[None], klass, score, count, core.protocol.recall_thresholds)
    some = np.flatnonzero(count)
    recall = core.protocol.recall_thresholds
    reached = recall[:, None] <= np.where(count, curves.recall[0], 0)
    reached &= np.bincount(klass, minlength=core.classes) > 0
    return pd.DataFrame(
        {
            "class_name": class_column(core, np.repeat(some, len(recall))),
            "recall": np.tile(recall, len(some)),
            "precision": curves.precision[0][:, some].T.reshape(-1),
            "score": np.where(reached, curves.score[0], np.nan)[:, some].T.reshape(-1),
        }
    )


def f1_curve(core: Core, iou: float) -> pd.DataFrame:
    """Precision, recall and F1 where predictions from a score on are kept, for each class with labels."""
    outcome, klass, score = _sorted(core, iou)
    counts = (core.positives[0][klass] > 0) & (outcome != IGNORED)
    outcome, klass, score = outcome[counts], klass[counts], score[counts]
    begin = np.searchsorted(klass, klass)
    true = np.cumsum(outcome == TRUE)
    tp = true - np.append(0, true)[begin]
    predicted = np.arange(1, len(klass) + 1) - begin
    # A threshold keeps all predictions of its score: the last of equals has them all.
    last = np.append((np.diff(klass) != 0) | (np.diff(score) != 0), True)[: len(klass)]
    klass, score, tp, predicted = klass[last], score[last], tp[last], predicted[last]
    count = core.positives[0][klass]
    return pd.DataFrame(
        {
            "class_name": class_column(core, klass),
            "score": score,
            "precision": tp / predicted,
            "recall": tp / count,
            "f1": 2 * tp / (predicted + count),
        }
    )


def best_thresholds(core: Core, iou: float) -> pd.DataFrame:
    """Score with the greatest F1, of equals the highest; a row for each class with labels."""
    curve = f1_curve(core, iou)
    best = curve.sort_values("f1", ascending=False, kind="stable").drop_duplicates("class_name")
    names = core.inputs.classes[core.positives[0] > 0]
    frame = best.astype({"class_name": names.dtype}).set_index("class_name").reindex(names)
    return frame.fillna({"recall": 0.0, "f1": 0.0})


def _sorted(core: Core, iou: float) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.float64]]:
    """Say what became of predictions at one overlap, with class and score, in the order of :func:`by_score`."""
    outcome, _ = core.at(iou)
    klass, score = core.inputs.prediction.klass[core.line.rows], core.inputs.prediction.score[core.line.rows]
    order = by_score(klass, score)
    return outcome[order], klass[order], score[order]
