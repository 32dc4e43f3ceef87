"""Work on many rows at once that is refused for some of them: which ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from .errors import FormatError, FrameError, Problem, ValidationException

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["find_bad_rows", "locate_bad_row", "naming_outlines"]

R = TypeVar("R")
Rows = NDArray[np.int64]


def find_bad_rows(
    work: Callable[[Rows], Any],
    rows: Rows,
    refusals: type[Exception] | tuple[type[Exception], ...] = ValidationException,
) -> Iterator[tuple[int, Exception]]:
    """Find the rows that work refuses: what is refused is halved until single rows are left.

    Parameters
    ----------
    work : callable
        Takes row numbers; raises one of `refusals` where one of them is bad.
    rows : numpy.ndarray of int64
        All of them.
    refusals : type of Exception, or a tuple of them
        What work raises.

    Yields
    ------
    row : int
        A row that is refused on its own; they come in the order of `rows`.
    error : Exception
        Why.

    Examples
    --------
    >>> def work(rows):
    ...     if 3 in rows:
    ...         raise ValidationException("three")
    >>> [(row, str(error)) for row, error in find_bad_rows(work, np.arange(8))]
    [(3, 'three')]
    """
    parts = [rows]
    while parts:
        part = parts.pop()
        try:
            work(part)
        except refusals as error:
            if len(part) == 1:
                yield int(part[0]), error
            elif len(part):
                parts += [part[len(part) // 2 :], part[: len(part) // 2]]


def locate_bad_row(work: Callable[[Rows], R], rows: Rows, place: Callable[[int], str], file: str) -> R:
    """Do work on many rows at once; where it is refused, name the first bad row.

    Parameters
    ----------
    work : callable
        Takes row numbers; raises ValidationException where one of them is bad.
    rows : numpy.ndarray of int64
        All of them.
    place : callable
        Names a row in words of the file.
    file : str
        Its name.

    Raises
    ------
    FormatError
        If one of the rows is refused. What is refused only for several rows together is raised as it is.
    """
    try:
        return work(rows)
    except ValidationException as error:
        whole = error
    for row, reason in find_bad_rows(work, rows):
        raise FormatError(file, place(row), str(reason).rstrip("."), "Correct it or leave it out") from None
    raise whole


@contextmanager
def naming_outlines(labels: pd.DataFrame, what: str = "the labels") -> Iterator[None]:
    """Turn an error about outlines of a frame into one that names every bad outline by its id.

    Parameters
    ----------
    labels : pandas.DataFrame
        The frame with ``polygon`` or ``parts``; looked at only after an error.
    what : str
        What the frame is called.

    Raises
    ------
    FrameError
        Names every row whose outline is not valid. Other errors are raised as they are.

    Examples
    --------
    >>> import pandas as pd
    >>> from hastyframe import masks
    >>> labels = pd.DataFrame({"polygon": [[[0, 0], [4, 4]]]}, index=["l1"])
    >>> with naming_outlines(labels):
    ...     masks.polygon_area(labels["polygon"])
    Traceback (most recent call last):
    hastyframe.errors.FrameError: 1 problem in the labels, nothing was computed:
      polygon, row 'l1': [[0, 0], [4, 4]]. A polygon needs three vertices or more.
    """
    try:
        yield
    except FrameError:
        raise
    except ValidationException:
        problems = [*_bad_outlines(labels)]
        if problems:
            raise FrameError(problems, what, "nothing was computed") from None
        raise


def _bad_outlines(labels: pd.DataFrame) -> Iterator[Problem]:
    for column in ("polygon", "parts"):
        for key, value in zip(labels.index, labels[column].tolist() if column in labels else (), strict=False):
            if not isinstance(value, list | tuple | np.ndarray):
                continue
            plain = np.asarray(value, object).tolist()
            rings = [plain] if column == "polygon" else plain
            if any(len(ring) < 3 for ring in rings):
                yield Problem(column, key, plain, "A polygon needs three vertices or more.")
            elif not all(math.isfinite(number) for ring in rings for vertex in ring for number in vertex):
                yield Problem(column, key, plain, "Its coordinates must be finite numbers.")
