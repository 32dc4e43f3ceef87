"""The figures of an evaluation whose images are drawn again and again: from running totals, without a new match.

Whether a prediction is right does not depend on how often its image is there; only its weight does. So what has to be
sorted is sorted once, and the places where a curve can change are found once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..masks.ragged import offsets_of
from .accumulation import EPSILON, running
from .core import Core
from .figures import columns
from .matching import IGNORED, TRUE
from .sorting import order_of

__all__ = ["Sample"]

Index = NDArray[np.int64]


class Sample:
    """An evaluation whose images can be drawn any number of times.

    Parameters
    ----------
    core : Core
        The evaluation.

    Notes
    -----
    A segment is an area range, a threshold and a class, in this order. Of true positives that follow each other without
    a mistake in between, a step, precision is greatest at the last one, whatever they weigh: a curve needs a point for
    each step, not for each true positive.
    """

    def __init__(self, core: Core) -> None:
        self._protocol = core.protocol
        *fewer, most = core.protocol.max_detections
        tally = core.by_class.within(most)
        order = core.class_order[core.by_class.rank < most]
        image = core.inputs.prediction.image[core.line.rows[order]]
        borders = np.searchsorted(tally.segment, np.arange(core.classes + 1))
        true = tally.outcome == TRUE
        self._shape = (*true.shape[:2], core.classes)
        self._few = [_Sums(image, (true[0] & (tally.rank < few)).sum(axis=0), borders) for few in fewer]
        self._steps(true, tally.outcome != IGNORED, tally.segment, borders, image)
        self._count_labels(core)

    def _steps(
        self,
        true: NDArray[np.bool_],
        counted: NDArray[np.bool_],
        klass: Index,
        borders: Index,
        image: Index,
    ) -> None:
        """Find the steps of all segments, and what has to be added up to their ends."""
        total = np.zeros((*counted.shape[:2], counted.shape[2] + 1), np.int32)
        np.cumsum(counted, axis=2, out=total[:, :, 1:])
        # Thresholds at which the same predictions of a class count share their running total.
        unlike = np.zeros_like(total)
        np.cumsum(counted[:, 1:] != counted[:, :-1], axis=2, out=unlike[:, 1:, 1:])
        new = np.diff(unlike[:, :, borders], axis=2) > 0
        new[:, 0] = True
        starts = offsets_of((np.diff(total[:, :, borders], axis=2) * new).reshape(-1))[:-1].reshape(new.shape)
        sharing = np.maximum.accumulate(np.where(new, np.arange(new.shape[1])[:, None], 0), axis=1)
        start = np.take_along_axis(starts, sharing, axis=1).reshape(-1)
        self._counted = image[np.nonzero(counted & new[:, :, klass])[2]]

        area, threshold, place = np.nonzero(true)
        segment = (area * new.shape[1] + threshold) * new.shape[2] + klass[place]
        nth = total[area, threshold, place + 1] - total[area, threshold, borders[klass[place]]]
        last = np.append((np.diff(segment) != 0) | (np.diff(nth) != 1), True)[: len(nth)]
        self._true = image[place]
        self._hits = offsets_of(np.bincount(segment, minlength=new.size))
        self._step = segment[last]
        self._begin = start[self._step], self._hits[self._step]
        self._end = self._begin[0] + nth[last], np.flatnonzero(last) + 1
        self._first = np.flatnonzero(np.diff(self._step, prepend=-1))
        self._lift = 2.0 * (new.size - self._step)  # parts the segments, whose precisions are at most 1

    def _count_labels(self, core: Core) -> None:
        area, label = np.nonzero(~core.ignored)
        own = area * core.classes + core.inputs.label.klass[label]
        order = order_of(own)
        ends = np.searchsorted(own[order], np.arange(self._shape[0] * core.classes + 1))
        self._labels = _Sums(core.inputs.label.image[label[order]], None, ends)

    def figures(self, copies: NDArray[np.int32]) -> NDArray[np.float64]:
        """Return the figures of each class where each image is there as often as `copies` says, shape (K, F).

        Copies of an image stand next to each other where scores are equal.
        """
        labels = self._labels.of(copies).reshape(self._shape[0], -1)
        positives = np.broadcast_to(labels[:, None], self._shape)
        counted, true = (running(copies.take(images)) for images in (self._counted, self._true))
        hit = true.take(self._end[1]) - true.take(self._begin[1])
        precision = hit / (counted.take(self._end[0]) - counted.take(self._begin[0]) + EPSILON)
        precision += self._lift
        best = np.maximum.accumulate(precision[::-1])[::-1]
        best -= self._lift

        thresholds = self._protocol.recall_thresholds
        reached = _reached(thresholds, hit / np.maximum(positives, 1).reshape(-1).take(self._step))
        reached *= hit > 0
        gained = np.diff(reached, prepend=0)
        gained[self._first] = reached[self._first]
        mean = np.zeros(positives.size)
        if len(self._first):
            mean[self._step[self._first]] = np.add.reduceat(best * gained, self._first) / len(thresholds)
        recall = np.diff(true[self._hits]).reshape(self._shape) / np.maximum(positives, 1)
        few = [sums.of(copies) / np.maximum(labels[0], 1) / self._shape[1] for sums in self._few]
        return columns(mean.reshape(self._shape), recall, few, labels, self._protocol)


class _Sums:
    """Weights of things on images, added up in rows."""

    def __init__(self, image: Index, weight: Index | None, offsets: Index) -> None:
        self._image, self._weight, self._offsets = image, weight, offsets

    def of(self, copies: NDArray[np.int32]) -> Index:
        value = copies.take(self._image)
        total = running(value if self._weight is None else value * self._weight)
        return np.diff(total[self._offsets])


def _reached(thresholds: NDArray[np.float64], recall: NDArray[np.float64]) -> Index:
    """How many of evenly spaced thresholds, from 0 to 1, each recall reaches; faster than a search."""
    place = (recall * (len(thresholds) - 1) + 1e-9).astype(np.int64)  # of a recall on a threshold, that one
    place += thresholds.take(place) <= recall
    return place
