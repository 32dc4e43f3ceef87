"""Which labels each prediction overlaps, and how much: all pairs at once."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..masks.overlap import shared_pixels
from ..masks.ragged import offsets_of, spread
from ..masks.setops import shared
from .inputs import Objects
from .shapes import Masks
from .sorting import order_of, turns

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
        rows = np.flatnonzero(chosen)
        return Pairs(self.prediction.take(rows), self.label.take(rows), self.iou.take(rows))

    def part(self, first: int, last: int) -> Pairs:
        """Take some of the pairs, counted from 0."""
        return Pairs(self.prediction[first:last], self.label[first:last], self.iou[first:last])

    def above(self, least: float) -> Pairs:
        """Keep what overlaps, and enough."""
        return self.where((self.iou > 0) & (self.iou >= least))


def overlaps(
    predictions: Objects,
    labels: Objects,
    rows: NDArray[np.int64],
    group: NDArray[np.int64],
    label_group: NDArray[np.int64],
    least: float = 0.0,
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
    least : float
        From which overlap on a pair matters. Masks that cannot overlap so much are not compared.

    Returns
    -------
    Pairs
        ``prediction`` counts places in `rows`.
    """
    if predictions.masks is None or labels.masks is None:
        work = partial(_box_iou, np.ascontiguousarray(predictions.box.T), np.ascontiguousarray(labels.box.T))
    else:
        work = partial(_mask_bound, predictions.masks, labels.masks)

    def compare(some: tuple[NDArray[np.int64], NDArray[np.int64]]) -> Pairs:
        one, other = some
        return Pairs(one, other, work(rows.take(one), other, labels.crowd.take(other))).above(least)

    found = [compare(some) for some in _together(group, label_group)]
    pairs = Pairs(*(np.concatenate(column) for column in zip(*found, strict=True)))
    if predictions.masks is None or labels.masks is None:
        return pairs
    one, other = predictions.masks, labels.masks
    one.paint(rows.take(pairs.prediction))
    other.paint(pairs.label)
    for measure in (_mask_bound, _mask_iou):  # what was painted is bounded more closely now
        iou = measure(one, other, rows.take(pairs.prediction), pairs.label, labels.crowd.take(pairs.label))
        pairs = pairs._replace(iou=iou).above(least)
    return pairs


def _together(
    group: NDArray[np.int64], label_group: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Pairs of one group, some at a time."""
    order = order_of(label_group)
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


def _box_iou(
    boxes: NDArray[np.float64],
    others: NDArray[np.float64],
    row: NDArray[np.int64],
    other_row: NDArray[np.int64],
    crowd: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Intersection over union in pycocotools' order of operations, so that rounding is the same.

    Boxes are columns ``x_min, y_min, width, height``; `crowd` has a value a pair.
    """
    x, y, width, height = (side.take(row) for side in boxes)
    other_x, other_y, other_width, other_height = (side.take(other_row) for side in others)
    across = np.minimum(x + width, other_x + other_width)
    across -= np.maximum(x, other_x)
    down = np.minimum(y + height, other_y + other_height)
    down -= np.maximum(y, other_y)
    np.maximum(across, 0, out=across)
    np.maximum(down, 0, out=down)
    return _ratio(across * down, width * height, other_width * other_height, crowd)


def _mask_bound(
    one: Masks, other: Masks, row: NDArray[np.int64], other_row: NDArray[np.int64], crowd: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Bound the overlap of masks that may not be painted yet, by where they lie and how many pixels they have."""
    common = shared(one.grid.take(row), other.grid.take(other_row)).size
    area, other_area = one.area.take(row), other.area.take(other_row)
    for pixels in (area, other_area):
        common = np.where(pixels > 0, np.minimum(common, pixels), common)
    # What is not painted yet may have as many pixels as they share.
    return _ratio(common, np.maximum(area, common), np.maximum(other_area, common), crowd)


def _mask_iou(
    one: Masks, other: Masks, row: NDArray[np.int64], other_row: NDArray[np.int64], crowd: NDArray[np.bool_]
) -> NDArray[np.float64]:
    common = shared_pixels(one.member, other.member, (row, other_row))
    return _ratio(common, one.area[row], other.area[other_row], crowd)


def _ratio(
    common: NDArray[Any], area: NDArray[np.float64], other_area: NDArray[np.float64], crowd: NDArray[np.bool_]
) -> NDArray[np.float64]:
    total = area + other_area - common
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
    order = order_of(pairs.label, turns(pairs.iou))[::-1]
    label, iou = np.full(size, -1), np.zeros(size)
    label[pairs.prediction[order]] = pairs.label[order]  # the last one stays
    iou[pairs.prediction[order]] = pairs.iou[order]
    return label, iou
