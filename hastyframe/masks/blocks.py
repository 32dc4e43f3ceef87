"""Working on some thousands of numbers at a time.

Arrays that fit the processor's cache, and that the allocator hands out again and again, are several times faster than
arrays of many megabytes. Kernels that need many arrays of intermediate results go through their masks in blocks.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from hastyframe.masks.ragged import Ragged, offsets_of

__all__ = ["blocks_of", "cuts", "in_blocks", "in_threads", "stacked"]

Item = TypeVar("Item")
Result = TypeVar("Result")

BLOCK = 2**16
"""Numbers in a block: half a MiB of int64."""
THREADS = 8
"""At most so many at once: each holds the arrays of a block, and more would wait for the interpreter."""


def cuts(offsets: NDArray[np.int64], most: int = BLOCK) -> list[int]:
    """Where to cut rows so that each block holds about `most` values, from 0 to the number of rows.

    Examples
    --------
    >>> cuts(np.array([0, 3, 6, 7, 20, 22]), 6)
    [0, 2, 4, 5]
    """
    if offsets[-1] <= most:
        return [0, len(offsets) - 1]
    inner = np.searchsorted(offsets, np.arange(most, offsets[-1], most))
    ends: list[int] = np.unique(np.concatenate([[0], inner, [len(offsets) - 1]])).tolist()
    return ends


def in_blocks(work: Callable[..., Ragged], rows: Ragged, *columns: NDArray[Any], most: int = BLOCK) -> Ragged:
    """Do the work block by block and stack the answers.

    Parameters
    ----------
    work : callable
        Takes rows and the columns that belong to them, gives a row for each.
    rows : Ragged
        What the blocks are measured by.
    columns : numpy.ndarray, shape (n,)
        Further arguments, a value a row.
    most : int
        How many values a block has, about.

    Examples
    --------
    >>> rows = Ragged(np.arange(5), np.array([0, 2, 5]))
    >>> in_blocks(lambda some, add: Ragged(some.values + np.repeat(add, some.lengths), some.offsets), rows,
    ...           np.array([10, 20])).to_list()
    [[10, 11], [22, 23, 24]]
    """
    parts = [work(some, *(column[which] for column in columns)) for which, some in blocks_of(rows, most)]
    return stacked(parts)


def blocks_of(rows: Ragged, most: int = BLOCK) -> Iterator[tuple[slice, Ragged]]:
    """Go through rows some at a time, about `most` values: which rows, and the rows, without a copy.

    Examples
    --------
    >>> rows = Ragged(np.arange(5), np.array([0, 2, 5]))
    >>> [(which, some.to_list()) for which, some in blocks_of(rows, 2)]
    [(slice(0, 1, None), [[0, 1]]), (slice(1, 2, None), [[2, 3, 4]])]
    """
    ends = cuts(rows.offsets, most)
    if len(ends) == 2:
        yield slice(*ends), rows
        return
    for first, last in pairwise(ends):
        offsets = rows.offsets[first : last + 1]
        yield slice(first, last), Ragged(rows.values[offsets[0] : offsets[-1]], offsets - offsets[0])


def in_threads(work: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """Do the work on some items at a time: NumPy lets go of the interpreter while it works on arrays.

    This thread does its share, since it has memory at hand, which costs a new one time to get. Of several errors that
    of the first item is raised.

    Examples
    --------
    >>> in_threads(abs, [-1, 2])
    [1, 2]
    """
    todo = deque(enumerate(items))
    done: dict[int, Result] = {}
    failed: dict[int, BaseException] = {}

    def help_out() -> None:
        while True:
            try:
                index, item = todo.popleft()
            except IndexError:
                return
            try:
                done[index] = work(item)
            except BaseException as error:
                failed[index] = error
                todo.clear()

    others = min(len(todo), processors(), THREADS) - 1
    if others > 0:
        with ThreadPoolExecutor(others) as pool:
            for _ in range(others):
                pool.submit(help_out)
            try:
                help_out()
            finally:
                todo.clear()  # an interrupt should not have to wait for all the rest
    else:
        help_out()
    if failed:
        raise failed[min(failed)]
    return [done[index] for index in range(len(done))]


def processors() -> int:
    """How many processors this process may use: not all there are, where it was told so."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def stacked(parts: list[Ragged]) -> Ragged:
    """Put rows one below the other."""
    if len(parts) == 1:
        return parts[0]
    lengths = [part.lengths for part in parts]
    return Ragged(np.concatenate([part.values for part in parts]), offsets_of(np.concatenate(lengths)))
