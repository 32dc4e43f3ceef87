"""What a request without an answer ended in."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Iterator, Mapping

import requests
import urllib3

from .wire import TookTooLong, was_sent

__all__ = ["NO_ANSWER", "cause_of", "is_final", "is_timeout", "never_sent", "took_too_long"]

NO_ANSWER = (requests.RequestException, urllib3.exceptions.HTTPError, ValueError)
"""What a request can end in; bad addresses to which a server redirects come as bare ValueErrors."""


def never_sent(error: BaseException) -> bool:
    """Whether no byte of the request can have reached the server.

    Connections mark what went wrong before they sent anything: the name of the host, the connection, the tunnel of a
    proxy, encryption and its certificate. The kind of the error does not tell: urllib3 calls it a trouble of the proxy
    as well when the connection through one breaks after the request was sent.
    """
    return not all(map(was_sent, _chain(error)))


def is_final(error: BaseException) -> bool:
    """Whether the same request will end in the same error: a bad address, redirects in circles, a bad certificate."""
    if isinstance(error, ValueError | requests.TooManyRedirects) or took_too_long(error):
        return True
    return any(isinstance(part, ssl.SSLCertVerificationError) for part in _chain(error))


def is_timeout(error: BaseException) -> bool:
    """Whether an answer, or the next piece of one, did not come in time."""
    kinds = (requests.Timeout, urllib3.exceptions.ReadTimeoutError, TimeoutError)
    return any(isinstance(part, kinds) for part in _chain(error))


def took_too_long(error: BaseException) -> bool:
    """Whether an answer kept coming until its time was up."""
    return any(isinstance(part, TookTooLong) for part in _chain(error))


def cause_of(error: BaseException) -> str:
    """Name the innermost cause in words; the outer layers repeat the address with its query."""
    inner = _innermost(error)
    if type(inner) is urllib3.exceptions.NewConnectionError:  # its children have words of their own
        return str(inner).rpartition("] ")[2].rpartition(": ")[2]
    for kind, words in _WORDS.items():
        if isinstance(inner, kind):
            return words
    if isinstance(inner, OSError):
        if str(inner).startswith("Tunnel connection failed"):
            return f"the proxy made no connection to it ({str(inner).rpartition('failed: ')[2][:80]})"
        if inner.strerror:
            return inner.strerror
    return type(inner).__name__


_WORDS: Mapping[type[BaseException], str] = {
    urllib3.exceptions.NameResolutionError: "the name of the host is not known",
    urllib3.exceptions.ConnectTimeoutError: "it did not answer in time",
    urllib3.exceptions.ReadTimeoutError: "the next piece of the answer did not come in time",
    TimeoutError: "it did not answer in time",
    http.client.RemoteDisconnected: "the server closed the connection without an answer",
    http.client.IncompleteRead: "the answer was cut off",
    urllib3.exceptions.DecodeError: "the answer is not compressed as it says",
}


def _innermost(error: BaseException) -> BaseException:
    inner: BaseException | None = error
    while inner is not None:
        error = inner
        inner = next(reversed(list(_wrapped(error))), None)
    return error


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and everything that it wraps or was raised from."""
    left, seen = [error], set()
    while left:
        error = left.pop()
        if id(error) not in seen:
            seen.add(id(error))
            yield error
            left += [*_wrapped(error), *([error.__cause__] if error.__cause__ is not None else [])]


def _wrapped(error: BaseException) -> Iterator[BaseException]:
    candidates = (*error.args, getattr(error, "reason", None))
    return (part for part in candidates if isinstance(part, BaseException))
