"""Precision and recall of everything at once: sums over segments, without a loop over classes.

A segment is what gets a curve of its own: a class, or a class in one part of the images.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .matching import IGNORED, TRUE

__all__ = ["Curves", "accumulate", "running"]

EPSILON = np.spacing(1)
"""pycocotools adds it to every denominator; it makes a difference where the denominator is 1."""


class Curves(NamedTuple):
    """Precision, recall and scores of one area range.

    Parameters
    ----------
    precision : numpy.ndarray of float64, shape (T, R, S)
        The greatest precision at the recall threshold or beyond; -1 in segments without labels.
    recall : numpy.ndarray of float64, shape (T, S)
        Of all predictions; -1 in segments without labels.
    score : numpy.ndarray of float64, shape (T, R, S)
        From which score on the recall is reached; 0 where it is not.
    """

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    score: NDArray[np.float64]


def accumulate(
    outcome: NDArray[np.uint8],
    segment: NDArray[np.int64],
    score: NDArray[np.float64],
    positives: NDArray[np.int64],
    recall_thresholds: NDArray[np.float64],
) -> Curves:
    """Precision at recall thresholds, for all segments and thresholds.

    Parameters
    ----------
    outcome : numpy.ndarray of uint8, shape (T, d)
        FALSE, TRUE or IGNORED, predictions by segment, then from the best score down.
    segment : numpy.ndarray of int64, shape (d,)
        The segment of each prediction; does not fall.
    score : numpy.ndarray of float64, shape (d,)
        Its score.
    positives : numpy.ndarray of int64, shape (S,)
        Labels that count, by segment.
    recall_thresholds : numpy.ndarray of float64, shape (R,)
        Where precision is read off, rising from 0.

    Returns
    -------
    Curves

    Notes
    -----
    Precision rises only where a prediction is right, so that the true positives are all that has to be looked at: the
    greatest precision from a recall on is found among them by maxima over the stretches between recall thresholds.
    """
    (thresholds, size), segments = outcome.shape, len(positives)
    borders = np.searchsorted(segment, np.arange(segments + 1))
    start = (np.arange(thresholds)[:, None] * size + borders[:-1]).reshape(-1)  # of each segment at each threshold
    true = np.flatnonzero(outcome == TRUE)
    first = np.append(np.searchsorted(true, start), len(true))
    hits = np.diff(first)
    nth = np.arange(1, len(true) + 1) - np.repeat(first[:-1], hits)
    total = running(outcome != IGNORED)
    precision = nth / (total.take(true + 1) - np.repeat(total.take(start), hits) + EPSILON)

    # The true positive with which each recall is reached, (T, S, R); one beyond the last where it is not.
    needed = _needed(positives, recall_thresholds)
    hits = hits.reshape(thresholds, segments, 1)
    reached = (needed <= hits) & (positives > 0)[:, None]
    index = first[:-1].reshape(hits.shape) + np.minimum(needed - 1, hits)
    stretch = np.maximum.reduceat(np.append(precision, 0.0), index.reshape(-1)).reshape(index.shape)
    best = np.maximum.accumulate(np.where(reached, stretch, 0.0)[:, :, ::-1], axis=2)[:, :, ::-1]
    place = np.append(true, 0).take(index) - np.arange(thresholds)[:, None, None] * size
    at = np.where(reached, np.append(score, 0.0).take(np.where(reached, place, -1)), 0.0)
    some = borders[1:] > borders[:-1]
    if some.any():  # recall 0 is reached with the first prediction, right or wrong
        at[:, some, : np.searchsorted(recall_thresholds, 0.0, side="right")] = score[borders[:-1][some], None]
    recall = hits[:, :, 0] / np.maximum(positives, 1)
    for values in (best, at, recall):
        values[:, positives == 0] = -1
    return Curves(best.transpose(0, 2, 1), recall, at.transpose(0, 2, 1))


def running(values: NDArray[Any]) -> NDArray[np.int32]:
    """Sum of what is ahead of each place, and of all. Where sums wrap around, differences are right all the same."""
    total = np.empty(values.size + 1, np.int32)
    total[0] = 0
    np.cumsum(values, dtype=np.int32, out=total[1:])
    return total


def _needed(positives: NDArray[np.int64], recall_thresholds: NDArray[np.float64]) -> NDArray[np.int64]:
    """How many true positives reach each recall, (S, R), at least one: the first whose quotient is not less."""
    count = np.maximum(positives, 1)[:, None]
    needed = np.ceil(recall_thresholds * count)
    needed -= (needed - 1) / count >= recall_thresholds  # rounding errs by one at most
    needed += needed / count < recall_thresholds
    return np.maximum(needed, 1).astype(np.int64)
