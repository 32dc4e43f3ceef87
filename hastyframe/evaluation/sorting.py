"""Stable orders, digit by digit: NumPy sorts numbers of 16 bits by radix, and wider ones ten times slower."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["by_score", "order_of", "turns"]

_BITS = 16


def order_of(*keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sort rows by whole numbers from 0 on, the last key first; what is equal stays in order.

    Parameters
    ----------
    *keys : numpy.ndarray of int64, shape (n,)
        As for :func:`numpy.lexsort`.

    Returns
    -------
    numpy.ndarray of int64, shape (n,)
        The rows in order.

    Examples
    --------
    >>> order_of(np.array([7, 70_000, 7]), np.array([1, 0, 0])).tolist()
    [2, 1, 0]
    """
    order = np.arange(len(keys[0]))
    for key in keys:
        for shift in range(0, int(key.max(initial=0)).bit_length(), _BITS):
            digit = (key >> shift).astype(np.uint16)
            order = order.take(np.argsort(digit.take(order), kind="stable"))
    return order


def turns(score: NDArray[np.float64]) -> NDArray[np.int64]:
    """Place of each score among the different ones, from the best, which is 0.

    Examples
    --------
    >>> turns(np.array([0.5, 0.9, 0.5, 0.1])).tolist()
    [1, 0, 1, 2]
    """
    order = np.argsort(-score)
    value = score[order]
    out = np.empty(len(score), np.int64)
    out[order] = np.cumsum(np.append(False, value[1:] != value[:-1])[: len(value)])
    return out


def by_score(segment: NDArray[np.int64], score: NDArray[np.float64]) -> NDArray[np.int64]:
    """Order of predictions by segment, then score from the top; what is equal stays in order."""
    return order_of(turns(score), segment)
