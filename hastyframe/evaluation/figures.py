"""The figures of each segment: means over curves."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..masks.blocks import cuts, in_threads
from .accumulation import Curves, accumulate
from .matching import TRUE
from .protocol import Protocol
from .sorting import by_score

__all__ = ["Tally", "columns", "curves", "figures", "positives"]

AT_ONCE = 2**18
"""Predictions and points of curves, at all thresholds, that are worked on at a time: about what the cache holds."""


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
    parts = in_threads(lambda part: _curves(*part, protocol), _parts(tally, count, protocol))
    return [
        Curves(*(np.concatenate(pieces, axis=-1) for pieces in zip(*of_range, strict=True)))
        for of_range in zip(*parts, strict=True)
    ]


def _curves(tally: Tally, count: NDArray[np.int64], protocol: Protocol) -> list[Curves]:
    return [
        accumulate(outcome, tally.segment, tally.score, positive, protocol.recall_thresholds)
        for outcome, positive in zip(tally.outcome, count, strict=True)
    ]


def _parts(tally: Tally, count: NDArray[np.int64], protocol: Protocol) -> Iterator[tuple[Tally, NDArray[np.int64]]]:
    """Go through the segments, some at a time."""
    segments = np.arange(count.shape[1] + 1)
    work = np.searchsorted(tally.segment, segments) + segments * len(protocol.recall_thresholds)
    for first, last in pairwise(cuts(work * len(protocol.iou_thresholds), AT_ONCE)):
        yield tally.part(first, last), count[:, first:last]


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
    return np.concatenate(in_threads(lambda part: _figures(*part, protocol), _parts(tally, count, protocol)))


def _figures(tally: Tally, count: NDArray[np.int64], protocol: Protocol) -> NDArray[np.float64]:
    found = _curves(tally.within(protocol.max_detections[-1]), count, protocol)
    precision = np.stack([curve.precision.mean(axis=1) for curve in found])
    recall = np.stack([curve.recall for curve in found])
    fewer = [_recall(tally, most, count[0]) for most in protocol.max_detections[:-1]]
    return columns(precision, recall, fewer, count, protocol)


def columns(
    precision: NDArray[np.float64],
    recall: NDArray[np.float64],
    fewer: list[NDArray[np.float64]],
    count: NDArray[np.int64],
    protocol: Protocol,
) -> NDArray[np.float64]:
    """Figures from the means of curves.

    Parameters
    ----------
    precision : numpy.ndarray of float64, shape (A, T, S)
        Mean over the recall thresholds.
    recall : numpy.ndarray of float64, shape (A, T, S)
        Of all predictions that count.
    fewer : list of numpy.ndarray of float64, shape (S,)
        Mean recall over the thresholds, of all sizes, with fewer predictions an image: an array for each number.
    count, protocol
        As in :func:`figures`.

    Returns
    -------
    numpy.ndarray of float64, shape (S, F)
        As :func:`figures`.
    """
    out = np.stack(
        [
            precision[0].mean(axis=0),
            *(precision[0][place] for place in protocol.single_thresholds.values()),
            *precision[1:].mean(axis=1),
            *fewer,
            *recall.mean(axis=1),
        ],
        axis=1,
    )
    sizes = list(range(1, len(count)))
    area = [0] * (1 + len(protocol.single_thresholds)) + sizes + [0] * len(fewer) + [0] + sizes
    return np.where(count[area].T > 0, out, np.nan)


def _recall(tally: Tally, most: int, count: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mean recall over the thresholds where only the best of each image and class count; all sizes."""
    hit = (tally.outcome[0] == TRUE) & (tally.rank < most)
    hits = np.bincount(tally.segment, weights=hit.sum(axis=0), minlength=len(count))
    return hits / np.maximum(count, 1) / len(hit)
