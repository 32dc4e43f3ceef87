"""Pictures from elsewhere: bounded in time and size, and from public addresses alone where that is wanted."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import threading
from collections.abc import Iterator
from typing import IO, Any
from urllib.parse import urljoin

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection

from .http import Refusal

__all__ = ["Fetcher", "is_public"]

FETCH_SECONDS = 20.0
"""How long it may take until all of a picture is there: names, connections, redirects and bytes together."""
CONNECT_SECONDS, PAUSE_SECONDS = 5.0, 10.0
MOST_REDIRECTS = 5
ENCODINGS = {"", "identity", "gzip", "deflate"}
"""Of these a received byte makes about a thousand at most; of others, and of several in a row, millions."""

_EMBEDDED_IPV4 = ipaddress.ip_network("64:ff9b::/96")
_NOT_PUBLIC = (ipaddress.ip_network("192.0.0.0/24"), ipaddress.ip_network("168.63.129.16/32"))
"""Addresses of clouds' own services, which pass for public ones."""


def is_public(address: str) -> bool:
    """Tell whether an IP address lies in the public internet, also where an IPv4 address hides in an IPv6 one.

    Examples
    --------
    >>> [is_public(a) for a in ("8.8.8.8", "127.0.0.1", "169.254.169.254", "::ffff:10.0.0.1", "64:ff9b::a00:1")]
    [True, False, False, False, False]
    """
    found = ipaddress.ip_address(address)
    if isinstance(found, ipaddress.IPv6Address):
        hidden = [found.ipv4_mapped, found.sixtofour, *(found.teredo or ())]
        if found in _EMBEDDED_IPV4:
            hidden.append(ipaddress.IPv4Address(int(found) & 0xFFFFFFFF))
        if any(one is not None and not is_public(str(one)) for one in hidden):
            return False
        if found.ipv4_mapped is not None:
            return True
    elif any(found in network for network in _NOT_PUBLIC):
        return False
    return found.is_global and not found.is_multicast


class Fetcher:
    """Fetches from addresses that clients give.

    Parameters
    ----------
    private_addresses : bool
        Whether this machine and its network are fetched from as well. Where they are not, proxies and passwords that
        the environment names are not used either: what is connected to is what was checked.
    """

    def __init__(self, private_addresses: bool = True) -> None:
        self._private = private_addresses
        self._running: set[_Watch] = set()

    def fetch(self, url: str, file: IO[bytes], field: str, limit: int) -> None:
        """Write what is at an address into a file, or refuse with 400, naming the field that the address came in."""
        watch = _Watch(self._private)
        self._running.add(watch)
        try:
            with watch.running(FETCH_SECONDS):
                _fetch(url, file, field, limit, watch)
        except (requests.RequestException, urllib3.exceptions.HTTPError, ValueError) as error:
            raise Refusal(400, f"{field}: {url} {watch.fault or _fault(error)}") from None
        finally:
            self._running.discard(watch)
        if watch.fault:  # a body without a length ends as if it were whole
            raise Refusal(400, f"{field}: {url} {watch.fault}")

    def stop(self) -> None:
        """End what is under way."""
        for watch in list(self._running):
            watch.end("was left when the server stopped")


def _fault(error: Exception) -> str:
    return f"could not be fetched: {type(error).__name__}"


class _Watch:
    """Makes the connections of one fetch, and ends them when its time is over.

    A time limit of a socket is one for each read: bytes that drip in never meet it.
    """

    def __init__(self, private: bool) -> None:
        self.fault = ""
        self.private = private
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []

    @contextlib.contextmanager
    def running(self, seconds: float) -> Iterator[None]:
        """Bound what is done inside to so many seconds."""
        timer = threading.Timer(seconds, self.end, [f"took over {seconds:g} seconds"])
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            for one in self._sockets:
                one.close()

    def end(self, fault: str) -> None:
        """Cut what is connected, and let nothing connect any more."""
        with self._lock:
            self.fault = self.fault or fault
            for one in self._sockets:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def connect(self, host: str, port: int) -> socket.socket:
        """Connect to the first address of a host that answers; where some are not public, to none unless allowed."""
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        if not self.private and not all(is_public(str(address[0])) for *_, address in found):
            self.end(
                "is on this machine or its network, where this server does not fetch;"
                " hastyframe serve --allow-private-addresses does"
            )
        failed = OSError("no address")
        for *_, address in found:
            if self.fault:
                raise OSError(self.fault)
            try:
                # The address that was checked: the name could lead to another one by now.
                connected = socket.create_connection((str(address[0]), port), CONNECT_SECONDS)
            except OSError as error:
                failed = error
                continue
            self._keep(connected)
            return connected
        raise failed

    def _keep(self, connected: socket.socket) -> None:
        with self._lock:
            self._sockets.append(connected.dup())  # of our own, since TLS takes the socket over
        if self.fault:  # the time was over in between
            self.end(self.fault)


class _Adapter(HTTPAdapter):
    """Has all connections made by a watch, those to proxies as well."""

    def __init__(self, watch: _Watch) -> None:
        class Plain(HTTPConnection):
            def _new_conn(self) -> socket.socket:
                return watch.connect(self.host, self.port)

        class Secure(HTTPSConnection):
            def _new_conn(self) -> socket.socket:
                return watch.connect(self.host, self.port)

        class PlainPool(urllib3.HTTPConnectionPool):
            ConnectionCls = Plain

        class SecurePool(urllib3.HTTPSConnectionPool):
            ConnectionCls = Secure

        self._pools = {"http": PlainPool, "https": SecurePool}
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, *args: Any, **options: Any) -> Any:
        manager = super().proxy_manager_for(*args, **options)
        manager.pool_classes_by_scheme = self._pools
        return manager


class _Session(requests.Session):
    """Leaves redirects to us: requests would read their bodies, however long, into memory, to say what is next."""

    def resolve_redirects(self, *args: Any, **options: Any) -> Iterator[requests.Response]:
        return iter(())


def _fetch(url: str, file: IO[bytes], field: str, limit: int, watch: _Watch) -> None:
    """Fetch http and https only; redirects to other schemes fail, because the session knows no others."""
    with _Session() as session:
        session.trust_env = watch.private
        for scheme in ("http://", "https://"):
            session.mount(scheme, _Adapter(watch))
        with _followed(session, url) as response:
            if response.status_code != 200:
                raise Refusal(400, f"{field}: {url} answered {response.status_code}")
            encoding = response.headers.get("Content-Encoding", "").strip().lower()
            if encoding not in ENCODINGS:
                raise Refusal(400, f"{field}: {url} answered in the encoding {encoding[:60]!r}, which is not read")
            size = 0
            for piece in response.iter_content(2**16):
                size += len(piece)
                if size > limit:
                    raise Refusal(400, f"{field}: {url} is too large: at most {limit:,} bytes")
                file.write(piece)


@contextlib.contextmanager
def _followed(session: requests.Session, url: str) -> Iterator[requests.Response]:
    """Give the answer behind redirects."""
    for _ in range(MOST_REDIRECTS + 1):
        with session.get(
            url,
            stream=True,
            timeout=(CONNECT_SECONDS, PAUSE_SECONDS),
            allow_redirects=False,
            headers={"Accept-Encoding": "identity"},
        ) as response:
            target = session.get_redirect_target(response)
            if target is None:
                yield response
                return
        url = urljoin(url, target)
    raise requests.TooManyRedirects
