"""Warnings in the name of whoever called the package, however deep inside of it they arise."""

from __future__ import annotations

import sys
import warnings

__all__ = ["warn"]

_PACKAGE = __name__.partition(".")[0]


def warn(text: str, category: type[Warning]) -> None:
    """Warn; the line that is named is the caller's from outside the package.

    Examples
    --------
    >>> import warnings
    >>> with warnings.catch_warnings(record=True, action="always") as caught:
    ...     warn("a box is empty", UserWarning)
    >>> str(caught[0].message)
    'a box is empty'
    """
    warnings.warn(text, category, stacklevel=_depth())


def _depth() -> int:
    """How far up the caller from outside the package is, as ``stacklevel`` counts."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] == _PACKAGE:
        level, frame = level + 1, frame.f_back
    return level
