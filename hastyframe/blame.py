"""Work on many rows at once that is refused for one of them: which one."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .errors import FormatError, FrameError, Problem, ValidationException

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["blame", "naming_outlines"]


def blame(
    work: Callable[[NDArray[np.int64]], Any], rows: NDArray[np.int64], place: Callable[[int], str], file: str
) -> Any:
    """Do work on many rows at once; where it is refused, find the first row to blame and name it.

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
    """
    try:
        return work(rows)
    except ValidationException:
        while len(rows) > 1:
            half = rows[: len(rows) // 2]
            rows = half if _refused(work, half) else rows[len(rows) // 2 :]
        work_on = rows
    try:
        work(work_on)
    except ValidationException as error:
        raise FormatError(file, place(int(rows[0])), str(error).rstrip("."), "Correct it or leave it out") from None
    raise FormatError(file, "", "its rows do not fit together", "Read them in parts")


@contextmanager
def naming_outlines(labels: pd.DataFrame, what: str = "the labels") -> Iterator[None]:
    """Work on outlines of a frame that is refused for some of them: name all of these by their ids.

    Parameters
    ----------
    labels : pandas.DataFrame
        The frame; what is looked at is ``polygon`` and ``parts``, and only after the work was refused.
    what : str
        What the frame is called.

    Raises
    ------
    FrameError
        Names every row whose outline is none. An error that is about something else goes on as it is.

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


def _refused(work: Callable[[NDArray[np.int64]], Any], rows: NDArray[np.int64]) -> bool:
    try:
        work(rows)
    except ValidationException:
        return True
    return False
