"""Answers: read only as far as they may be, unpacked on the way."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import orjson
import requests
import urllib3

from .key import ApiKey

__all__ = ["Answer", "TooLarge", "is_packed", "pieces", "read_all", "read_some", "retry_after"]

_PIECE = 1 << 16
_ERROR_PAGE = 1 << 16
"""Bytes of an error page that are read; its words are at its beginning."""
_WORDS = 2_000
_LONGEST_ID = 100
_NESTED = 16
"""An answer may hold a list or an object each so many of its bytes, since each takes memory, however short its text."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that has been read."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    tries: int
    may_have_applied: bool
    """Whether an earlier try may have been carried out."""
    key: ApiKey | None = field(repr=False, default=None)

    @property
    def is_success(self) -> bool:
        """Whether it says that all was done; 206, 207, 208 and 226 say so of a part."""
        return 200 <= self.status < 300 and self.status not in (206, 207, 208, 226)

    @property
    def retry_after(self) -> float:
        """Seconds until the server wants to be asked again; 0 where it does not say."""
        return retry_after(self.headers)

    @property
    def content_type(self) -> str:
        """What it says it is."""
        return self._shown(self.headers.get("Content-Type", "no content type"))

    @property
    def place(self) -> str:
        """Where it points to."""
        return self._shown(self.headers.get("Location", ""))

    @property
    def request_id(self) -> str | None:
        """What the server calls the request, if it does."""
        return self._shown(self.headers.get("X-Request-ID", ""))[:_LONGEST_ID] or None

    @property
    def beginning(self) -> str:
        """How its text begins."""
        return self._shown(self.body[: _WORDS * 4].decode(errors="replace"))[:80]

    @property
    def words(self) -> str:
        """What the server says in words, if it does, and the code that it has for it."""
        try:
            said = orjson.loads(self.body)
            message, code = said["message"], said.get("code")
        except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError):
            return ""
        text = str(message) if code is None else f"{message} (code {code})"
        return self._shown(text)[:_WORDS]

    def _shown(self, text: str) -> str:
        """Return what a server wrote as it may be shown: without the key."""
        return text if self.key is None else self.key.blot(text)


class TooLarge(Exception):
    """An answer that is larger than it may be.

    Parameters
    ----------
    amount : str
        How large it is at least.
    allowed : float
        What may be.
    """

    def __init__(self, amount: str, allowed: float) -> None:
        super().__init__(amount, allowed)
        self.amount = amount
        self.allowed = allowed


def read_all(response: requests.Response, most: int) -> bytes:
    """Read a body that is JSON.

    Raises
    ------
    TooLarge
        If it unpacks to more than `most` bytes, or would take very much memory as objects.
    """
    body = b"".join(pieces(response, most))
    if len(body) > _PIECE and (nested := body.count(b"[") + body.count(b"{")) > most // _NESTED:
        raise TooLarge(f"{nested:,} lists and objects", most // _NESTED)
    return body


def read_some(response: requests.Response) -> bytes:
    """Read the beginning of an error page, which nobody needs as a whole; whatever is wrong with it does not matter."""
    found: list[bytes] = []
    with contextlib.suppress(TooLarge, OSError, urllib3.exceptions.HTTPError):
        found.extend(pieces(response, _ERROR_PAGE))
    return b"".join(found)


def pieces(response: requests.Response, most: float) -> Iterator[bytes]:
    """Read a body in unpacked pieces, none of them large.

    Parameters
    ----------
    response : requests.Response
        Whose body.
    most : float
        Bytes that it may have unpacked.

    Raises
    ------
    TooLarge
        If it has more. What came before has been given out.
    urllib3.exceptions.HTTPError
        If it broke off, or is not packed as it says.
    """
    unpacker = _Unpacker() if is_packed(response) else None
    size = 0
    while data := response.raw.read(_PIECE, decode_content=False):
        for piece in [data] if unpacker is None else unpacker.unpack(data):
            size += len(piece)
            if size > most:
                raise TooLarge(f"more than {most:,} bytes", most)
            yield piece
    if unpacker is not None:
        unpacker.finish()


def is_packed(response: requests.Response) -> bool:
    """Whether a body comes in one of the packings that we ask for."""
    return response.headers.get("Content-Encoding", "").strip().lower() in ("gzip", "x-gzip", "deflate")


class _Unpacker:
    """Unpacks gzip, zlib and bare deflate a piece at a time: urllib3 gives out all that a piece of input unpacks to."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(_ANY_HEADER)
        self._began = False

    def unpack(self, data: bytes) -> Iterator[bytes]:
        try:
            if not self._began:
                self._begin(data)
            while True:
                piece = self._stream.decompress(data, _PIECE)
                yield piece
                data = self._stream.unconsumed_tail
                if self._stream.eof:
                    data = self._stream.unused_data
                    if data[:2] != _GZIP:  # padding; else one more member
                        return
                    self._stream = zlib.decompressobj(_ANY_HEADER)
                elif not data and len(piece) < _PIECE:
                    return
        except zlib.error as error:
            raise urllib3.exceptions.DecodeError(str(error)) from None

    def _begin(self, data: bytes) -> None:
        self._began = True
        try:
            zlib.decompressobj(_ANY_HEADER).decompress(data, 1)
        except zlib.error:
            self._stream = zlib.decompressobj(-zlib.MAX_WBITS)  # bare deflate, as some servers understand the word

    def finish(self) -> None:
        """Find out that the end is missing."""
        if self._began and not self._stream.eof:
            raise urllib3.exceptions.DecodeError("the end is missing")


_ANY_HEADER = zlib.MAX_WBITS + 32
_GZIP = b"\x1f\x8b"


def retry_after(headers: Mapping[str, str]) -> float:
    """Read for how many seconds a server wants to be left alone: a number or, by RFC 9110, a date."""
    value = headers.get("Retry-After")
    try:
        return float(urllib3.Retry().parse_retry_after(value)) if value else 0.0
    except (urllib3.exceptions.InvalidHeader, ValueError, OverflowError, IndexError):
        return 0.0
