"""Texts that no file can hold: halves of a character, which Python's texts can be."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from ..errors import FormatError
from ._files import name_of

__all__ = ["bad_text", "names_bad_texts"]

P = ParamSpec("P")
R = TypeVar("R")


def names_bad_texts(argument: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Make a reader or writer say which text it was that has no UTF-8.

    Such texts come from names of files that are in another encoding, and from JSON that other parsers have read. They
    are not looked for: Arrow, orjson and ``str.encode`` refuse each of them, and hold it up.

    Parameters
    ----------
    argument : str
        What argument the file, folder or data is.

    Examples
    --------
    >>> @names_bad_texts("file")
    ... def write(file, name):
    ...     return name.encode()
    >>> write("a.json", "b" + chr(0xD800))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    hastyframe.errors.FormatError: a.json, text 'b...': there is half a character in it. Correct it or leave it out.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def named(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return function(*args, **kwargs)
            except UnicodeEncodeError as error:
                given = inspect.signature(function).bind(*args, **kwargs).arguments[argument]
                raise bad_text(name_of(given), error) from None

        return named

    return decorate


def bad_text(file: str, error: UnicodeEncodeError) -> FormatError:
    """Say which text it is."""
    start = max(error.start - 20, 0)
    problem = "there is half a character in it"
    return FormatError(file, f"text {error.object[start : error.end + 20]!r}", problem, "Correct it or leave it out")
