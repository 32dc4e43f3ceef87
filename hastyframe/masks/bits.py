"""Pixels and the places where they change, by way of bits: 64 pixels in one word.

Packing makes the pixels eight times smaller, and one shift and one exclusive or then compare 64 of them with their
left neighbours. The other way, subtraction fills a run: its borrow goes through all the bits from begin to end.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from hastyframe.masks.ragged import spread

__all__ = ["pixels_from_runs", "runs_from_pixels"]

WORD = np.dtype("<u8")
BLOCK = 2**16
"""Words that are worked on at a time: few enough to stay in the cache."""


def runs_from_pixels(
    blocks: Iterable[NDArray[np.uint8]], offsets: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where runs of pixels begin and where they have ended, in order; none goes on from one mask to the next.

    Parameters
    ----------
    blocks : iterable of arrays of uint8 or bool, shape (any,)
        Pixels, all in one order; whatever is not 0 is set. All blocks but the last have a multiple of 64.
    offsets : numpy.ndarray of int64, shape (n + 1,)
        Where each mask begins.

    Examples
    --------
    >>> pixels = np.array([1, 1, 1, 0, 1], np.uint8)
    >>> runs_from_pixels([pixels], np.array([0, 2, 5]))
    (array([0, 2, 4]), array([2, 3, 5]))
    """
    bits = _packed(blocks)
    border = offsets[1:-1][offsets[1:-1] > offsets[:-2]]
    begins, ends = [], []
    for first in range(0, len(bits) - 1, BLOCK):
        words, before = bits[first + 1 : first + 1 + BLOCK], bits[first : first + BLOCK]
        left = words << np.uint64(1)  # bits move up, so that each pixel meets its left neighbour
        left |= before[: len(words)] >> np.uint64(63)
        begin = words ^ left
        end = begin & left
        begin &= words
        at = border[slice(*np.searchsorted(border, [first * 64, (first + BLOCK) * 64]))] - first * 64
        word, bit = at >> 6, np.uint64(1) << (at & 63).astype(np.uint64)
        bit &= words[word] & left[word]  # set on both sides of a border: one run ends there and another begins
        np.bitwise_or.at(begin, word, bit)
        np.bitwise_or.at(end, word, bit)
        begins.append(_set_bits(begin, first))
        ends.append(_set_bits(end, first))
    return np.concatenate(begins), np.concatenate(ends)


def _packed(blocks: Iterable[NDArray[np.uint8]]) -> NDArray[np.uint64]:
    """One bit a pixel, in whole words, with one clear word ahead of them and one at the end."""
    parts = [np.packbits(block, bitorder="little") for block in blocks]
    count = sum(map(len, parts))
    return np.concatenate([np.zeros(8, np.uint8), *parts, np.zeros(8 + -count % 8, np.uint8)]).view(WORD)


def _set_bits(words: NDArray[np.uint64], first: int) -> NDArray[np.int64]:
    """Sorted positions of all bits that are set, in words of which the first is number `first`."""
    place = np.flatnonzero(words != 0)
    words = words[place]
    place += first
    place *= 64
    count = np.bitwise_count(words).astype(np.int64)
    slot = np.cumsum(count)
    found = np.empty(int(slot[-1]) if len(slot) else 0, np.int64)
    slot -= count
    for _ in range(3):  # few words hold more
        below = words - np.uint64(1)
        found[slot] = place + np.bitwise_count(below & ~words)  # as many as there are bits below the lowest
        words &= below  # without the lowest
        more = np.flatnonzero(words != 0)
        words, place, slot = words[more], place[more], slot[more] + 1
    bit = np.flatnonzero(np.unpackbits(words.view(np.uint8), bitorder="little").view(np.bool_))
    found[spread(slot, np.bitwise_count(words))] = place[bit >> 6] + (bit & 63)
    return found


def pixels_from_runs(blocks: Iterable[tuple[NDArray[np.int64], NDArray[np.int64]]], size: int) -> NDArray[np.uint8]:
    """Pixels, 0 or 1, from runs.

    All pixels are the bits of one long number, in which a run is ``2**end - 2**begin``. Words take part in sums and
    differences alone; where a run goes over from one word to the next, the next one lends 1.

    Parameters
    ----------
    blocks : iterable of pairs of arrays
        Where some of the runs begin, and where they have ended, from 0 to `size`; in order, touching or not.
    size : int
        The number of pixels.

    Examples
    --------
    >>> pixels_from_runs([(np.array([1, 4]), np.array([3, 6]))], 6)
    array([0, 1, 1, 0, 1, 1], dtype=uint8)
    """
    bits, lent = np.zeros((2, size // 64 + 2), np.int64)
    one = np.ones(1, np.int64)
    for begin, end in blocks:
        if len(one) < len(begin):
            one = np.ones(len(begin), np.int64)
        word, last = begin >> 6, end >> 6
        np.add.at(bits, last, np.left_shift(1, end & 63))
        np.subtract.at(bits, word, np.left_shift(1, begin & 63))
        np.add.at(lent, word + 1, one[: len(word)])
        np.subtract.at(lent, last + 1, one[: len(last)])
    bits -= np.cumsum(lent, out=lent)
    return np.unpackbits(bits.astype(WORD, copy=False).view(np.uint8), bitorder="little")[:size]
