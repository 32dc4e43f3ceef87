"""Which prediction matches which label: COCO's greedy rule, in rounds over all images and classes at once.

The best prediction of an image and a class takes the label that it overlaps most, then the next one of those that are
left, and so on. What one prediction may take depends only on better ones of its image and class: the first of all
groups go in one round, the second in the next, for all thresholds and all area ranges together.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..masks.blocks import cuts, in_threads
from .overlaps import Pairs
from .sorting import order_of, turns

__all__ = ["FALSE", "IGNORED", "TRUE", "Matching", "least_of", "match", "ranks"]

FALSE, TRUE, IGNORED = 0, 1, 2
"""What becomes of a prediction."""

NEARLY_ONE = 1 - 1e-10
"""pycocotools lets a prediction match from this overlap on where 1 is asked for."""
PAIRS_AT_ONCE = 2**14
"""Pairs that are matched at a time."""
AT_ONCE = 2**20
"""Pairs, thresholds and area ranges that are compared at a time."""


class Matching(NamedTuple):
    """Which labels predictions took.

    Parameters
    ----------
    prediction : numpy.ndarray of int64, shape (c,)
        Those that overlap a label enough for at least one threshold; no other one can have matched.
    label : numpy.ndarray of int32, shape (c, T, A)
        The label it took at each threshold and for each area range; -1 for none.
    """

    prediction: NDArray[np.int64]
    label: NDArray[np.int32]

    def outcome(self, ignored: NDArray[np.bool_], outside: NDArray[np.bool_]) -> NDArray[np.uint8]:
        """Say what became of each prediction.

        Parameters
        ----------
        ignored : numpy.ndarray of bool, shape (A, g)
            Labels that do not count in a range.
        outside : numpy.ndarray of bool, shape (A, d)
            Predictions that are no mistake in a range if they match nothing.

        Returns
        -------
        numpy.ndarray of uint8, shape (A, T, d)
            FALSE, TRUE or IGNORED.
        """
        ranges, thresholds = len(ignored), self.label.shape[1]
        out = np.empty((ranges, thresholds, outside.shape[1]), np.uint8)
        alone = outside * np.uint8(IGNORED)
        flags = np.where(ignored, np.uint8(IGNORED), np.uint8(TRUE))

        def of(place: int) -> None:
            label = self.label[:, :, place].T
            out[place] = alone[place]
            out[place][:, self.prediction] = np.where(
                label >= 0, _at(flags[place], label), alone[place, self.prediction]
            )

        in_threads(of, range(ranges))
        return out


def least_of(thresholds: NDArray[np.float64]) -> float:
    """From which overlap on a pair can match at one threshold at least."""
    return min(float(thresholds.min()), NEARLY_ONE)


def match(
    pairs: Pairs,
    group: NDArray[np.int64],
    thresholds: NDArray[np.float64],
    ignored: NDArray[np.bool_],
    crowd: NDArray[np.bool_],
) -> Matching:
    """Match predictions with labels as COCO does.

    Parameters
    ----------
    pairs : Pairs
        What overlaps, in one group each. Predictions stand in the order of their turn.
    group : numpy.ndarray of int64, shape (d,)
        The group of each prediction; those of a group stand together.
    thresholds : numpy.ndarray of float64, shape (T,)
        From which overlap on a pair can match.
    ignored : numpy.ndarray of bool, shape (A, g)
        Labels that do not count in an area range. A prediction takes one only if it can take no other.
    crowd : numpy.ndarray of bool, shape (g,)
        Labels that any number of predictions may take.

    Returns
    -------
    Matching

    Notes
    -----
    The rule, the order of ties included, is that of ``COCOeval.evaluateImg`` in pycocotools: of labels that count
    before those that do not, the one with the greatest overlap, of equals the later one.
    """
    least = np.minimum(thresholds, NEARLY_ONE)
    pairs = pairs.above(least_of(thresholds))
    # What happens in one group has no influence on another.
    groups = np.append(np.flatnonzero(np.diff(group.take(pairs.prediction), prepend=-1)), len(pairs.iou))
    ends = pairwise(groups[cuts(groups, PAIRS_AT_ONCE)].tolist())
    parts = in_threads(lambda some: _match(pairs.part(*some), group, least, ignored, crowd), ends)
    return Matching(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _match(
    pairs: Pairs,
    group: NDArray[np.int64],
    least: NDArray[np.float64],
    ignored: NDArray[np.bool_],
    crowd: NDArray[np.bool_],
) -> Matching:
    """Match all groups of some pairs."""
    new = np.diff(pairs.prediction, prepend=-1) != 0
    prediction = pairs.prediction[new]
    owner = np.cumsum(new) - 1
    taken = np.full((len(prediction), len(least), len(ignored)), -1, np.int32)
    # Most labels are wanted only by predictions that want no other: whoever comes first takes it.
    undecided = np.bincount(owner, minlength=len(prediction))[owner] > 1
    plain = ~np.isin(pairs.label, pairs.label[undecided]) if undecided.any() else ~undecided
    reached = _first_come(pairs.where(plain), least, crowd)
    taken[owner[plain]] = np.where(reached, pairs.label[plain, None], -1)[:, :, None]
    contested = pairs.where(~plain)
    if len(contested.iou):
        _in_rounds(contested, owner[~plain], group, least, ignored, crowd, taken)
    return Matching(prediction, taken)


def _first_come(pairs: Pairs, least: NDArray[np.float64], crowd: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether each pair matches at each threshold, shape (p, T), where no prediction has a choice.

    It does where the overlap is enough and that of no better prediction with the label was.
    """
    order = order_of(pairs.label)
    label, iou = pairs.label[order], pairs.iou[order]
    place = ranks(label)
    before = np.zeros(len(label))
    for turn in range(1, int(place.max(initial=0)) + 1):
        here = np.flatnonzero(place == turn)
        before[here] = np.maximum(before[here - 1], iou[here - 1])
    before[crowd[label]] = 0
    reached = np.empty((len(label), len(least)), bool)
    reached[order] = (iou[:, None] >= least) & (before[:, None] < least)
    return reached


def _in_rounds(
    pairs: Pairs,
    owner: NDArray[np.int64],
    group: NDArray[np.int64],
    least: NDArray[np.float64],
    ignored: NDArray[np.bool_],
    crowd: NDArray[np.bool_],
    taken: NDArray[np.int32],
) -> None:
    """Let the contested predictions choose, the first of each group, then the second, and so on."""
    turn = _turns(pairs.prediction, group)
    order = order_of(turns(-pairs.iou), owner, turn)  # of equal overlaps the later label is the better one
    iou, label, owner, turn = pairs.iou[order], pairs.label[order], owner[order], turn[order]
    names, label = np.unique(label, return_inverse=True)
    counts, crowd = ~ignored.T[names], crowd[names]
    gone = np.zeros((len(names), len(least), len(ignored)), bool)
    begins = np.append(np.flatnonzero(np.diff(owner, prepend=-1)), len(owner))  # a place for each prediction
    rounds = np.searchsorted(turn[begins[:-1]], np.arange(turn[-1] + 2))
    step = max(1, AT_ONCE // (len(least) * len(ignored)))
    for first, last in zip(rounds[:-1].tolist(), rounds[1:].tolist(), strict=True):
        for start in range(first, last, step):
            some = begins[start : min(start + step, last) + 1]
            here = slice(some[0], some[-1])
            free = (iou[here, None] >= least)[:, :, None] & ~(gone[label[here]] & ~crowd[label[here], None, None])
            place = np.arange(1, some[-1] - some[0] + 1, dtype=np.int32)[:, None, None]
            value = np.where(counts[label[here]][:, None, :], place + np.int32(len(place)), place) * free
            best = np.maximum.reduceat(value, some[:-1] - some[0], axis=0)
            found = np.nonzero(best)
            chosen = label[here][(best[found] - 1) % len(place)]
            gone[chosen, found[1], found[2]] = True
            taken[owner[some[:-1]][found[0]], found[1], found[2]] = names[chosen]


def _turns(prediction: NDArray[np.int64], group: NDArray[np.int64]) -> NDArray[np.int64]:
    """In which round of its group the prediction of each pair chooses."""
    new = np.diff(prediction, prepend=-1) != 0
    groups = group[prediction[new]]
    place = ranks(groups)
    return place[np.cumsum(new) - 1]


def ranks(group: NDArray[np.int64]) -> NDArray[np.int64]:
    """Place of each row in its group, from 0, where groups stand together."""
    begins = np.flatnonzero(np.diff(group, prepend=-1))
    return np.arange(len(group)) - np.repeat(begins, np.diff(np.append(begins, len(group))))


def _at(flags: NDArray[np.uint8], label: NDArray[np.int32]) -> NDArray[np.uint8]:
    return flags[label] if len(flags) else np.zeros(label.shape, np.uint8)
