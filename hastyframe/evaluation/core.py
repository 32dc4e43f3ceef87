"""What is computed once and measured many times: overlaps, matches and what became of each prediction."""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .figures import Tally, figures, positives
from .inputs import Inputs
from .matching import IGNORED, Matching, least_of, match, ranks
from .overlaps import Pairs, overlaps
from .protocol import Protocol
from .sorting import order_of, turns

__all__ = ["Core", "Line"]


class Line(NamedTuple):
    """Predictions in the order in which they choose: by group, then from the best score down.

    Parameters
    ----------
    rows : numpy.ndarray of int64, shape (d,)
        Rows of the predictions.
    group : numpy.ndarray of int64, shape (d,)
        The group of each: an image, or an image and a class.
    rank : numpy.ndarray of int64, shape (d,)
        Its place in the group, from 0.
    """

    rows: NDArray[np.int64]
    group: NDArray[np.int64]
    rank: NDArray[np.int64]

    @classmethod
    def up(cls, group: NDArray[np.int64], turn: NDArray[np.int64]) -> Line:
        """Line up predictions by group, then turn; what is equal stays in order."""
        order = order_of(turn, group)
        group = group.take(order)
        return cls(order, group, ranks(group))

    def only(self, keep: NDArray[np.bool_]) -> Line:
        """Keep some of the predictions, with the ranks that they have among themselves."""
        rows, group = self.rows[keep], self.group[keep]
        return Line(rows, group, ranks(group))


class Core:
    """Labels and predictions, matched under a protocol.

    Parameters
    ----------
    inputs : Inputs
        Labels and predictions.
    protocol : Protocol
        What is measured.
    """

    def __init__(self, inputs: Inputs, protocol: Protocol) -> None:
        self.inputs = inputs
        self.protocol = protocol
        self.classes = len(inputs.classes)

    @cached_property
    def turn(self) -> NDArray[np.int64]:
        """Place of each prediction by score, from the best; of equals the same."""
        return turns(self.inputs.prediction.score)

    # In each image and class, as COCO matches -------------------------------------------------------------------------

    @cached_property
    def line(self) -> Line:
        """Predictions in the order of images and classes."""
        objects = self.inputs.prediction
        return Line.up(objects.image * self.classes + objects.klass, self.turn)

    @cached_property
    def beyond(self) -> NDArray[np.bool_]:
        """Predictions of `line` that are too many for their image and class: they take no label, and do not count."""
        return self.line.rank >= self.protocol.max_detections[-1]

    @cached_property
    def pairs(self) -> Pairs:
        """Overlaps of the predictions of `line` with labels of their class, where it is enough for a threshold."""
        return self._overlaps(least_of(self.protocol.iou_thresholds))

    @cached_property
    def all_pairs(self) -> Pairs:
        """The same where it is not."""
        return self._overlaps(0.0)

    def _overlaps(self, least: float) -> Pairs:
        label = self.inputs.label
        label_group = label.image * self.classes + label.klass
        return overlaps(self.inputs.prediction, label, self.line.rows, self.line.group, label_group, least)

    def pairs_from(self, iou: float) -> Pairs:
        """All overlaps of `iou` and more, and maybe lesser ones."""
        return self.pairs if iou >= self.protocol.iou_thresholds.min() else self.all_pairs

    @cached_property
    def ignored(self) -> NDArray[np.bool_]:
        """Labels that do not count, by area range, shape (A, g)."""
        label = self.inputs.label
        return self.protocol.outside(label.area) | label.crowd

    @cached_property
    def outside(self) -> NDArray[np.bool_]:
        """Predictions of `line` that are no mistake if they match nothing, by area range, shape (A, d)."""
        return self.protocol.outside(self.inputs.prediction.area[self.line.rows])

    @cached_property
    def matching(self) -> Matching:
        """Matches at all thresholds, for all area ranges."""
        return self.match_again(self.ignored, self.protocol.iou_thresholds)

    def match_again(self, ignored: NDArray[np.bool_], thresholds: NDArray[np.float64]) -> Matching:
        """Match with other labels ignored, or at other thresholds; the overlaps stay."""
        pairs = self.pairs_from(thresholds.min())
        if self.beyond.any():
            pairs = pairs.where(~self.beyond[pairs.prediction])
        return match(pairs, self.line.group, thresholds, ignored, self.inputs.label.crowd)

    @cached_property
    def outcome(self) -> NDArray[np.uint8]:
        """What became of each prediction of `line`, shape (A, T, d)."""
        return self.matching.outcome(self.ignored, self.outside)

    def at(self, iou: float) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Say what became of each prediction of `line` at one overlap, for all sizes, and which label it took.

        Returns
        -------
        outcome : numpy.ndarray of uint8, shape (d,)
        label : numpy.ndarray of int64, shape (d,)
            -1 for none.
        """
        place = np.flatnonzero(np.isclose(self.protocol.iou_thresholds, iou, rtol=0, atol=1e-12))
        label = np.full(len(self.line.rows), -1)
        if len(place):
            label[self.matching.prediction] = self.matching.label[:, place[0], 0]
            return np.where(self.beyond, np.uint8(IGNORED), self.outcome[0, place[0]]), label
        matching = self.match_again(self.ignored[:1], np.array([iou]))
        label[matching.prediction] = matching.label[:, 0, 0]
        outcome = matching.outcome(self.ignored[:1], self.outside[:1])[0, 0]
        return np.where(self.beyond, np.uint8(IGNORED), outcome), label

    # The same with less ----------------------------------------------------------------------------------------------

    def only(self, keep: NDArray[np.bool_]) -> Core:
        """Leave out predictions; the overlaps stay.

        Parameters
        ----------
        keep : numpy.ndarray of bool, shape (n,)
            Rows of the predictions that stay.
        """
        keep = keep[self.line.rows]
        pairs = self.pairs.where(keep[self.pairs.prediction])
        place = np.cumsum(keep) - 1
        return self._with(
            turn=self.turn, line=self.line.only(keep), pairs=pairs._replace(prediction=place[pairs.prediction])
        )

    def ignoring(self, labels: NDArray[np.bool_]) -> Core:
        """Ignore more labels, shape (g,), as those of another size are ignored; the overlaps stay."""
        return self._with(turn=self.turn, line=self.line, pairs=self.pairs, ignored=self.ignored | labels)

    def _with(self, **known: Any) -> Core:
        other = Core(self.inputs, self.protocol)
        other.__dict__.update(known)  # where cached_property looks first
        return other

    # For each class ---------------------------------------------------------------------------------------------------

    def tally(self, segment: NDArray[np.int64], line: NDArray[np.int64]) -> Tally:
        """Sort what became of some predictions of `line` by what they count for."""
        score = self.inputs.prediction.score[self.line.rows]
        return Tally.sort(self.outcome[:, :, line], segment[line], score[line], self.line.rank[line])

    @cached_property
    def by_class(self) -> Tally:
        """What became of predictions, class after class."""
        klass, score = self.inputs.prediction.klass[self.line.rows], self.inputs.prediction.score[self.line.rows]
        return Tally(self.outcome, klass, score, self.line.rank).take(self.class_order)

    @cached_property
    def class_order(self) -> NDArray[np.int64]:
        """Places in `line` of the predictions of `by_class`."""
        rows = self.line.rows
        return order_of(self.turn.take(rows), self.inputs.prediction.klass.take(rows))

    @cached_property
    def positives(self) -> NDArray[np.int64]:
        """Labels that count, by area range and class, shape (A, K)."""
        return positives(self.ignored, self.inputs.label.klass, self.classes)

    @cached_property
    def figures(self) -> NDArray[np.float64]:
        """The figures of each class, shape (K, F)."""
        return figures(self.by_class, self.positives, self.protocol)

    # In each image, whatever the class --------------------------------------------------------------------------------

    @cached_property
    def image_line(self) -> Line:
        """All predictions, in the order of images."""
        objects = self.inputs.prediction
        return Line.up(objects.image, self.turn)

    @cached_property
    def image_pairs(self) -> Pairs:
        """Overlaps of the predictions of `image_line` with labels of all classes."""
        label = self.inputs.label
        return overlaps(self.inputs.prediction, label, self.image_line.rows, self.image_line.group, label.image)
