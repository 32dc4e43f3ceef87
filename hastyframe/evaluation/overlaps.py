"""Which labels each prediction overlaps, and how much: all pairs at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import masks
from ..masks.ragged import offsets_of, spread
from .inputs import Objects

__all__ = ["Pairs", "best_of", "overlaps"]

AT_ONCE = 2**17
"""Pairs whose boxes are compared at a time: few enough to stay in the cache."""


class Pairs(NamedTuple):
    """Predictions and labels that overlap, sorted by prediction, then label.

    Parameters
    ----------
    prediction, label : numpy.ndarray of int64, shape (p,)
        Which.
    iou : numpy.ndarray of float64, shape (p,)
        Above 0. For a crowd, the share of the prediction that lies on it.
    """

    prediction: NDArray[np.int64]
    label: NDArray[np.int64]
    iou: NDArray[np.float64]

    def where(self, chosen: NDArray[np.bool_]) -> Pairs:
        """Keep some of the pairs."""
        return Pairs(self.prediction[chosen], self.label[chosen], self.iou[chosen])


def overlaps(
    predictions: Objects,
    labels: Objects,
    rows: NDArray[np.int64],
    group: NDArray[np.int64],
    label_group: NDArray[np.int64],
) -> Pairs:
    """Overlaps of predictions with the labels of their group.

    Parameters
    ----------
    predictions, labels : Objects
        Those that can meet.
    rows : numpy.ndarray of int64, shape (d,)
        Predictions that are looked at, in the order of the result.
    group : numpy.ndarray of int64, shape (d,)
        The group of each of `rows`: an image, or an image and a class.
    label_group : numpy.ndarray of int64, shape (g,)
        The group of each label.

    Returns
    -------
    Pairs
        ``prediction`` counts places in `rows`.
    """
    found = [_compare(predictions, labels, rows, *pair) for pair in _together(group, label_group)]
    return Pairs(*(np.concatenate(column) for column in zip(*found, strict=True)))


def _together(
    group: NDArray[np.int64], label_group: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Pairs of one group, some at a time."""
    order = np.argsort(label_group, kind="stable")
    standing = label_group[order]
    first = np.searchsorted(standing, group, side="left")
    count = np.searchsorted(standing, group, side="right") - first
    work = offsets_of(count)
    start = 0
    while True:
        end = max(start + 1, int(np.searchsorted(work, work[start] + AT_ONCE, side="right")) - 1)
        one = np.repeat(np.arange(start, min(end, len(group))), count[start:end])
        yield one, order[spread(first[start:end], count[start:end])]
        start = end
        if start >= len(group):
            return


def _compare(
    predictions: Objects, labels: Objects, rows: NDArray[np.int64], one: NDArray[np.int64], other: NDArray[np.int64]
) -> Pairs:
    if predictions.painted is None or labels.painted is None:
        iou = _box_iou(predictions.box[rows[one]], labels.box[other], labels.crowd[other])
    else:
        iou = masks.iou(
            *predictions.painted,
            *labels.painted,
            pairs=(rows[one], other),
            crowd=labels.crowd if labels.crowd.any() else None,
        )
    return Pairs(one, other, iou).where(iou > 0)


def _box_iou(one: NDArray[np.float64], other: NDArray[np.float64], crowd: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Intersection over union in pycocotools' order of operations, so that rounding is the same.

    Boxes are ``[x_min, y_min, width, height]``, row by row.
    """
    side = np.minimum(one[:, :2] + one[:, 2:], other[:, :2] + other[:, 2:])
    side -= np.maximum(one[:, :2], other[:, :2])
    np.maximum(side, 0, out=side)
    common = side[:, 0] * side[:, 1]
    area = one[:, 2] * one[:, 3]
    total = area + other[:, 2] * other[:, 3] - common
    np.copyto(total, area, where=crowd)
    return np.divide(common, total, out=np.zeros(len(total)), where=total > 0)


def best_of(pairs: Pairs, size: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Find the label that each of `size` predictions overlaps most; of equals the first.

    Returns
    -------
    label : numpy.ndarray of int64, shape (size,)
        -1 where there is none.
    iou : numpy.ndarray of float64, shape (size,)
    """
    order = np.lexsort([-pairs.label, pairs.iou])
    label, iou = np.full(size, -1), np.zeros(size)
    label[pairs.prediction[order]] = pairs.label[order]  # the last one stays
    iou[pairs.prediction[order]] = pairs.iou[order]
    return label, iou
