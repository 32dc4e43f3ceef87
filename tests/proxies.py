"""Proxies on loopback: one that forwards and one that opens tunnels, for made-up names of hosts; and encryption."""

from __future__ import annotations

import http.client
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from recording import HOP

Address = tuple[str, int]
NAMES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


class Proxy:
    """A running proxy: it forwards ``http://`` requests, and opens tunnels by CONNECT.

    Parameters
    ----------
    hosts : mapping
        Where a host leads, as ``{"api.hasty.test:80": ("127.0.0.1", 8800)}``; others are out of reach.
    fault : str
        ``refuse``: each request and tunnel is answered 403; ``password``: 407; ``close``: the connection is closed
        instead. Can be changed while it runs.
    """

    def __init__(self, hosts: Mapping[str, Address], fault: str = "", port: int = 0) -> None:
        self.hosts = hosts
        self.fault = fault
        self.seen: list[str] = []
        """What was asked for: ``CONNECT api.hasty.test:443``, ``POST http://api.hasty.test/v1/projects``."""
        self._http = _Http(("127.0.0.1", port), _Handler)
        self._http.owner = self
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


@contextmanager
def proxy(hosts: Mapping[str, Address], fault: str = "") -> Iterator[Proxy]:
    """Run a proxy."""
    one = Proxy(hosts, fault)
    try:
        yield one
    finally:
        one.close()


def use_proxy(monkeypatch: pytest.MonkeyPatch, url: str, *names: str) -> None:
    """Set the variables of the environment that name a proxy, these and no others."""
    for name in NAMES:
        for spelled in (name, name.lower()):
            monkeypatch.delenv(spelled, raising=False)
    for name in names or ("HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, url)


def address_of(url: str) -> Address:
    """Return host and port of an address."""
    parts = urlsplit(url)
    assert parts.hostname and parts.port
    return parts.hostname, parts.port


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    owner: Proxy

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # one side that went away


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    server: _Http

    def log_message(self, *args: Any) -> None:
        pass

    def _fails(self) -> bool:
        owner = self.server.owner
        owner.seen.append(f"{self.command} {self.path}")
        if owner.fault == "close":
            self.close_connection = True
        elif owner.fault:
            self._say({"refuse": 403, "password": 407}[owner.fault])
        return bool(owner.fault)

    def _say(self, status: int, headers: Mapping[str, str] | None = None, body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if self.command != "CONNECT" or status != 200:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def do_CONNECT(self) -> None:
        if self._fails():
            return
        if self.path not in self.server.owner.hosts:
            self._say(502)
            return
        with socket.create_connection(self.server.owner.hosts[self.path]) as there:
            self._say(200)
            join(self.connection, there)
        self.close_connection = True

    def _forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self._fails():
            return
        parts = urlsplit(self.path)
        target = self.server.owner.hosts.get(parts.netloc if parts.port else f"{parts.netloc}:80")
        if target is None:
            self._say(502)
            return
        connection = http.client.HTTPConnection(*target, timeout=30)
        try:
            path = parts._replace(scheme="", netloc="").geturl()
            connection.request(self.command, path, body or None, dict(self.headers.items()))
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException):
            self.close_connection = True  # as the server has closed it
            return
        finally:
            connection.close()
        headers = {name: value for name, value in answer.getheaders() if name.lower() not in HOP}
        self._say(answer.status, headers, content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _forward  # noqa: N815 (names that the base class asks for)

    def finish(self) -> None:
        with suppress(OSError):
            super().finish()


# Encryption -----------------------------------------------------------------------------------------------------------


def make_certificate(folder: Path, *names: str) -> Path:
    """Make a certificate that signs itself for names of hosts, with its key, in one file."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl to make a certificate with")
    path = folder / "certificate.pem"
    subject = ["-subj", "/CN=test", "-addext", "subjectAltName=" + ",".join(f"DNS:{name}" for name in names)]
    made = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    command = ["openssl", "req", "-x509", *made, *subject, "-keyout", str(path), "-out", str(folder / "public.pem")]
    subprocess.run(command, check=True, capture_output=True)
    with path.open("a") as file:
        file.write((folder / "public.pem").read_text())
    return path


@contextmanager
def encrypted(target: Address, certificate: Path) -> Iterator[Address]:
    """Run a door to a server at which connections are decrypted; yield its address."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)

    def serve(plain: socket.socket) -> None:
        with (
            suppress(OSError),
            context.wrap_socket(plain, server_side=True) as one,
            socket.create_connection(target) as there,
        ):
            join(one, there)

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def join(one: socket.socket, other: socket.socket) -> None:
    """Pass on what comes out of two sockets, each to the other, until one of them ends."""

    def pump(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                sink.sendall(data)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    back = threading.Thread(target=pump, args=(other, one), daemon=True)
    back.start()
    pump(one, other)
    back.join()
