"""What a file cannot say: the error for one that is wrong, the warning for what one cannot carry."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..errors import ValidationException

__all__ = ["FormatError", "FormatWarning", "Losses", "OnLoss", "blame"]

OnLoss: TypeAlias = Literal["warn", "ignore", "raise"]
"""What to do about what a format cannot carry."""

_PACKAGE = __name__.partition(".")[0]


class FormatError(ValidationException):
    """A file that cannot be read, or that cannot be written as asked.

    Parameters
    ----------
    file : str
        Its name.
    place : str
        Where in the file: a key, a row, a member of an archive. Empty for the file as a whole.
    problem : str
        What is wrong there.
    remedy : str
        What to do about it.
    """

    def __init__(self, file: str, place: str, problem: str, remedy: str) -> None:
        where = f"{file}, {place}" if place else file
        super().__init__(f"{where}: {problem}. {remedy}.")
        self.file = file
        self.place = place
        self.problem = problem
        self.remedy = remedy


class FormatWarning(UserWarning):
    """A format cannot carry something that the label set or the file has; the message says what and how much."""


class Losses:
    """Collects what a format cannot carry and says it once.

    Parameters
    ----------
    subject : str
        Who cannot: begins the message.
    on_loss : {"warn", "ignore", "raise"}
        Whether :meth:`report` warns, keeps silent or raises.

    Examples
    --------
    >>> losses = Losses("YOLO cannot carry", "raise")
    >>> losses.add(3, "masks")
    >>> losses.add(0, "tags")
    >>> losses.report()
    Traceback (most recent call last):
    hastyframe.errors.ValidationException: YOLO cannot carry: masks (3). Use another format, or pass on_loss="warn".
    """

    def __init__(self, subject: str, on_loss: OnLoss) -> None:
        if on_loss not in {"warn", "ignore", "raise"}:
            raise ValidationException(f'on_loss is "warn", "ignore" or "raise", not {on_loss!r}.')
        self._subject = subject
        self._on_loss = on_loss
        self._lines: list[str] = []

    def add(self, count: int, what: str) -> None:
        """Note that `count` of `what` are lost; nothing where there are none."""
        if count:
            self._lines.append(f"{what} ({count:,})")

    def report(self) -> None:
        """Say all of it, once."""
        if not self._lines or self._on_loss == "ignore":
            return
        what = "; ".join(self._lines)
        if self._on_loss == "raise":
            raise ValidationException(f'{self._subject}: {what}. Use another format, or pass on_loss="warn".')
        warnings.warn(f"{self._subject}: {what}.", FormatWarning, stacklevel=_depth())


def _depth() -> int:
    """How far up the caller from outside the package is, as ``stacklevel`` counts."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] == _PACKAGE:
        level, frame = level + 1, frame.f_back
    return level


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
