"""The string form of COCO run-lengths: six bits a character, many masks at once.

A count is written as the difference to the count two back (the first three as they are), in groups of five bits from
the lowest up. Bit 5 of a character says that another follows, bit 4 of the last one is the sign, and 48 is added to
make it printable. This is the format of ``pycocotools.mask``, described in ``common/maskApi.c`` of the COCO API.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hastyframe.errors import ValidationException
from hastyframe.masks.blocks import in_blocks
from hastyframe.masks.ragged import Ragged, offsets_of, where

__all__ = ["counts_from_strings", "counts_to_strings"]

AT_ONCE = 2**19
"""Characters that are expanded at a time; more than decoding hands over, which has cut them up already."""

LONGEST = 7
"""Characters that a difference of two 32-bit counts takes at most."""

NARROW = 6
"""Characters up to which a difference is so small that the first count to leave 32 bits comes out as a negative one."""


def counts_to_strings(counts: Ragged) -> Ragged:
    """Compress COCO counts.

    Parameters
    ----------
    counts : Ragged of int64
        Zeros, ones, zeros, … of each mask.

    Returns
    -------
    Ragged of uint8
        The characters of each mask's string.

    Examples
    --------
    >>> counts_to_strings(Ragged(np.array([6, 1, 40]), np.array([0, 3]))).values.tobytes()
    b'61X1'
    """
    return in_blocks(_compress, counts)


def _compress(counts: Ragged) -> Ragged:
    value = _differences(counts)
    size = np.ones(len(value), np.int64)
    longer, rest, at = [], value, np.arange(len(value))
    while len(more := np.flatnonzero((rest + 16).view(f"u{rest.itemsize}") > 31)):  # what five bits and a sign exceed
        longer.append(more)
        rest, at = rest[more] >> 5, at[more]
        size[at] += 1
    ends = offsets_of(size)
    out = np.empty(int(ends[-1]), np.uint8)
    place = ends[:-1]
    for more in [*longer, np.empty(0, np.int64)]:
        character = value.astype(np.uint8)
        character &= 31
        character += 48
        character[more] += 32
        out[place] = character
        value, place = value[more] >> 5, place[more] + 1
    return Ragged(out, ends[counts.offsets])


def _differences(counts: Ragged) -> NDArray[Any]:
    """Each count less the one two back, but for the first three of a mask; in 32 bits where they do."""
    values, offsets = counts
    kind = np.int32 if values.max(initial=0) < 2**31 - 16 else np.int64
    value: NDArray[Any] = values.astype(kind)
    value[2:] -= value[:-2].copy()
    for ahead in range(3):
        head = offsets[:-1] + ahead
        head = head[head < offsets[1:]]
        value[head] = values[head]
    return value


def counts_from_strings(strings: Ragged) -> Ragged:
    """Expand compressed COCO counts.

    Parameters
    ----------
    strings : Ragged of uint8
        The characters of each mask's string.

    Returns
    -------
    Ragged of int32 or int64
        Zeros, ones, zeros, … of each mask; 32 bits where they do.

    Raises
    ------
    ValidationException
        A character that the format does not have, a string that ends within a count, a count beyond 32 bits.

    Examples
    --------
    >>> text = np.frombuffer(b"61X1", np.uint8)
    >>> counts_from_strings(Ragged(text, np.array([0, 4]))).to_list()
    [[6, 1, 40]]
    """
    try:
        return in_blocks(_expand, strings, most=AT_ONCE)
    except ValidationException:
        return _expand(strings)  # which names the mask by its place among all


def _expand(strings: Ragged) -> Ragged:
    """Do what :func:`counts_from_strings` does, for as many strings as fit the cache."""
    bits = strings.values - np.uint8(48)  # what is too small wraps around to what is too large
    _check_characters(strings, bits)
    last = np.flatnonzero(bits < 32)
    counts = np.searchsorted(last, strings.offsets)
    size = np.diff(last, prepend=-1)
    if len(size) and size.max() > LONGEST:
        index, _ = where(counts, int(np.argmax(size > LONGEST)))
        raise ValidationException(f"The counts string of mask {index} holds a count beyond 32 bits; it is broken.")
    narrow = size.max(initial=1) <= NARROW
    value: NDArray[Any] = (bits.take(last) ^ 16).astype(np.int32 if narrow else np.int64)
    value -= 16  # bit 4 is the sign
    longer, back = np.flatnonzero(size > 1), 1
    while len(longer):
        value[longer] = (value.take(longer) << 5) | (bits.take(last.take(longer) - back) & 31)
        back += 1
        longer = longer[size.take(longer) > back]
    added = _add_up(value, counts)
    if narrow and added.min(initial=0) < 0:  # it may be one beyond 32 bits
        added = _add_up(value.astype(np.int64), counts)
    return Ragged(added, counts)


def _check_characters(strings: Ragged, bits: NDArray[np.uint8]) -> None:
    bad = bits > 63
    if bad.any():
        at = int(np.argmax(bad))
        index, place = where(strings.offsets, at)
        raise ValidationException(
            f"The counts string of mask {index} holds byte {strings.values[at]} at place {place}; "
            "compressed counts are made of the characters '0' to 'o'."
        )
    filled = np.flatnonzero(strings.lengths)
    cut = bits[strings.offsets[filled + 1] - 1] >= 32
    if cut.any():
        raise ValidationException(
            f"The counts string of mask {filled[np.argmax(cut)]} ends within a count; it was cut short."
        )


def _add_up(value: NDArray[Any], offsets: NDArray[np.int64]) -> NDArray[Any]:
    """Turn differences to the count two back into counts.

    That is a running sum over every second value. It begins anew with each mask where the first value of a mask is less
    by what the mask before it adds up to.
    """
    out = value.copy()
    third = offsets[:-1][offsets[1:] - offsets[:-1] > 2] + 2
    out[third] -= value[third - 2]  # it is no difference either
    for parity in (0, 1):
        chain, bounds = out[parity::2], (offsets + 1 - parity) >> 1
        heads = bounds[:-1][bounds[1:] > bounds[:-1]]
        if len(heads):
            chain[heads[1:]] -= np.add.reduceat(chain, heads, dtype=chain.dtype)[:-1]
            np.cumsum(chain, dtype=chain.dtype, out=chain)
    return out
