"""Checks of single arguments: what cannot be sent is refused with its name, its value and what would be right."""

from __future__ import annotations

import math
import numbers
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np

from .entities import Entity, Kind
from .errors import ValidationException, said

__all__ = [
    "LONGEST_TEXT",
    "MAX_NUMBER",
    "a",
    "check_fields",
    "check_file_name",
    "check_flag",
    "check_number",
    "check_path",
    "check_text",
    "check_workers",
    "color_problem",
    "counted",
    "file_name_problem",
    "shown",
    "text_problem",
]

LONGEST_TEXT = 1 << 20
"""The most characters of a text that is sent."""
LONGEST_PATH = 32_767
_LONGEST_PART = 255
"""Bytes of a name in a folder, on all usual file systems."""
_COLOR = re.compile("#(?:[0-9a-fA-F]{6}|[0-9a-fA-F]{8})")
_NO_FILE_NAME = re.compile(r"[/\n\r]")
MAX_NUMBER = 2**53
"""Up to this one a float holds every whole number; a greater one would become another in a frame."""


@overload
def check_text(value: Any, name: str, *, optional: Literal[False] = ..., empty: bool = ...) -> str: ...
@overload
def check_text(value: Any, name: str, *, optional: bool, empty: bool = ...) -> str | None: ...
def check_text(value: Any, name: str, *, optional: bool = False, empty: bool = True) -> str | None:
    r"""Return a text that can be sent.

    Parameters
    ----------
    value : object
        What was given.
    name : str
        The name of the argument.
    optional : bool
        Whether it may be None.
    empty : bool
        Whether it may be empty.

    Raises
    ------
    ValidationException
        If it cannot be sent.

    Examples
    --------
    >>> check_text("train", "name"), check_text(None, "color", optional=True)
    ('train', None)
    >>> check_text(7, "name")
    Traceback (most recent call last):
    hastyframe.errors.ValidationException: name is 7; it must be a text.
    >>> check_text("a\0b", "name")
    Traceback (most recent call last):
    hastyframe.errors.ValidationException: name is 'a\x00b'; it holds a NUL character, which cannot be stored.
    """
    if value is None and optional:
        return None
    if not isinstance(value, str):
        raise _refused(name, value, "it must be a text" + (", or None." if optional else "."))
    if not value and not empty:
        raise _refused(name, value, "it must not be empty.")
    trouble = text_problem(value)
    if trouble is not None:
        raise _refused(name, value, trouble)
    return str(value)


def text_problem(text: str) -> str | None:
    r"""Say why a text cannot be sent and what to do about it, None if it can.

    Examples
    --------
    >>> text_problem("Köln \U0001f600")
    >>> text_problem("\ud83d")
    'it holds half of a surrogate pair, which is no character: decode it anew, or take it out.'
    """
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return "it holds half of a surrogate pair, which is no character: decode it anew, or take it out."
    if "\0" in text:
        return "it holds a NUL character, which cannot be stored."
    if len(text) > LONGEST_TEXT:
        return f"it has {len(text):,} characters, where {LONGEST_TEXT:,} are the most."
    return None


def color_problem(color: Any) -> str | None:
    """Say why a text is no color of a class and what to do about it, None if it is one.

    Examples
    --------
    >>> color_problem("#ff0000"), color_problem("#FF0000aa")
    (None, None)
    >>> color_problem("red")
    "it must be a color as '#ff0000', or '#ff000080' with its opacity."
    """
    if isinstance(color, str) and _COLOR.fullmatch(color):
        return None
    return "it must be a color as '#ff0000', or '#ff000080' with its opacity."


def file_name_problem(name: Any) -> str | None:
    r"""Say why a text cannot be the name of an image and what to do about it, None if it can.

    Examples
    --------
    >>> file_name_problem("a.png")
    >>> file_name_problem("cam1/a.png"), file_name_problem("a\nb.png") == file_name_problem("")
    ("it must be a file name: not empty, without '/' and line breaks.", True)
    """
    if isinstance(name, str) and name not in ("", ".", "..") and not _NO_FILE_NAME.search(name):
        return text_problem(name)
    return "it must be a file name: not empty, without '/' and line breaks."


def check_file_name(value: Any, name: str) -> str:
    """Return a text that can be the name of an image.

    Examples
    --------
    >>> check_file_name("cam1/a.png", "filename")
    Traceback (most recent call last):
    hastyframe.errors.ValidationException: filename is 'cam1/a.png'; it must be a file name: not empty, without '/' and
    line breaks.
    """
    text = check_text(value, name, empty=False)
    if trouble := file_name_problem(text):
        raise _refused(name, value, trouble)
    return text


def check_number(
    value: Any,
    name: str,
    *,
    least: float = -MAX_NUMBER,
    most: float = MAX_NUMBER,
    whole: bool = False,
    optional: bool = False,
) -> Any:
    """Return a number that can be sent, as a Python number.

    Parameters
    ----------
    value : object
        What was given.
    name : str
        The name of the argument.
    least, most : float
        Its bounds.
    whole : bool
        Whether it must be a whole number.
    optional : bool
        Whether it may be None.

    Raises
    ------
    ValidationException
        If it cannot be sent.

    Examples
    --------
    >>> check_number(0.5, "confidence_threshold", least=0, most=1)
    0.5
    >>> check_number(float("nan"), "norder")
    Traceback (most recent call last):
    hastyframe.errors.ValidationException: norder is nan; it must be a number.
    """
    if value is None and optional:
        return None
    number = value.item() if isinstance(value, np.generic) else value
    what = "a whole number" if whole else "a number"
    either = f"{what}, or None." if optional else f"{what}."
    is_nan = isinstance(number, float) and math.isnan(number)
    if isinstance(number, bool) or not isinstance(number, int | float) or is_nan:
        raise _refused(name, value, f"it must be {either}")
    if not least <= number <= most:
        raise _refused(name, value, f"it must be {what}, at least {least:,} and at most {most:,}.")
    if whole and number % 1:  # of infinity NaN, which is true
        raise _refused(name, value, f"it must be {either}")
    return int(number) if whole else number


def check_workers(value: Any, name: str = "max_workers") -> int:
    """Return how many requests may be under way at once.

    Examples
    --------
    >>> check_workers(np.int64(4))
    4
    >>> check_workers(0)
    Traceback (most recent call last):
    hastyframe.errors.ValidationException: max_workers is 0; it must be a whole number, 1 or more.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 1:
        raise _refused(name, value, "it must be a whole number, 1 or more.")
    return int(value)


def check_flag(value: Any, name: str) -> bool:
    """Return True or False.

    Examples
    --------
    >>> check_flag(np.True_, "sign_urls")
    True
    """
    if not isinstance(value, bool | np.bool_):
        raise _refused(name, value, "it must be True or False.")
    return bool(value)


def check_path(value: Any, name: str) -> Path:
    """Return the path of a file or a folder on this machine.

    Examples
    --------
    >>> check_path("out/a.png", "filepath").as_posix()
    'out/a.png'
    >>> check_path(None, "filepath")
    Traceback (most recent call last):
    hastyframe.errors.ValidationException: filepath is None; it must be a path: a text or a pathlib.Path.
    """
    if not isinstance(value, str | os.PathLike) or not isinstance(os.fspath(value), str):
        raise _refused(name, value, "it must be a path: a text or a pathlib.Path.")
    if not 0 < len(os.fspath(value)) <= LONGEST_PATH or "\0" in os.fspath(value):
        raise _refused(name, value, "no file is called that.")
    parts = Path(value).parts if isinstance(value, str) else ()  # a Path is meant to be one
    if any(len(part.encode(errors="surrogatepass")) > _LONGEST_PART for part in parts):
        raise _refused(name, value, "no file is called that: give a path, and not what stands in the file.")
    return Path(value)


def check_fields(entity: type[Entity], body: Mapping[str, Any]) -> None:
    """Refuse what is to be sent of a thing and cannot be what its declaration says; ``...`` stands for what stays.

    Examples
    --------
    >>> from hastyframe.entities import Dataset
    >>> check_fields(Dataset, {"name": "train", "norder": float("nan")})
    Traceback (most recent call last):
    hastyframe.errors.ValidationException: norder is nan; it must be a number, or None.
    """
    for name, field in entity.fields().items():
        value = body.get(field.key, ...)
        if value is ...:
            continue
        if field.kind is Kind.TEXT:
            check_text(value, name, optional=not field.required, empty=not field.required)
            if name == "color" and value is not None and (trouble := color_problem(value)):
                raise _refused(name, value, trouble)
        elif field.kind is Kind.NUMBER:
            check_number(value, name, optional=True)


def _refused(name: str, value: Any, remedy: str) -> ValidationException:
    return ValidationException(f"{name} is {shown(value)}; {remedy}")


def a(thing: str) -> str:
    """Return a noun with its article.

    Examples
    --------
    >>> a("Image"), a("Label")
    ('an Image', 'a Label')
    """
    return f"{'an' if thing[:1].lower() in 'aeiou' else 'a'} {thing}"


def counted(count: int, thing: str) -> str:
    """Say how many of something there are.

    Examples
    --------
    >>> counted(1, "label"), counted(1200, "class")
    ('1 label', '1,200 classes')
    """
    if count == 1:
        return f"1 {thing}"
    return f"{count:,} {thing}{'es' if thing.endswith(('s', 'x', 'ch', 'sh')) else 's'}"


def shown(value: Any, width: int = 80) -> str:
    """Return a value as it stands in a message: in one line, and short.

    Examples
    --------
    >>> shown(np.float64(0.5)), shown([np.int64(3)])
    ('0.5', '[3]')
    """
    if getattr(value, "ndim", 0):
        return f"a {type(value).__name__}"
    text = said(value)
    return text if len(text) <= width else f"{text[: width - 1]}…"
