"""Addresses that need no key: who has one may use it, nobody can make one up."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable, Mapping

from .http import Refusal

__all__ = ["Signer"]


class Signer:
    """Signs paths and checks the signatures.

    Parameters
    ----------
    secret : bytes
        What signatures are made with; 64 bytes at most.
    clock : callable
        Gives the time in seconds.

    Examples
    --------
    >>> signer = Signer(b"secret")
    >>> address = signer.sign("/storage/images/1")
    >>> path, _, query = address.partition("?")
    >>> signer.check(path, dict([query.split("=")]))
    >>> signer.check("/storage/images/2", dict([query.split("=")]))
    Traceback (most recent call last):
    hastyframe.local.http.Refusal: 403: the signature of this address is wrong
    """

    def __init__(self, secret: bytes, clock: Callable[[], float] = time.time) -> None:
        self._secret = secret
        self._clock = clock

    def sign(self, path: str, lifetime: float | None = None) -> str:
        """Return the path with a signature, good for `lifetime` seconds; None is for ever."""
        if lifetime is None:
            return f"{path}?signature={self._signature(path, None)}"
        expires = f"{self._clock() + lifetime:.3f}"
        return f"{path}?expires={expires}&signature={self._signature(path, expires)}"

    def check(self, path: str, query: Mapping[str, str]) -> None:
        """Refuse a path that was not signed, or too long ago."""
        expires = query.get("expires")
        signature = query.get("signature", "")
        # Compared as bytes: a text that is not ASCII is wrong, not an error.
        genuine = hmac.compare_digest(signature.encode(), self._signature(path, expires).encode())
        # An empty time was never signed, but has the signature of an address without one.
        if not genuine or expires == "":
            raise Refusal(403, "the signature of this address is wrong")
        if expires is not None and float(expires) < self._clock():
            raise Refusal(403, "this address has expired: ask for a new one")

    def _signature(self, path: str, expires: str | None) -> str:
        message = f"{path}?{expires or ''}".encode()
        # BLAKE2 with a key (RFC 7693) is a MAC by itself, at a quarter of an HMAC's price; a page has a hundred.
        return hashlib.blake2b(message, key=self._secret, digest_size=32).hexdigest()
