"""Addresses: ids as segments of a path, and what may be said of an address."""

from __future__ import annotations

import ipaddress
import re
from string import Formatter
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from .errors import NotFound, ValidationException

__all__ = ["check_path", "is_loopback", "path_of", "path_segment", "without_query"]

_PATH = re.compile(r"(/[A-Za-z0-9._~!$&'()*+,;=:@%-]+)+")
_LONGEST_ID = 500
"""Ids have 36 characters; where an id is asked for, a name may be given as well."""


def path_segment(key: Any) -> str:
    """Quote an id, so that whatever it holds it stays one segment of a path.

    Raises
    ------
    NotFound
        For what no id can be, and what could lead elsewhere: nothing at all, ``.`` and ``..``, control characters, lone
        surrogates, something very long.

    Examples
    --------
    >>> path_segment("a/b?c")
    'a%2Fb%3Fc'
    >>> path_segment("..")
    Traceback (most recent call last):
    hastyframe.errors.NotFound: There is nothing with the id '..'.
    """
    text = "" if key is None else str(key)
    if text in ("", ".", "..") or len(text) > _LONGEST_ID or not all(map(_is_allowed, text)):
        raise NotFound(f"There is nothing with the id {text[:80]!r}.")
    return quote(text, safe="")


def path_of(template: str, **ids: Any) -> str:
    """Put ids into the path of a thing; other keywords than those it names are passed over.

    Examples
    --------
    >>> path_of("/v1/projects/{project_id}/images", project_id="a/b")
    '/v1/projects/a%2Fb/images'
    """
    named = [name for _, name, _, _ in Formatter().parse(template) if name]
    return template.format_map({name: path_segment(ids[name]) for name in named})


def check_path(path: str) -> None:
    """Refuse a path that does not lead where it seems to, whoever put it together.

    Raises
    ------
    ValidationException
        If it holds an empty segment, ``.`` or ``..``, or something that is not quoted.

    Examples
    --------
    >>> check_path("/v1/projects/..")
    Traceback (most recent call last):
    hastyframe.errors.ValidationException: '/v1/projects/..' is no path of the API; an id in it leads elsewhere.
    """
    if not _PATH.fullmatch(path) or not {".", ".."}.isdisjoint(path.split("/")):
        raise ValidationException(f"{path[:200]!r} is no path of the API; an id in it leads elsewhere.")


def without_query(url: str) -> str:
    """Return an address without its query, which may be a signature, and without a password.

    Examples
    --------
    >>> without_query("https://me:secret@storage.example/a.png?signature=s#top")
    'https://storage.example/a.png'
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return "(no address)"
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment=""))


def is_loopback(url: str) -> bool:
    """Whether an address leads to this machine, so that nothing that is sent there is on a network.

    Examples
    --------
    >>> is_loopback("http://127.0.0.1:8800"), is_loopback("http://[::1]/"), is_loopback("https://api.hasty.ai")
    (True, True, False)
    """
    try:
        host = (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return False
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def _is_allowed(character: str) -> bool:
    code = ord(character)
    return not (code < 0x20 or 0x7F <= code < 0xA0 or 0xD800 <= code < 0xE000)
