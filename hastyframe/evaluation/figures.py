"""The figures of each segment: means over curves."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .accumulation import Curves, accumulate, by_score
from .matching import TRUE
from .protocol import Protocol

__all__ = ["Tally", "curves", "figures", "positives"]

AT_ONCE = 2**12
"""Segments whose curves are held at a time."""


class Tally(NamedTuple):
    """What became of predictions that stand sorted by segment, then score.

    Parameters
    ----------
    outcome : numpy.ndarray of uint8, shape (A, T, d)
        FALSE, TRUE or IGNORED.
    segment : numpy.ndarray of int64, shape (d,)
        What each one counts for.
    score : numpy.ndarray of float64, shape (d,)
        How sure the model was.
    rank : numpy.ndarray of int64, shape (d,)
        Its place by score among those of its image and class.
    """

    outcome: NDArray[np.uint8]
    segment: NDArray[np.int64]
    score: NDArray[np.float64]
    rank: NDArray[np.int64]

    @classmethod
    def sort(
        cls,
        outcome: NDArray[np.uint8],
        segment: NDArray[np.int64],
        score: NDArray[np.float64],
        rank: NDArray[np.int64],
    ) -> Tally:
        """Bring predictions into the order that :func:`accumulate` wants."""
        return cls(outcome, segment, score, rank).take(by_score(segment, score))

    def take(self, index: NDArray[np.int64]) -> Tally:
        """Take some predictions, in the order given and as often as given."""
        return Tally(self.outcome.take(index, axis=2), self.segment[index], self.score[index], self.rank[index])

    def within(self, most: int) -> Tally:
        """Count only the best of each image and class."""
        keep = self.rank < most
        return self if keep.all() else self.take(np.flatnonzero(keep))

    def part(self, first: int, last: int) -> Tally:
        """Take some segments, counted from 0."""
        start, end = np.searchsorted(self.segment, [first, last])
        here = slice(int(start), int(end))
        return Tally(self.outcome[:, :, here], self.segment[here] - first, self.score[here], self.rank[here])


def positives(ignored: NDArray[np.bool_], segment: NDArray[np.int64], segments: int) -> NDArray[np.int64]:
    """Labels that count, by area range and segment, shape (A, S).

    Parameters
    ----------
    ignored : numpy.ndarray of bool, shape (A, g)
        Labels that do not count.
    segment : numpy.ndarray of int64, shape (g,)
        What each label counts for.
    segments : int
        How many there are.
    """
    return np.stack([np.bincount(segment[~row], minlength=segments) for row in ignored])


def curves(tally: Tally, count: NDArray[np.int64], protocol: Protocol) -> list[Curves]:
    """Curves of all segments, one set an area range."""
    return [
        accumulate(outcome, tally.segment, tally.score, positive, protocol.recall_thresholds)
        for outcome, positive in zip(tally.outcome, count, strict=True)
    ]


def figures(tally: Tally, count: NDArray[np.int64], protocol: Protocol) -> NDArray[np.float64]:
    """Every figure of every segment.

    Parameters
    ----------
    tally : Tally
        Predictions.
    count : numpy.ndarray of int64, shape (A, S)
        Labels that count.
    protocol : Protocol
        What is measured.

    Returns
    -------
    numpy.ndarray of float64, shape (S, F)
        Columns as :attr:`Protocol.figures` says; NaN where there is no label that counts.
    """
    segments = count.shape[1]
    if segments > AT_ONCE:
        starts = range(0, segments, AT_ONCE)
        parts = [
            figures(tally.part(start, start + AT_ONCE), count[:, start : start + AT_ONCE], protocol) for start in starts
        ]
        return np.concatenate(parts)
    found = curves(tally.within(protocol.max_detections[-1]), count, protocol)
    fewer = [_recall(tally, most, count[0]) for most in protocol.max_detections[:-1]]
    recalls = [curve.recall.mean(axis=0) for curve in found]
    columns = [
        found[0].precision.mean(axis=(0, 1)),
        *(found[0].precision[place].mean(axis=0) for place in protocol.single_thresholds.values()),
        *(curve.precision.mean(axis=(0, 1)) for curve in found[1:]),
        *fewer,
        *recalls,
    ]
    out = np.stack(columns, axis=1)
    return np.where(out < 0, np.nan, out)


def _recall(tally: Tally, most: int, count: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mean recall over the thresholds where only the best of each image and class count; all sizes."""
    hit = (tally.outcome[0] == TRUE) & (tally.rank < most)
    hits = np.bincount(tally.segment, weights=hit.sum(axis=0), minlength=len(count))
    return np.where(count > 0, hits / np.maximum(count, 1) / len(hit), -1.0)
