"""Connections: kept alive, with the key written last, an end to every answer, and a mark on what was never sent."""

from __future__ import annotations

import http.client
import io
import socket
import threading
import time
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection

from hastyframe.urls import is_loopback

from .key import PLACEHOLDER, ApiKey

__all__ = ["TookTooLong", "Wire", "was_sent"]

_KEEP_ALIVE = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)] + [
    (socket.IPPROTO_TCP, getattr(socket, name), value)
    for name, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 6))
    if hasattr(socket, name)
]
"""A connection whose other end has vanished without a word is found dead after a minute and a half."""

_BUFFER = 1 << 16
_current = threading.local()
"""Of each thread, what holds for the request that it sends: `deadline` and `patience`."""


class TookTooLong(TimeoutError):
    """An answer that kept coming, and was not whole when its time was up."""


class Wire:
    """Connections to any host, used by many threads.

    Parameters
    ----------
    connections : int
        How many are kept for each host.
    """

    def __init__(self, connections: int) -> None:
        self._environment = requests.Session()
        self._adapter = _Adapter(pool_connections=8, pool_maxsize=connections)
        self._settings: dict[str, Mapping[str, Any]] = {}

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._adapter.close()

    def send(
        self, prepared: requests.PreparedRequest, timeout: tuple[float, float], seconds: float
    ) -> requests.Response:
        """Send a request once and return its answer, the body of which is still to be read, by the same thread.

        Parameters
        ----------
        prepared : requests.PreparedRequest
            What to send. A header whose value is an :class:`ApiKey` is written by the connection.
        timeout : (float, float)
            Seconds to wait for a connection, and for each piece of an answer.
        seconds : float
            After which the answer must be whole, body and all.
        """
        settings = self._settings_for(prepared.url or "")
        _current.deadline, _current.patience = time.monotonic() + seconds, timeout[1]
        return self._adapter.send(prepared, stream=True, timeout=timeout, **settings)

    def keeps_key(self, url: str, following: str) -> bool:
        """Whether two addresses are of the same host, so that the key may follow a redirect."""
        return not self._environment.should_strip_auth(url, following)  # type: ignore[no-untyped-call]

    def _settings_for(self, url: str) -> Mapping[str, Any]:
        """Proxies and certificates of the environment; looked up once a host, because it is slow."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https"):
            raise requests.exceptions.InvalidSchema(f"{parts.scheme!r} is not fetched")
        host = f"{parts.scheme}://{parts.netloc}"
        if host not in self._settings:
            found = self._environment.merge_environment_settings(host, {}, None, None, None)
            settings = {name: found[name] for name in ("proxies", "verify", "cert")}
            if is_loopback(host):  # to a proxy, it would be another machine's
                settings["proxies"] = {}
            self._settings[host] = settings
        return self._settings[host]


def was_sent(error: BaseException) -> bool:
    """Whether a byte of the request may have gone out: False only for errors of connecting, which mark themselves."""
    return not getattr(error, "hastyframe_before_request", False)


class _Response(http.client.HTTPResponse):
    """An answer that has an end in time, and whose interim answers (1xx) are passed over."""

    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_Timed(self.fp.detach(), sock, _current.deadline), _BUFFER)

    def begin(self) -> None:
        super().begin()
        while 100 <= self.status < 200 and self.status != http.client.SWITCHING_PROTOCOLS:
            self.headers = None  # type: ignore[assignment]  # as before the answer began
            super().begin()


class _Timed(io.RawIOBase):
    """What comes out of a socket, until a moment."""

    def __init__(self, raw: io.RawIOBase, sock: Any, deadline: float) -> None:
        self._raw, self._sock, self._deadline = raw, sock, deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._deadline - time.monotonic()
        patience = self._sock.gettimeout()
        if left <= 0:
            raise TookTooLong
        if patience is None or patience > left:
            self._sock.settimeout(left)
        try:
            count: int | None = self._raw.readinto(buffer)
        except TimeoutError:
            if time.monotonic() >= self._deadline:
                raise TookTooLong from None
            raise
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Careful:
    """What a connection of urllib3 does besides."""

    sock: Any
    timeout: Any
    _key: ApiKey | None = None

    def connect(self) -> None:
        """Connect; whatever goes wrong here, a proxy's tunnel and encryption included, the request was not sent."""
        try:
            super().connect()  # type: ignore[misc]
        except Exception as error:
            error.hastyframe_before_request = True  # type: ignore[attr-defined]
            raise

    def request(self, *args: Any, **kwargs: Any) -> None:
        """Send a request: connect first, so that no frame that waits for a connection holds what is sent."""
        if self.sock is None:
            self.connect()
        self._key = None
        self.timeout = _current.patience  # for sending; it was that for connecting, which is too short for large bodies
        super().request(*args, **kwargs)  # type: ignore[misc]

    def putheader(self, header: str, *values: Any) -> None:
        """Write a header; the key only when the bytes go out."""
        for value in values:
            if isinstance(value, ApiKey):
                self._key = value
                values = (PLACEHOLDER,)
        super().putheader(header, *values)  # type: ignore[misc]

    def send(self, data: Any) -> None:
        """Send bytes; the first of a request are its head."""
        key, self._key = self._key, None
        super().send(data if key is None else key.put_into(data))  # type: ignore[misc]

    def response_class(self, *args: Any, **kwargs: Any) -> _Response:
        """Make an answer of a socket."""
        return _Response(*args, **kwargs)


@cache
def _careful(pool: type[urllib3.HTTPConnectionPool]) -> type[urllib3.HTTPConnectionPool]:
    """Give a kind of pool (plain, encrypted or SOCKS) our own connections."""
    connection: Any = type(f"Careful{pool.ConnectionCls.__name__}", (_Careful, pool.ConnectionCls), {})
    return type(f"Careful{pool.__name__}", (pool,), {"ConnectionCls": connection})


class _Adapter(HTTPAdapter):
    """Pools of careful connections, straight and through proxies."""

    def __init__(self, **options: Any) -> None:
        self._lock = threading.Lock()
        super().__init__(**options)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        options = [*HTTPConnection.default_socket_options, *_KEEP_ALIVE]
        super().init_poolmanager(*args, **kwargs, socket_options=options)
        self._be_careful(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        options = [*HTTPConnection.default_socket_options, *_KEEP_ALIVE]
        with self._lock:  # nobody gets a manager that is not careful yet
            manager = super().proxy_manager_for(proxy, **kwargs, socket_options=options)
            self._be_careful(manager)
        return manager

    @staticmethod
    def _be_careful(manager: Any) -> None:
        pools = manager.pool_classes_by_scheme
        manager.pool_classes_by_scheme = {
            scheme: pool if issubclass(pool.ConnectionCls, _Careful) else _careful(pool)
            for scheme, pool in pools.items()
        }
