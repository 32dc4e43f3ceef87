"""Work on many rows at once that is refused for one of them: which one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import FormatError, ValidationException

__all__ = ["blame"]


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


def _refused(work: Callable[[NDArray[np.int64]], Any], rows: NDArray[np.int64]) -> bool:
    try:
        work(rows)
    except ValidationException:
        return True
    return False
