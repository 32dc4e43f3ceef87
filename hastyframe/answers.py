"""What an answer must be: the thing that was asked for, as :mod:`hastyframe.entities` declares it."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from .arguments import a, shown
from .entities import Entity, Kind
from .errors import OutcomeUnknown, UnexpectedAnswer

if TYPE_CHECKING:
    from .transport import Transport

__all__ = ["complete", "create", "only", "problem", "read", "unknown"]

_ECHOED = {"name": "name", "filename": "name", "type": "type", "dataset_id": "dataset_id"}
"""What a new thing has as it was sent: by the key that was sent the key of the answer."""


def read(entity: type[Entity], answer: Any, request: str, *, edited: bool = False, **known: Any) -> dict[str, Any]:
    """Return an answer that is one thing.

    Parameters
    ----------
    entity : type of Entity
        What it must be.
    answer : object
        The JSON of the answer.
    request : str
        What was asked, as ``"GET /v1/projects/p"``.
    edited : bool
        Whether the request was to change the thing.
    **known
        What must be in the answer if it says it at all, as the ``id`` that was asked for.

    Raises
    ------
    UnexpectedAnswer
        If it is something else.

    Examples
    --------
    >>> from hastyframe.entities import Dataset
    >>> read(Dataset, {"id": "d", "name": "train", "more": 1}, "GET /v1/projects/p/datasets/d", id="d")["name"]
    'train'
    >>> read(Dataset, {}, "GET /v1/datasets/d")
    Traceback (most recent call last):
    hastyframe.errors.UnexpectedAnswer: The answer is not a dataset: it has no id. Try again. [GET /v1/datasets/d]
    """
    what = problem(entity, answer, known)
    if what is not None:
        remedy = "The change may have been made all the same: read it again." if edited else "Try again."
        raise UnexpectedAnswer(f"The answer is not {a(entity.noun())}: {what}. {remedy}", request=request)
    return dict(answer)


def create(
    transport: Transport,
    entity: type[Entity],
    path: str,
    body: Any,
    known: Mapping[str, Any] | None = None,
    *,
    in_list: bool = False,
) -> dict[str, Any]:
    """Create a thing and return what the server says that it is.

    Parameters
    ----------
    transport : Transport
        What sends.
    entity : type of Entity
        What is created.
    path : str
        Where.
    body : dict or list
        What is sent.
    known : mapping, optional
        What the thing must have if the answer says it at all; if not given, what the body says of it.
    in_list : bool
        Whether the answer is a list of one thing.

    Raises
    ------
    OutcomeUnknown
        If the answer was lost, or is not the new thing: it may be there. The message says how to find out.
    """
    request = f"POST {path}"
    try:
        answer = transport.post(path, body)
    except (OutcomeUnknown, UnexpectedAnswer) as error:
        raise unknown(entity, error.message, request, error.status, error.request_id) from error
    if in_list:
        answer = only(answer)
    if known is None:
        known = {there: body[key] for key, there in _ECHOED.items() if key in body}
    what = problem(entity, answer, known)
    if what is not None:
        raise unknown(entity, f"The answer is not {a(entity.noun())} as it was sent: {what}.", request)
    return dict(answer)


def unknown(
    entity: type[Entity], what: str, request: str, status: int | None = None, request_id: str | None = None
) -> OutcomeUnknown:
    """Return the error for a thing of which nobody can say whether it was created, and how to find out."""
    look = (
        f"The {entity.noun()} may have been created or not: look with {entity.found_by} before you create it again."
        if entity.found_by
        else f"The {entity.noun()} may have been started or not; it changes nothing, so that it can be started again."
    )
    return OutcomeUnknown(f"{what} {look}", request=request, status=status, request_id=request_id)


def problem(entity: type[Entity], answer: Any, known: Mapping[str, Any] | None = None) -> str | None:
    """Say why an answer is not a thing, None if it is one. Keys that are not declared are let through, as nulls are.

    Examples
    --------
    >>> from hastyframe.entities import Image
    >>> problem(Image, {"id": "i", "name": "a.png", "dataset_id": "d", "width": "wide"})
    "its width is 'wide', which is not an integer"
    >>> problem(Image, [])
    'it is an empty list'
    """
    if not isinstance(answer, Mapping):
        return f"it is {_what(answer)}"
    for field in entity.fields().values():
        if field.derived:
            continue
        value = answer.get(field.key)
        if value is None or value == "":
            if field.required:
                return f"it has no {field.key}"
        elif not _FITS[field.kind](value):
            return f"its {field.key} is {shown(value)}, which is not {a(field.kind.value)}"
    for key, value in (known or {}).items():
        if answer.get(key) is not None and not _is_same(answer[key], value):
            return f"its {key} is {shown(answer[key])}, where {shown(value)} was asked for"
    return None


def complete(items: list[dict[str, Any]], **known: Any) -> list[dict[str, Any]]:
    """Fill in what things do not say of themselves, since the path that they were asked by says it.

    Examples
    --------
    >>> complete([{"id": "t"}, {"id": "u", "image_id": "j"}], image_id="i")
    [{'id': 't', 'image_id': 'i'}, {'id': 'u', 'image_id': 'j'}]
    """
    for key, value in known.items():
        for item in items:
            if item.get(key) is None:
                item[key] = value
    return items


def only(answer: Any) -> Any:
    """Return the one thing of a list ``{"items": [thing]}``; what is no such list as it is."""
    items = answer.get("items") if isinstance(answer, Mapping) else None
    return items[0] if isinstance(items, list) and len(items) == 1 else answer


def _is_same(found: Any, value: Any) -> bool:
    """Whether texts are the same, for servers that keep them in another spelling of Unicode or without blanks."""
    if isinstance(found, str) and isinstance(value, str):
        return _folded(found) == _folded(value)
    return bool(found == value)


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold().strip()


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_integer(value: Any) -> bool:
    return _is_number(value) and value == int(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_choice(value: Any) -> bool:
    return isinstance(value, Mapping) and _is_text(value.get("id")) and _is_text(value.get("value"))


def _list_of(fits: Callable[[Any], bool], length: int | None = None) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and length in (None, len(value)) and all(map(fits, value))


_FITS: Mapping[Kind, Callable[[Any], bool]] = {
    Kind.TEXT: _is_text,
    Kind.CATEGORY: _is_text,
    Kind.INTEGER: _is_integer,
    Kind.NUMBER: _is_number,
    Kind.BOX: _list_of(_is_number, 4),
    Kind.POLYGON: _list_of(_list_of(_is_number, 2)),
    Kind.MASK: _list_of(_is_integer),
    Kind.VALUES: _list_of(_is_choice),
    Kind.ANY: lambda value: True,
}
"""Whether a value of JSON that is not null is what a field of a kind holds."""


def _what(answer: Any) -> str:
    if answer is None:
        return "empty"
    if isinstance(answer, list):
        return f"a list of {len(answer):,}" if answer else "an empty list"
    return shown(answer)
