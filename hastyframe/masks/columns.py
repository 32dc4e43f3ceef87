"""Columns of masks that carry their boxes: kernels take them in place of run-lengths and boxes."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from hastyframe.errors import ValidationException

__all__ = ["takes_masks"]

R = TypeVar("R")


def takes_masks(function: Callable[..., R]) -> Callable[..., R]:
    """Let a column of masks stand for run-lengths and the boxes after them.

    Whatever has a method ``runs_in_boxes`` is such a column, or a Series over one.

    Examples
    --------
    >>> class Column:
    ...     def runs_in_boxes(self):
    ...         return [[1, 4]], [[0, 0, 2, 2]]
    >>> @takes_masks
    ... def both(runs, boxes, scale=1):
    ...     return runs, boxes, scale
    >>> both(Column(), scale=2)
    ([[1, 4]], [[0, 0, 2, 2]], 2)
    """
    code = function.__code__
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]

    @wraps(function)
    def taking(*args: Any, **kwargs: Any) -> R:
        given: list[Any] = []
        for arg in args:
            given += (arg,) if (found := _masks_of(arg)) is None else found
        named = dict(kwargs)
        for name, value in kwargs.items():
            if (found := _masks_of(value)) is not None:
                boxes = names[names.index(name) + 1]
                named |= {name: found[0], boxes: found[1]}
        for name in [name for name in names[: code.co_argcount] if name in named and names.index(name) < len(given)]:
            raise ValidationException(f"{name} is given twice: a column of masks carries its boxes, leave others out.")
        return function(*given, **named)

    return taking


def _masks_of(value: Any) -> tuple[Any, Any] | None:
    column = getattr(value, "array", value)
    return column.runs_in_boxes() if hasattr(column, "runs_in_boxes") else None
