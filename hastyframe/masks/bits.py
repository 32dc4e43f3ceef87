"""Pixels and the places where they change, by way of bits: 64 pixels in one word.

Packing makes the pixels eight times smaller, and one shift and one exclusive or then compare 64 of them with their
left neighbours. The other way, the exclusive or of all changes up to a pixel says whether it is set.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

__all__ = ["changes_from_pixels", "pixels_from_changes"]

WORD = np.dtype("<u8")
HALF = np.dtype("<u4")
"""Words in which changes are looked for: narrow enough that few hold more than one."""


def changes_from_pixels(blocks: Iterable[NDArray[np.uint8]]) -> NDArray[np.int64]:
    """Sorted positions at which a pixel differs from the one before it, with nothing set before and after all.

    Parameters
    ----------
    blocks : iterable of arrays of uint8 or bool, shape (any,)
        Pixels, all in one order; whatever is not 0 is set. All blocks but the last have a multiple of 64.

    Examples
    --------
    >>> changes_from_pixels([np.ones(64, np.uint8), np.array([1, 0, 1], np.uint8)])
    array([ 0, 65, 66, 67])
    """
    found, position, carry = [np.empty(0, np.int64)], 0, np.uint64(0)
    for bits in _packed(blocks):
        change = bits << np.uint64(1)
        change[1:] |= bits[:-1] >> np.uint64(63)
        change[0] |= carry
        change ^= bits
        found.append(_set_bits(change.view(HALF)))
        found[-1] += position
        position, carry = position + len(bits) * 64, bits[-1] >> np.uint64(63)
    return np.concatenate(found)


def _packed(blocks: Iterable[NDArray[np.uint8]]) -> Iterator[NDArray[np.uint64]]:
    """One bit a pixel, in whole words, with clear ones at the end."""
    for block in blocks:
        bits = np.packbits(block, bitorder="little")
        if len(bits) % 8:
            bits = np.append(bits, np.zeros(-len(bits) % 8, np.uint8))
        if len(bits):
            yield bits.view(WORD)
    yield np.zeros(1, WORD)


def _set_bits(words: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Sorted positions of all bits that are set."""
    if int(np.bitwise_count(words).sum(dtype=np.int64)) > len(words):  # noise: quicker one by one
        return np.flatnonzero(np.unpackbits(words.view(np.uint8), bitorder="little").view(np.bool_))
    place = np.flatnonzero(words != 0)
    words = words[place]
    place *= 32
    below = words - np.uint32(1)
    first = place + np.bitwise_count(below & ~words)  # as many as there are bits below the lowest
    words &= below  # without the lowest
    more = np.flatnonzero(words != 0)
    if not len(more):
        return first
    rest = np.flatnonzero(np.unpackbits(words[more].view(np.uint8), bitorder="little").view(np.bool_))
    return np.sort(np.concatenate([first, place[more][rest >> 5] + (rest & 31)]), kind="stable")


def pixels_from_changes(changes: NDArray[np.int64], size: int) -> NDArray[np.uint8]:
    """Pixels, 0 or 1, from the positions at which they change.

    Parameters
    ----------
    changes : numpy.ndarray of int64
        Sorted positions from 0 to `size`, none of them twice.
    size : int
        The number of pixels.

    Examples
    --------
    >>> pixels_from_changes(np.array([1, 3, 4]), 6)
    array([0, 1, 1, 0, 1, 1], dtype=uint8)
    """
    bits = np.zeros(size // 64 + 1, WORD)
    np.add.at(bits, changes >> 6, np.uint64(1) << (changes & 63).astype(WORD))
    shifted = np.empty_like(bits)
    for shift in (1, 2, 4, 8, 16, 32):
        bits ^= np.left_shift(bits, np.uint64(shift), out=shifted)
    odd = np.bitwise_xor.accumulate(bits >> np.uint64(63))  # an odd number of changes up to the end of the word
    bits[1:] ^= np.uint64(0) - odd[:-1]
    return np.unpackbits(bits.view(np.uint8), bitorder="little")[:size]
