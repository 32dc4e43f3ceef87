"""The API key: an object that shows nothing, and is text only in the bytes that go out."""

from __future__ import annotations

import html
import json
import re
import secrets
from typing import Any, NoReturn
from urllib.parse import quote, quote_plus

__all__ = ["PLACEHOLDER", "ApiKey"]

PLACEHOLDER = f"key-{secrets.token_hex(16)}"
"""What stands in a request for the key until its bytes go out; known to nobody outside of this process."""

_SHORTEST = 4
"""A key shorter than this is no secret, and blotting it out would leave nothing to read."""


class ApiKey:
    """A key that cannot be printed, copied into something that shows, or pickled.

    Tools that print the local variables of every frame of a traceback, and the attributes they find on the way, come
    upon this object at most. The text is held by methods of C types, which show an address and run without a frame.

    Parameters
    ----------
    text : object
        The key; anything at all, so that nothing raises where the text is a local variable. See :meth:`problem`.

    Examples
    --------
    >>> key = ApiKey("my-secret")
    >>> key, f"{key}", key.blot("There is no key my-secret")
    (***, '***', 'There is no key ***')
    """

    __slots__ = ("_blot", "_problem", "_reveal")

    def __init__(self, text: Any) -> None:
        if not isinstance(text, str):
            self._problem: str | None = f"The API key is {type(text).__name__}; it must be a str."
            text = ""
        elif not text:
            self._problem = "The API key is empty."
        elif not text.isascii() or not text.isprintable() or text != text.strip():
            self._problem = "The API key holds characters that no key has, such as spaces or line breaks."
        else:
            self._problem = None
        self._reveal = text.encode(errors="replace").__bytes__
        self._blot = re.compile("|".join(map(re.escape, _spellings(text))) or "(?!)", re.IGNORECASE).sub

    def problem(self) -> str | None:
        """Say why this can be no key, if it cannot."""
        return self._problem

    def reveal(self) -> str:
        """Return the text, for the one who gave it."""
        return str(self._reveal(), "ascii")

    def put_into(self, message: bytes) -> memoryview:
        """Put the key where the placeholder is; as a view, since bytes would show in the frames that send them."""
        return memoryview(message.replace(PLACEHOLDER.encode(), self._reveal()))

    def blot(self, text: str) -> str:
        """Blot out the key where a server repeats it, however it spells it."""
        return self._blot("***", text)

    def __repr__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return "***"

    def __copy__(self) -> ApiKey:
        return self

    def __deepcopy__(self, memo: object) -> ApiKey:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("An API key is not stored. Make a new client where it is needed, with the key from there.")


def _spellings(text: str) -> list[str]:
    """Return the key as it may stand in a message, an address, JSON or HTML, the longest first."""
    if len(text) < _SHORTEST:
        return []
    spelled = {text, quote(text), quote(text, safe=""), quote_plus(text)}
    spelled |= {json.dumps(text)[1:-1], repr(text)[1:-1], text.replace("/", "\\/"), html.escape(text)}
    return sorted(spelled, key=len, reverse=True)
