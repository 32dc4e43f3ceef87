"""Of boxes that overlap, the best: non-maximum suppression."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hastyframe.errors import ValidationException
from hastyframe.masks.overlap import box_iou, float_boxes
from hastyframe.masks.ragged import offsets_of, spread
from hastyframe.masks.toggles import within_memory

__all__ = ["nms"]

AT_ONCE = 2**16
"""Pairs of boxes that are compared at a time: few enough to stay in the cache."""

Edges = tuple[NDArray[np.int64], NDArray[np.int64]]


def nms(boxes: ArrayLike, scores: ArrayLike, groups: ArrayLike | None = None, *, iou: float = 0.5) -> NDArray[np.bool_]:
    """Which boxes stay when, from the best score down, each removes those that overlap it too much.

    Parameters
    ----------
    boxes : array_like of shape (n, 4)
        ``[x_min, y_min, x_max, y_max]``.
    scores : array_like of shape (n,)
        Greater is better; of equal scores the earlier row is better.
    groups : array_like of shape (n,), optional
        Boxes only remove others of their group: an image, or an image and a class in one number. All groups are
        worked on at once. Every box in one group by default.
    iou : float
        A box is removed where its intersection over union with one that stays is greater than this.

    Returns
    -------
    numpy.ndarray of bool, shape (n,)
        True for the boxes that stay; good to pick rows of a frame with.

    Raises
    ------
    ValidationException
        Scores or groups of another length than boxes, a score that is NaN, a box that is not finite.

    Examples
    --------
    >>> boxes = [[0, 0, 4, 4], [0, 0, 4, 3], [8, 8, 9, 9]]
    >>> nms(boxes, [0.9, 0.8, 0.7])
    array([ True, False,  True])
    >>> nms(boxes, [0.9, 0.8, 0.7], groups=[1, 2, 1])
    array([ True,  True,  True])
    """
    table = float_boxes(boxes)
    score = np.asarray(scores, dtype=np.float64)
    group = np.zeros(len(table), np.int64) if groups is None else np.unique(groups, return_inverse=True)[1]
    if score.shape != (len(table),) or group.shape != score.shape:
        raise ValidationException(f"{len(table)} boxes need as many scores and groups.")
    if np.isnan(score).any():
        raise ValidationException(f"The score of box {int(np.argmax(np.isnan(score)))} is NaN.")
    rank = np.empty(len(table), np.int64)
    rank[np.argsort(-score, kind="stable")] = np.arange(len(table))
    return _decide(_overlapping(table, group, iou), rank)


def _overlapping(boxes: NDArray[np.float64], group: NDArray[np.int64], threshold: float) -> Edges:
    """Pairs of boxes of one group whose intersection over union is greater than the threshold.

    Boxes stand sorted by their left edge; only those that begin before a box ends can overlap it.
    """
    order = np.lexsort((boxes[:, 0], group))
    count = _begin_before_end(boxes[order], group[order]) - np.arange(len(order)) - 1
    work = offsets_of(np.maximum(count, 0))
    found: list[Edges] = []
    start, edges = 0, 0
    while start < len(order):
        end = max(start + 1, int(np.searchsorted(work, work[start] + AT_ONCE)) - 1)
        length = np.diff(work[start : end + 1])
        one = order[np.repeat(np.arange(start, end), length)]
        other = order[spread(np.arange(start, end) + 1, length)]
        close = box_iou(boxes, boxes, pairs=(one, other)) > threshold
        found.append((one[close], other[close]))
        edges += int(close.sum())
        within_memory(edges * 4, "Boxes that lie on each other")
        start = end
    none = np.empty(0, np.int64)
    return np.concatenate([none, *(pair[0] for pair in found)]), np.concatenate([none, *(pair[1] for pair in found)])


def _begin_before_end(boxes: NDArray[np.float64], group: NDArray[np.int64]) -> NDArray[np.int64]:
    """For boxes sorted by group and left edge: how many boxes stand before the right edge of each."""
    size = len(boxes)
    edge = np.concatenate([boxes[:, 0], boxes[:, 2]])
    is_begin = np.arange(2 * size) < size
    order = np.lexsort((is_begin, edge, np.concatenate([group, group])))
    before = np.cumsum(is_begin[order])
    out = np.empty(2 * size, np.int64)
    out[order] = before
    return out[size:]


def _decide(edges: Edges, rank: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Go through all groups at once: what nothing better threatens any more stays, and removes what it overlaps."""
    one, other = edges
    turned = rank[one] > rank[other]
    better, worse = np.where(turned, other, one), np.where(turned, one, other)
    gone = np.zeros(len(rank), bool)
    while len(better):
        threatened = np.zeros(len(rank), bool)
        threatened[worse] = True
        gone[worse[~threatened[better]]] = True
        open_ = ~gone[better] & ~gone[worse]
        better, worse = better[open_], worse[open_]
    return ~gone
