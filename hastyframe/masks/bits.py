"""Pixels and the places where they change, by way of bits: 64 pixels in one word.

Packing makes the pixels eight times smaller, and one shift and one exclusive or then compare 64 of them with their
left neighbours. The other way, subtraction fills a run: its borrow goes through all the bits from begin to end.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hastyframe.masks.grids import LARGEST
from hastyframe.masks.ragged import offsets_of, spread

__all__ = ["changes_in_pixels", "pixels_from_runs"]

WORD = np.dtype("<u8")
BLOCK = 2**17
"""Words that are worked on at a time: few enough for the cache, and enough to make little of what calls cost."""

DENSE = 6.4
"""Bits set in a word, a tenth of all, from which on a look at each bit costs less than picking out the set ones."""


def changes_in_pixels(blocks: Iterable[NDArray[np.uint8]], offsets: NDArray[np.int64]) -> NDArray[Any]:
    """Where runs of pixels begin and where they have ended, in turn; none goes on from one mask to the next.

    Parameters
    ----------
    blocks : iterable of arrays of uint8 or bool, shape (any,)
        Pixels, all in one order; whatever is not 0 is set. All blocks but the last have a multiple of 64.
    offsets : numpy.ndarray of int64, shape (n + 1,)
        Where each mask begins.

    Examples
    --------
    >>> pixels = np.array([1, 1, 1, 0, 1], np.uint8)
    >>> changes_in_pixels([pixels], np.array([0, 2, 5]))
    array([0, 2, 2, 3, 4, 5], dtype=int32)
    """
    bits = _packed(blocks)
    kind: Any = np.int32 if offsets[-1] <= LARGEST else np.int64  # half the memory, where it will do
    starts = range(0, len(bits) - 1, BLOCK)
    changes = np.concatenate([_set_bits(_changed(bits[at : at + 1 + BLOCK]), at * 64, kind) for at in starts])
    border = offsets[1:-1][offsets[1:-1] > offsets[:-2]]
    border = border[_is_set(bits, border - 1) & _is_set(bits, border)].astype(kind)
    if not len(border):
        return changes
    return np.insert(changes, np.repeat(np.searchsorted(changes, border), 2), np.repeat(border, 2))  # an end, a begin


def _packed(blocks: Iterable[NDArray[np.uint8]]) -> NDArray[np.uint64]:
    """One bit a pixel, in whole words, with one clear word ahead of them and one at the end."""
    parts = [np.packbits(block, bitorder="little") for block in blocks]
    count = sum(map(len, parts))
    return np.concatenate([np.zeros(8, np.uint8), *parts, np.zeros(8 + -count % 8, np.uint8)]).view(WORD)


def _changed(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Bits that differ from the one below them, in all words but the first."""
    left = bits[1:] << np.uint64(1)  # bits move up, so that each pixel meets its left neighbour
    left |= bits[:-1] >> np.uint64(63)
    left ^= bits[1:]
    return left


def _is_set(bits: NDArray[np.uint64], pixel: NDArray[np.int64]) -> NDArray[np.bool_]:
    return bits[(pixel >> 6) + 1] >> (pixel & 63).astype(np.uint64) & np.uint64(1) != 0


def _set_bits(words: NDArray[np.uint64], first: int, kind: Any) -> NDArray[Any]:
    """Sorted positions of all bits that are set, where the lowest bit of all is number `first`."""
    filled = np.flatnonzero(words != 0)
    some = words.take(filled)
    slot = offsets_of(np.bitwise_count(some))
    if slot[-1] > DENSE * len(words):
        found = _clear_or_set(words.view(np.uint8)).astype(kind)
        found += first
        return found
    found = np.empty(slot[-1], kind)
    slot = slot[:-1]
    place = filled.astype(kind)
    place *= 64
    place += first
    for _ in range(4):  # few words hold more
        below = some - np.uint64(1)
        found[slot] = place + np.bitwise_count(below & ~some)  # as many as there are bits below the lowest
        some &= below  # without the lowest
        more = np.flatnonzero(some != 0)
        some, place, slot = some.take(more), place.take(more), slot.take(more)
        slot += 1
    data = some.view(np.uint8)
    byte = np.flatnonzero(data != 0)  # of their bits, an eighth or more are set
    bit = _clear_or_set(data.take(byte))
    byte = byte.take(bit >> 3)
    found[spread(slot, np.bitwise_count(some))] = place.take(byte >> 3) + (byte & 7) * 8 + (bit & 7)
    return found


def _clear_or_set(data: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Positions of the bits that are set, by a look at each: fast where at least a tenth of them are."""
    return np.flatnonzero(np.unpackbits(data, bitorder="little").view(np.bool_))


def pixels_from_runs(blocks: Iterable[tuple[NDArray[Any], NDArray[Any]]], size: int) -> NDArray[np.uint8]:
    """Pixels, 0 or 1, from runs.

    All pixels are the bits of one long number, in which a run is ``2**end - 2**begin``. Words take part in sums and
    differences alone; where a run goes over from one word to the next, the next one lends 1.

    Parameters
    ----------
    blocks : iterable of pairs of arrays
        Where some of the runs begin, and where they have ended, from 0 to `size`; in order, touching or not. Whole
        numbers of 32 bits are faster than those of 64.
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
        word, last = (begin >> 6).astype(np.intp), (end >> 6).astype(np.intp)
        np.add.at(bits, last, np.left_shift(one[0], end & 63))
        np.subtract.at(bits, word, np.left_shift(one[0], begin & 63))
        word += 1
        last += 1
        np.add.at(lent, word, one[: len(word)])
        np.subtract.at(lent, last, one[: len(last)])
    bits -= np.cumsum(lent, out=lent)
    return np.unpackbits(bits.astype(WORD, copy=False).view(np.uint8), bitorder="little")[:size]
