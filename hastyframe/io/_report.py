"""What a file cannot carry: said once, in words."""

from __future__ import annotations

from typing import Literal, TypeAlias

from ..errors import ValidationException
from ..warning import warn

__all__ = ["FormatWarning", "Losses", "OnLoss"]

OnLoss: TypeAlias = Literal["warn", "ignore", "raise"]
"""What to do about what a format cannot carry."""


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

    def told(self) -> list[str]:
        """Return what was noted so far."""
        return list(self._lines)

    def take_back(self, told: list[str]) -> None:
        """Forget what was noted since :meth:`told`."""
        self._lines = told

    def report(self) -> None:
        """Say all of it, once."""
        if not self._lines or self._on_loss == "ignore":
            return
        what = "; ".join(self._lines)
        if self._on_loss == "raise":
            raise ValidationException(f'{self._subject}: {what}. Use another format, or pass on_loss="warn".')
        warn(f"{self._subject}: {what}.", FormatWarning)
