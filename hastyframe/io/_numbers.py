"""Numbers of JSON without Python objects: Arrow reads them from the text, many at once."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Raw
from numpy.typing import NDArray

__all__ = ["numbers_of"]


def numbers_of(rings: list[Raw], at_once: int = 500) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Read pieces of JSON that are lists of numbers.

    Parameters
    ----------
    rings : list of msgspec.Raw
        The pieces.
    at_once : int
        How many are read at a time. Arrays of some ten thousand numbers are taken from memory at hand, and stay in the
        cache; a ring has some forty.

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
    # Room for all that the text could hold, of which the pages that stay empty take no memory.
    numbers, lengths = np.empty(sum(map(len, rings)) // 2), np.empty(len(rings), np.int64)
    end = 0
    for first in range(0, len(rings), at_once):
        values, lengths[first : first + at_once] = _block(rings[first : first + at_once])
        numbers[end : end + len(values)] = values
        end += len(values)
    numbers.resize(end, refcheck=False)
    return numbers, lengths


def _block(rings: list[Raw]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    text = b";%b;" % b";".join(rings)
    characters = np.frombuffer(text, np.uint8)
    between = np.flatnonzero(characters == ord(";"))
    around = (characters[between[:-1] + 1] == ord("[")) & (characters[between[1:] - 1] == ord("]"))
    # Each is JSON. So if no character comes after ";" but the brackets around each, and there is no text, there is
    # nothing but numbers, without exponents, and what parts them.
    brackets = np.count_nonzero(characters > ord(";"))
    if not (len(around) == len(rings) and brackets == 2 * len(rings) and around.all()) or b'"' in text:
        raise ValueError("a ring is a list of numbers, and one has an exponent or is something else")
    numeric = characters - np.uint8(ord("-")) <= ord("9") - ord("-")  # the digits, the point and the minus
    edges = np.flatnonzero(numeric[1:] != numeric[:-1])
    lengths = np.diff(np.searchsorted(edges, between)) // 2
    return _doubles(text, (edges + 1).astype(np.int32)), lengths


def _doubles(text: bytes, edges: NDArray[np.int32]) -> NDArray[np.float64]:
    """Read the numbers between each two edges: to Arrow a column of texts, of which every second is missing."""
    count = max(len(edges) - 1, 0)
    there = pa.py_buffer(b"\x55" * (count // 8 + 1))
    texts = pa.StringArray.from_buffers(count, pa.py_buffer(edges), pa.py_buffer(text), there)
    values = pc.cast(texts, pa.float64(), memory_pool=pa.system_memory_pool()).buffers()[1]
    return np.frombuffer(values, np.float64, count)[::2]
