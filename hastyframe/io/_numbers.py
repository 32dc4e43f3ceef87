"""Numbers of JSON without Python objects: Arrow reads them from the text, many at once."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Raw
from numpy.typing import NDArray

from ..masks.blocks import in_threads
from ..masks.ragged import offsets_of

__all__ = ["numbers_of"]


def numbers_of(rings: list[Raw], at_once: int = 1000) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
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
    lengths = np.fromiter(map(len, rings), np.int64, len(rings))
    # Room for all that the text could hold, of which the pages that stay empty take no memory.
    begin, numbers, counts = offsets_of(lengths // 2), np.empty(int(lengths.sum()) // 2), np.empty_like(lengths)

    def read(rows: range) -> NDArray[np.float64]:
        first = end = begin[rows.start]
        for row in rows[::at_once]:
            some = slice(row, min(row + at_once, rows.stop))
            values, counts[some] = _block(rings[some], lengths[some])
            numbers[end : end + len(values)] = values
            end += len(values)
        return numbers[first:end]

    middle = len(rings) // 2 if len(rings) > at_once else 0
    start, rest = in_threads(read, [range(middle), range(middle, len(rings))])
    end = len(start) + len(rest)
    numbers[len(start) : end] = rest
    del start, rest
    numbers.resize(end, refcheck=False)
    return numbers, counts


def _block(rings: list[Raw], lengths: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    text = b",".join([b"", *rings, b""])
    characters = np.frombuffer(text, np.uint8)
    between = offsets_of(lengths + 1).astype(np.int32)
    around = (characters[between[:-1] + 1] == ord("[")) & (characters[between[1:] - 1] == ord("]"))
    # Each is JSON. So if no character comes after the digits but the brackets around each, and there is no text, there
    # is nothing but numbers, without exponents, and what parts them.
    brackets = np.count_nonzero(characters > ord("9"))
    if not (brackets == 2 * len(rings) and around.all()) or b'"' in text:
        raise ValueError("a ring is a list of numbers, and one has an exponent or is something else")
    numeric = characters - np.uint8(ord("-")) <= ord("9") - ord("-")  # the digits, the point and the minus
    edges = np.flatnonzero(numeric[1:] != numeric[:-1]).astype(np.int32)
    return _doubles(text, edges), np.diff(np.searchsorted(edges, between)) // 2


def _doubles(text: bytes, edges: NDArray[np.int32]) -> NDArray[np.float64]:
    """Read the numbers between each two edges: to Arrow a column of texts, of which every second is missing."""
    count = max(len(edges) - 1, 0)
    there = pa.py_buffer(b"\x55" * (count // 8 + 1))
    texts = pa.StringArray.from_buffers(count, pa.py_buffer(edges), pa.py_buffer(text).slice(1), there)
    # The usual pool gives memory back between two blocks, and takes it again page by page.
    values = pc.cast(texts, pa.float64(), memory_pool=pa.system_memory_pool()).buffers()[1]
    return np.frombuffer(values, np.float64, count)[::2]
