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

LONGEST = 7
"""Characters that a difference of two 32-bit counts takes at most."""


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
    Ragged of int64
        Zeros, ones, zeros, … of each mask.

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
        return in_blocks(_expand, strings)
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
    value = (bits[last] ^ 16).astype(np.int64)
    value -= 16  # bit 4 is the sign
    longer = np.arange(len(last))
    for back in range(1, int(size.max(initial=1))):
        longer = longer[size[longer] > back]
        value[longer] = (value[longer] << 5) | (bits[last[longer] - back] & 31)
    return _add_up(value, counts)


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


def _add_up(value: NDArray[np.int64], offsets: NDArray[np.int64]) -> Ragged:
    """Turn differences to the count two back into counts.

    That is a running sum over every second value, if it begins anew with each mask: if the first three of a mask are
    differences to what is two back as well, in the mask before if need be. What that is, a sum that does not begin
    anew tells.
    """
    filled = np.flatnonzero(offsets[1:] > offsets[:-1])
    head, end = offsets[filled], offsets[filled + 1]
    length, total = end - head, _every_second(value)
    last = _count_at(head, length - 1, value, total)
    second = np.where(length > 1, _count_at(head, np.maximum(length - 2, 0), value, total), np.append(0, last[:-1]))
    steps = value.copy()
    steps[head[1:]] -= second[:-1]
    steps[head[1:][length[1:] > 1] + 1] -= last[:-1][length[1:] > 1]
    steps[head[length > 2] + 2] -= value[head[length > 2]]
    return Ragged(_every_second(steps), offsets)


def _every_second(value: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sum of each value and those two, four, six, ... back."""
    out = np.empty_like(value)
    for first in (0, 1):
        np.cumsum(value[first::2], out=out[first::2])
    return out


def _count_at(
    head: NDArray[np.int64], place: NDArray[np.int64], value: NDArray[np.int64], total: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Count at a place of each mask, from sums that run through all masks."""
    before = np.where(head > 0, total[head - 1], 0)
    return np.where(place == 0, value[head], total[head + place] - np.where(place % 2 == 0, total[head], before))
