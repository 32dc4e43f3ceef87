"""How much larger files may become than they lie on the disk, and how many rows they may have."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import SizeLimitError
from ..limits import Limits

__all__ = ["RUN_BYTES", "TABLE_BYTES", "TEXT_BYTES", "Growth", "check_depth", "check_nested", "check_rows"]

TEXT_BYTES = 2**24
"""Text of an archive that nobody asks about: as Python objects, it takes up to thirty times as much."""
RUN_BYTES = 2**26
"""Run-lengths of pictures that nobody asks about; to find them takes ten times as much."""
TABLE_BYTES = 2**27
"""Columns of Parquet files that nobody asks about; a few copies of them are made."""
_AT_ONCE = 2**18
"""Letters that are counted at a time, in the processor's cache."""


class Growth:
    """Counts what files become, and refuses what an honest file would not become.

    Parameters
    ----------
    file : str
        What to call it in messages.
    packed : int
        Bytes that it takes as it is.
    limits : Limits
        ``unpacked_bytes`` and ``expansion`` count.
    free : int
        Bytes that it may grow by in any case.

    Examples
    --------
    >>> growth = Growth("a.zip", 100, Limits(expansion=50), free=1000)
    >>> growth.take(5000)
    >>> growth.take(101, "b.json")
    Traceback (most recent call last):
    hastyframe.errors.SizeLimitError: a.zip, b.json: 100 bytes become over 5,101, where 50 is the most. If you trust \
where it comes from, give limits=hf.Limits(expansion=...).
    """

    def __init__(self, file: str, packed: int, limits: Limits, free: int) -> None:
        self._file, self._packed, self._limits, self._free = file, packed, limits, free
        self._taken = 0

    def add(self, packed: int) -> None:
        """Count a further file in, before it is read."""
        self._packed += packed

    def take(self, amount: int, place: str = "") -> None:
        """Count bytes that will be there, before they are.

        Raises
        ------
        SizeLimitError
            They would be too many.
        """
        self._taken += amount
        grown = self._taken - self._packed
        if grown > self._limits.unpacked_bytes:
            raise self._error(place, "unpacked_bytes", self._limits.unpacked_bytes)
        if grown > self._free and grown > self._packed * self._limits.expansion:
            raise self._error(place, "expansion", self._limits.expansion)

    def _error(self, place: str, limit: str, allowed: float) -> SizeLimitError:
        what = f"{self._file}, {place}" if place else self._file
        return SizeLimitError(what, f"{self._packed:,} bytes become over {self._taken:,}", limit, allowed)


def check_nested(text: bytes | memoryview, file: str, limits: Limits, *, numbers: bool = False) -> None:
    """Refuse JSON of more lists and objects than ``limits.nested``; with `numbers`, two values count as one of them.

    Raises
    ------
    SizeLimitError
        There are more.
    """
    if len(text) <= 2 * limits.nested:  # each takes two characters
        return
    letters = np.frombuffer(text, np.uint8)
    count = sum(_count(letters[i : i + _AT_ONCE], numbers) for i in range(0, len(letters), _AT_ONCE))
    if count > limits.nested:
        what = "lists, objects and pairs of values" if numbers else "lists and objects"
        raise SizeLimitError(file, f"JSON of {count:,.0f} {what}", "nested", limits.nested)


def _count(letters: NDArray[np.uint8], numbers: bool) -> float:
    opened = float(np.count_nonzero(letters == ord("[")) + np.count_nonzero(letters == ord("{")))
    return opened + float(np.count_nonzero(letters == ord(","))) / 2 if numbers else opened


def check_rows(count: int, file: str, place: str, limits: Limits) -> None:
    """Refuse more rows than ``limits.rows``.

    Raises
    ------
    SizeLimitError
        There are more.
    """
    if count > limits.rows:
        raise SizeLimitError(f"{file}, {place}", f"{count:,} rows", "rows", limits.rows)


def check_depth(value: Any, file: str, place: str, limits: Limits) -> None:
    """Refuse lists and objects in lists and objects, ``limits.depth`` of them and more.

    What is deeper can be read, but not written, copied, compared or shown: Python gives up.

    Raises
    ------
    SizeLimitError
        It is nested too deep.
    """
    level = [value]
    depth = 0
    while level := [
        inner
        for outer in level
        if isinstance(outer, dict | list | tuple)
        for inner in (outer.values() if isinstance(outer, dict) else outer)
        if isinstance(inner, dict | list | tuple)
    ]:
        depth += 1
        if depth > limits.depth:
            raise SizeLimitError(f"{file}, {place}", "lists or objects are nested deeper", "depth", limits.depth)
