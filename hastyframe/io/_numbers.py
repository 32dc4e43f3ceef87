"""Numbers of JSON without Python objects: Arrow reads them from the text, many at once."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Raw
from numpy.typing import NDArray

__all__ = ["numbers_of"]

_BLOCK = 300
"""Rings that are read at a time: arrays of their size are taken from memory at hand, and stay in the cache."""


def numbers_of(rings: list[Raw]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Read pieces of JSON that are lists of numbers.

    Returns
    -------
    values : numpy.ndarray of float64
        All their numbers, each the double that is nearest to what the text says.
    lengths : numpy.ndarray of int64
        How many each has.

    Raises
    ------
    ValueError
        One that is something else, or has an exponent.

    Examples
    --------
    >>> values, lengths = numbers_of([Raw(b"[1, 2.5]"), Raw(b"[-3]")])
    >>> values.tolist(), lengths.tolist()
    ([1.0, 2.5, -3.0], [2, 1])
    """
    blocks = [_block(rings[first : first + _BLOCK]) for first in range(0, len(rings), _BLOCK)]
    values = [np.empty(0), *(numbers for numbers, _ in blocks)]
    lengths = [np.empty(0, np.int64), *(counts for _, counts in blocks)]
    return np.concatenate(values), np.concatenate(lengths)


def _block(rings: list[Raw]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    text = b";%b;" % b";".join(rings)
    characters = np.frombuffer(text, np.uint8)
    between = np.flatnonzero(characters == ord(";"))
    around = (characters[between[:-1] + 1] == ord("[")) & (characters[between[1:] - 1] == ord("]"))
    # Each is JSON. So if there are no brackets but those around each, there is nothing in between but scalars.
    if not (len(around) == len(rings) == text.count(b"[") and around.all()):
        raise ValueError("a ring is a list of numbers")
    numeric = characters - np.uint8(ord("-")) <= ord("9") - ord("-")  # the digits, the point and the minus
    edges = np.flatnonzero(numeric[1:] != numeric[:-1])
    offsets = np.zeros(len(edges) // 2 + 1, np.int32)
    np.cumsum(edges[1::2] - edges[0::2], out=offsets[1:])
    digits = text.translate(None, b" \t\r\n[],;")
    if len(digits) != offsets[-1]:
        raise ValueError("something that is no number, or has an exponent")
    texts = pa.StringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets), pa.py_buffer(digits))
    lengths = np.diff(np.searchsorted(edges[0::2], between))
    return pc.cast(texts, pa.float64()).to_numpy(), lengths
