"""Kinds of mistakes and what each costs, after TIDE.

D. Bolya, S. Foley, J. Hays and J. Hoffman, "TIDE: A General Toolbox for Identifying Object Detection Errors",
ECCV 2020.
"""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .accumulation import accumulate
from .core import Core
from .matches import unmatched
from .matching import FALSE, TRUE
from .overlaps import Pairs, best_of
from .sorting import by_score

__all__ = ["KINDS", "Mistakes", "errors"]

KINDS = ("classification", "localisation", "both", "duplicate", "background", "missed")
CLASSIFICATION, LOCALISATION, BOTH, DUPLICATE, BACKGROUND, MISSED = range(len(KINDS))
BACKGROUND_IOU = 0.1
"""Up to this overlap a prediction lies on nothing."""
_RECALLS = np.arange(101) / 100


class Mistakes(NamedTuple):
    """What is wrong with each prediction, and which labels nothing explains.

    Parameters
    ----------
    rows : numpy.ndarray of int64, shape (e,)
        Rows of the predictions that are wrong, image after image, from the best score down.
    kind : numpy.ndarray of int64, shape (e,)
        Places in `KINDS`.
    label : numpy.ndarray of int64, shape (e,)
        The label that a mistake of class or place was about, -1 for other kinds.
    iou : numpy.ndarray of float64, shape (e,)
        Its overlap with that label, else with the nearest of any class.
    first : numpy.ndarray of bool, shape (e,)
        Whether no better mistake was about that label, and no prediction took it: correcting this one finds it.
    missed : numpy.ndarray of int64, shape (m,)
        Labels that no prediction took and no mistake was about.
    """

    rows: NDArray[np.int64]
    kind: NDArray[np.int64]
    label: NDArray[np.int64]
    iou: NDArray[np.float64]
    first: NDArray[np.bool_]
    missed: NDArray[np.int64]

    @classmethod
    def find(cls, core: Core, iou: float) -> Mistakes:
        """Name the mistakes at one overlap."""
        outcome, took = core.at(iou)
        wrong = np.zeros(len(core.inputs.prediction), bool)
        wrong[core.line.rows] = (outcome != TRUE) & ~core.beyond
        line = np.flatnonzero(wrong[core.image_line.rows])
        rows = core.image_line.rows[line]
        free = np.zeros(len(core.inputs.label), bool)
        free[unmatched(core, took)] = True

        pairs = core.image_pairs.where(~core.ignored[0][core.image_pairs.label])
        same = (
            core.inputs.label.klass[pairs.label] == core.inputs.prediction.klass[core.image_line.rows[pairs.prediction]]
        )
        own, own_iou = _best(core, pairs, same, line)
        other, other_iou = _best(core, pairs, ~same, line)
        _, used_iou = _best(core, pairs, same & ~free[pairs.label], line)
        any_iou = np.maximum(own_iou, other_iou)

        kind = np.select(
            [
                (own_iou >= BACKGROUND_IOU) & (own_iou <= iou),
                other_iou >= iou,
                used_iou >= iou,
                any_iou <= BACKGROUND_IOU,
            ],
            [LOCALISATION, CLASSIFICATION, DUPLICATE, BACKGROUND],
            BOTH,
        )
        label = np.select([kind == LOCALISATION, kind == CLASSIFICATION], [own, other], -1)
        overlap = np.select([kind == LOCALISATION, kind == CLASSIFICATION], [own_iou, other_iou], any_iou)
        about = np.flatnonzero((label >= 0) & (free[label] if len(free) else False))
        first = np.zeros(len(rows), bool)
        first[about[np.unique(label[about], return_index=True)[1]]] = True
        free[label[about]] = False
        return cls(rows, kind, label, overlap, first, np.flatnonzero(free))


def errors(core: Core, iou: float) -> pd.DataFrame:
    """How many mistakes there are of each kind, and what average precision they cost."""
    found = Mistakes.find(core, iou)
    points = _Points(core, iou)
    counts = np.bincount(found.kind, minlength=len(KINDS))
    counts[MISSED] = len(found.missed)
    costs = [max(points.without(found, kind) - points.ap, 0.0) for kind in range(len(KINDS))]
    special = {
        "fp": (int((points.outcome == FALSE).sum()), points.with_scores(points.outcome == TRUE) - points.ap),
        "fn": (
            int(points.missing.sum()),
            points.measure(points.outcome, count=points.count - points.missing) - points.ap,
        ),
    }
    return pd.DataFrame(
        {
            "count": [*counts.tolist(), *(number for number, _ in special.values())],
            "cost": [*costs, *(cost for _, cost in special.values())],
        },
        index=pd.Index([*KINDS, *special], name="error"),
    )


class _Points:
    """Predictions of the classes that have labels, and their average precision where some are corrected."""

    def __init__(self, core: Core, iou: float) -> None:
        self._core = core
        outcome, took = core.at(iou)
        self.klass = core.inputs.prediction.klass
        self.score = core.inputs.prediction.score
        self.outcome = np.full(len(self.klass), -1)  # what is ignored is no point
        self.outcome[core.line.rows] = np.where((outcome == TRUE) | (outcome == FALSE), outcome.astype(int), -1)
        self.count = core.positives[0]
        self.missing = np.bincount(core.inputs.label.klass[unmatched(core, took)], minlength=core.classes)
        self._order = core.image_line.rows

    @cached_property
    def ap(self) -> float:
        """Average precision as it is."""
        return self.measure(self.outcome)

    def without(self, found: Mistakes, kind: int) -> float:
        """Average precision where mistakes of one kind are corrected."""
        if kind == MISSED:
            lost = np.bincount(self._core.inputs.label.klass[found.missed], minlength=len(self.count))
            return self.measure(self.outcome, count=self.count - lost)
        outcome, klass = self.outcome.copy(), self.klass.copy()
        some = found.kind == kind
        outcome[found.rows[some]] = -1
        right = some & found.first
        outcome[found.rows[right]] = TRUE
        klass[found.rows[right]] = self._core.inputs.label.klass[found.label[right]]
        return self.measure(outcome, klass)

    def with_scores(self, score: NDArray[np.bool_]) -> float:
        """Average precision where what is right comes before all that is wrong."""
        return self.measure(self.outcome, score=score.astype(float))

    def measure(
        self,
        outcome: NDArray[np.int64],
        klass: NDArray[np.int64] | None = None,
        score: NDArray[np.float64] | None = None,
        count: NDArray[np.int64] | None = None,
    ) -> float:
        """Mean over the classes with labels; of those that lost all labels only where predictions are left."""
        klass, score = self.klass if klass is None else klass, self.score if score is None else score
        count = self.count if count is None else count
        rows = self._order[outcome[self._order] >= 0]
        rows = rows[by_score(klass[rows], score[rows])]
        curves = accumulate(outcome[None, rows].astype(np.uint8), klass[rows], score[rows], count, _RECALLS)
        each = np.where(count > 0, curves.precision[0].mean(axis=0), 0.0)
        some = (self.count > 0) & ((count > 0) | (np.bincount(klass[rows], minlength=len(count)) > 0))
        return float(each[some].mean()) if some.any() else 0.0


def _best(
    core: Core, pairs: Pairs, some: NDArray[np.bool_], line: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    label, iou = best_of(pairs.where(some), len(core.image_line.rows))
    return label[line], iou[line]
