"""Small HTTP servers on loopback that do what a test tells them, over real sockets."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Seen:
    """A request that arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    connection: int
    at: float

    def json(self) -> Any:
        return json.loads(self.body)

    def text(self) -> str:
        """Everything that came over the wire."""
        return f"{self.method} {self.path} {self.query} {self.headers} {self.body!r}"


@dataclass(frozen=True)
class Answer:
    """What is answered: bytes as they are, anything else as JSON."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    late: float = 0.0
    fault: str = ""
    """``reset``: the connection is reset; ``cut``: half a body, then closed; ``stall``: half a body, then nothing."""


RESET = Answer(fault="reset")
HTML = Answer(200, b"<html><body>Welcome</body></html>", {"Content-Type": "text/html"})

Handle = Callable[[Seen], Any]


class Server:
    """A running server, with the requests that it has seen."""

    def __init__(self, handle: Handle, port: int = 0) -> None:
        self.handle = handle
        self.seen: list[Seen] = []
        self.connections = 0
        self.lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._http = _Http(("127.0.0.1", port), _Handler)
        self._http.owner = self
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def paths(self, method: str | None = None) -> list[str]:
        return [seen.path for seen in self.seen if method in (None, seen.method)]

    def close(self) -> None:
        self._http.shutdown()
        self._thread.join()
        with self.lock:
            sockets, self._sockets = self._sockets, []
        for one in sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._http.server_close()


@contextmanager
def serve(handle: Handle) -> Iterator[Server]:
    """Run a server: `handle` gets each request and returns an `Answer`, or what is answered as JSON."""
    server = Server(handle)
    try:
        yield server
    finally:
        server.close()


def in_turn(*answers: Any) -> Handle:
    """Answer one after the other; the last one for ever."""
    left = list(answers)
    lock = threading.Lock()

    def handle(seen: Seen) -> Any:
        with lock:
            return left.pop(0) if len(left) > 1 else left[0]

    return handle


def page(seen: Seen, items: Sequence[Any], *, most: int = 100) -> dict[str, Any]:
    """Return the page of a list that a request asks for."""
    offset = int(seen.query.get("offset", 0))
    limit = min(int(seen.query.get("limit", 100)), most)
    return {"meta": {"total": len(items)}, "items": list(items[offset : offset + limit])}


def free_port() -> int:
    """Return a port on which nobody listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = True
    request_queue_size = 128
    owner: Server

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a client that went away


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True  # else head and body, in two pieces, wait for each other
    server: _Http

    def setup(self) -> None:
        super().setup()
        owner = self.server.owner
        with owner.lock:
            owner.connections += 1
            self.number = owner.connections
            owner._sockets.append(self.connection)

    def log_message(self, *args: Any) -> None:
        pass

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        headers = {name.lower(): value for name, value in self.headers.items()}
        seen = Seen(self.command, parts.path, query, headers, body, self.number, time.monotonic())
        with self.server.owner.lock:
            self.server.owner.seen.append(seen)
        answer = self.server.owner.handle(seen)
        if not isinstance(answer, Answer):
            answer = Answer(body=answer)
        time.sleep(answer.late)
        if answer.fault == "reset":
            self._reset()
            return
        self._write(answer)

    def _write(self, answer: Answer) -> None:
        body = answer.body
        if not isinstance(body, bytes):
            body = b"" if body is None else json.dumps(body).encode()
        self.send_response(answer.status)
        for name, value in {"Content-Type": "application/json", **answer.headers}.items():
            self.send_header(name, value)
        if answer.status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if answer.fault else body)
        self.wfile.flush()
        if answer.fault == "stall":
            time.sleep(0.6)
        self.close_connection = self.close_connection or bool(answer.fault)

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        with self.server.owner.lock:
            if self.connection in self.server.owner._sockets:
                self.server.owner._sockets.remove(self.connection)
        self.rfile.close()
        self.connection.close()

    def finish(self) -> None:
        with suppress(OSError):
            super().finish()
        with self.server.owner.lock:
            if self.connection in self.server.owner._sockets:
                self.server.owner._sockets.remove(self.connection)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815 (names that the base class asks for)
