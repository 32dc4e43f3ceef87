"""Predictions against labels: what matches, and every measure of it as a frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from .figures import Tally, curves, figures, positives
from .inputs import Inputs, Kind, Rule, read_inputs
from .matching import Matching, match
from .overlaps import Pairs, overlaps
from .protocol import Protocol, protocol

__all__ = ["Evaluation", "evaluate"]


def evaluate(
    labels: pd.DataFrame,
    predictions: pd.DataFrame,
    *,
    images: pd.DataFrame | None = None,
    iou: Kind = "bbox",
    iou_thresholds: ArrayLike | None = None,
    max_detections: Sequence[int] = (1, 10, 100),
    area_ranges: Mapping[str, tuple[float, float]] | None = None,
    rule: Rule = "center",
) -> Evaluation:
    """Compare predictions with labels, by COCO's protocol."""
    given = read_inputs(labels, predictions, images, iou, rule)
    return Evaluation(given, protocol(iou_thresholds, max_detections, area_ranges), iou)


class _Line(NamedTuple):
    """Predictions in the order in which they choose: by image and class, then from the best score down."""

    rows: NDArray[np.int64]
    group: NDArray[np.int64]
    rank: NDArray[np.int64]


class Evaluation:
    """What came of :func:`evaluate`."""

    def __init__(self, inputs: Inputs, protocol: Protocol, iou: Kind) -> None:
        self._inputs = inputs
        self._protocol = protocol
        self.iou = iou

    @property
    def labels(self) -> pd.DataFrame:
        """Labels as evaluated."""
        return self._inputs.labels

    @property
    def predictions(self) -> pd.DataFrame:
        """Predictions as evaluated."""
        return self._inputs.predictions

    @property
    def images(self) -> pd.DataFrame:
        """Images as evaluated."""
        return self._inputs.images

    def summary(self) -> pd.Series[float]:
        """The figures of COCO."""
        table = self._figures
        some = ~np.isnan(table)
        means = np.where(some, table, 0).sum(axis=0) / np.maximum(some.sum(axis=0), 1)
        return pd.Series(np.where(some.any(axis=0), means, np.nan), index=self._protocol.figures, name="summary")

    @cached_property
    def _all_curves(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        count = self._positives
        found = [curves(self._tally.within(most), count, self._protocol) for most in self._protocol.max_detections]
        columns = ("precision", "recall", "score")
        stacked = [
            np.stack([np.stack([getattr(one, name) for one in each], axis=-1) for each in found], axis=-1)
            for name in columns
        ]
        return stacked[0], stacked[1], stacked[2]

    @property
    def precision(self) -> NDArray[np.float64]:
        return self._all_curves[0]

    @property
    def recall(self) -> NDArray[np.float64]:
        return self._all_curves[1]

    @property
    def scores(self) -> NDArray[np.float64]:
        return self._all_curves[2]

    # What is computed once

    @cached_property
    def _line(self) -> _Line:
        objects = self._inputs.prediction
        group = objects.image * len(self._inputs.classes) + objects.klass
        order = np.argsort(-objects.score, kind="stable")
        order = order[np.argsort(group[order], kind="stable")]
        group = group[order]
        begins = np.flatnonzero(np.diff(group, prepend=-1))
        rank = np.arange(len(group)) - np.repeat(begins, np.diff(np.append(begins, len(group))))
        keep = rank < self._protocol.max_detections[-1]
        return _Line(order, group, rank) if keep.all() else _Line(order[keep], group[keep], rank[keep])

    @cached_property
    def _pairs(self) -> Pairs:
        label = self._inputs.label
        label_group = label.image * len(self._inputs.classes) + label.klass
        return overlaps(self._inputs.prediction, label, self._line.rows, self._line.group, label_group)

    @cached_property
    def _ignored(self) -> NDArray[np.bool_]:
        label = self._inputs.label
        return self._protocol.outside(label.area) | label.crowd

    @cached_property
    def _matching(self) -> Matching:
        thresholds = self._protocol.iou_thresholds
        return match(self._pairs, self._line.group, thresholds, self._ignored, self._inputs.label.crowd)

    @cached_property
    def _outcome(self) -> NDArray[np.uint8]:
        outside = self._protocol.outside(self._inputs.prediction.area[self._line.rows])
        return self._matching.outcome(self._ignored, outside)

    @cached_property
    def _tally(self) -> Tally:
        rows = self._line.rows
        prediction = self._inputs.prediction
        return Tally.sort(self._outcome, prediction.klass[rows], prediction.score[rows], self._line.rank)

    @cached_property
    def _positives(self) -> NDArray[np.int64]:
        return positives(self._ignored, self._inputs.label.klass, len(self._inputs.classes))

    @cached_property
    def _figures(self) -> NDArray[np.float64]:
        """The figures of each class, shape (K, F)."""
        return figures(self._tally, self._positives, self._protocol)
