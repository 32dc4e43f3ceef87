"""A proxy that stands between a client and a server and does with each request what a policy says.

It speaks HTTP/1.1 over real sockets and knows nothing of the server's own switches. A fault is a function that gets an
`Exchange`: it may deliver the request to the server, once, twice, in part or later, and answers, or cuts the
connection. What does not answer is passed on. :mod:`.kinds` has them all.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import select
import socket
import struct
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any, BinaryIO
from urllib.parse import parse_qs, urlsplit

HOP = {"connection", "content-length", "transfer-encoding", "date", "server", "keep-alive"}
"""Headers that belong to one connection."""
JSON = {"Content-Type": "application/json"}
LONGEST_STALL = 20.0


@dataclass(frozen=True)
class Request:
    """A request as it came, whole."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(urlsplit(self.target).query).items()}

    @property
    def of_labels(self) -> bool:
        return self.path.endswith("/labels")

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    """What is answered; `length` is what ``Content-Length`` says where that is a lie."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=lambda: dict(JSON))
    length: int | None = None

    @property
    def good(self) -> bool:
        return 200 <= self.status < 300

    def json(self) -> Any:
        return json.loads(self.body)

    def with_json(self, content: Any) -> Answer:
        return replace(self, body=json.dumps(content).encode())

    @property
    def head(self) -> bytes:
        try:
            phrase = HTTPStatus(self.status).phrase
        except ValueError:
            phrase = "Strange"
        length = len(self.body) if self.length is None else self.length
        lines = [f"HTTP/1.1 {self.status} {phrase}", *(f"{name}: {value}" for name, value in self.headers.items())]
        if self.status != 204 or length:
            lines.append(f"Content-Length: {length}")
        return "\r\n".join([*lines, "", ""]).encode()


class Exchange:
    """A request in the hands of a fault."""

    def __init__(self, proxy: Proxy, connection: socket.socket, request: Request, chance: random.Random) -> None:
        self.proxy = proxy
        self.request = request
        self.random = chance
        self.answered = self.closed = self.closes_on_next = False
        self._connection = connection

    # Towards the server -----------------------------------------------------------------------------------------------

    def deliver(self, body: Any = None, path: str | None = None) -> Answer:
        """Let the server carry out the request, or another one made of it, now; return its answer."""
        request = self.request
        if body is not None:
            request = replace(request, body=json.dumps(body).encode())
        if path is not None:
            request = replace(request, target=path)
        return self.proxy.deliver(request)

    def once_looked(self) -> None:
        """Let it be carried out when the client has read the list of this path to its end, or at the end of all."""
        self.proxy.defer(self.request)

    def at_the_end(self) -> None:
        """Let it be carried out when the client has come to its end."""
        self.proxy.defer(self.request, looked=False)

    def there(self) -> list[dict[str, Any]]:
        """Read what is at this path now."""
        return self.proxy.items(self.request.path)

    # Towards the client -----------------------------------------------------------------------------------------------

    def answer(self, answer: Answer) -> None:
        """Answer, whatever it is."""
        self.raw(answer.head + answer.body)

    def say(self, status: int, content: Any = None, headers: Mapping[str, str] | None = None) -> None:
        """Answer JSON, or bytes as they are; nothing for None."""
        body = content if isinstance(content, bytes) else b"" if content is None else json.dumps(content).encode()
        self.answer(Answer(status, body, {**JSON, **(headers or {})}))

    def raw(self, data: bytes) -> None:
        """Send bytes."""
        self.answered = True
        with suppress(OSError):
            self._connection.sendall(data)

    def cut(self) -> None:
        """Close the connection in an orderly way."""
        self.answered = self.closed = True

    def reset(self) -> None:
        """Close the connection with a reset."""
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.cut()

    def stall(self) -> None:
        """Say nothing more until the client goes away."""
        select.select([self._connection], [], [], LONGEST_STALL)
        self.cut()


Fault = Callable[[Exchange], None]
Policy = Callable[[Request], tuple[Fault, random.Random] | None]
"""Gets each request and returns what happens to it and where its dice are; None lets it pass."""


class Proxy:
    """A running proxy.

    Attributes
    ----------
    policy : callable or None
        What happens to each request from now on; None passes all on.
    met : Counter
        How often a fault was met, by method.
    memory : dict
        The good answers to writes so far, by method and path.
    targets : Counter
        How often each method and path was asked for.
    pages : dict
        What each address of a list was answered the last time but one that it differed.
    """

    def __init__(self, target: str) -> None:
        self.policy: Policy | None = None
        self.met: Counter[str] = Counter()
        self.targets: Counter[str] = Counter()
        self.memory: dict[tuple[str, str], list[Answer]] = defaultdict(list)
        self.pages: dict[str, list[Answer]] = defaultdict(list)
        self.key = ""
        self.strangers_image = ""
        self._target = urlsplit(target).netloc
        self._deferred: list[tuple[Request, bool]] = []
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        self._busy = 0
        self._idle = threading.Condition(self._lock)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True, name="adversary").start()

    # The server's side ------------------------------------------------------------------------------------------------

    def deliver(self, request: Request) -> Answer:
        """Send a request to the server and return its answer."""
        headers = {
            name: value for name, value in request.headers.items() if name.lower() not in (*HOP, "accept-encoding")
        }
        with closing(http.client.HTTPConnection(self._target, timeout=60)) as connection:
            connection.request(request.method, request.target, request.body or None, headers)
            got = connection.getresponse()
            answer = Answer(got.status, got.read(), {n: v for n, v in got.getheaders() if n.lower() not in HOP})
        self.key = headers.get("X-Api-Key", self.key)
        with self._lock:
            if request.method == "GET" and answer.good:
                seen = self.pages[request.target]
                if not seen or seen[-1].body != answer.body:
                    self.pages[request.target] = [*seen[-1:], answer]
            elif answer.good:
                self.memory[request.method, request.path].append(answer)
        if request.method == "GET" and request.of_labels and answer.good and _is_last(request, answer):
            self._release(lambda late, looked: looked and late.path == request.path)
        return answer

    def items(self, path: str) -> list[dict[str, Any]]:
        """Read a list, past the client."""
        found: list[dict[str, Any]] = []
        while True:
            page = self.call("GET", f"{path}?offset={len(found)}&limit=100").json()
            found += page["items"]
            if not page["items"] or len(found) >= page["meta"]["total"]:
                return found

    def call(self, method: str, target: str, content: Any = None) -> Answer:
        """Send a request of a stranger's to the server: nobody remembers it."""
        with closing(http.client.HTTPConnection(self._target, timeout=60)) as connection:
            body = None if content is None else json.dumps(content)
            connection.request(method, target, body, {"X-Api-Key": self.key, **JSON})
            got = connection.getresponse()
            return Answer(got.status, got.read())

    def elsewhere(self, path: str) -> str:
        """Return the path of a stranger's image in the place of another one."""
        head, _, tail = path.rpartition("/images/")
        return f"{head}/images/{self.strangers_image}/{tail.partition('/')[2]}"

    def meddle(self, path: str) -> None:
        """Let a stranger delete her labels of an image, and create them anew."""
        mine = [item for item in self.items(path) if is_strangers(item)]
        names = ("class_id", "bbox", "external_id")
        self.call("DELETE", path, [{"id": item["id"]} for item in mine])
        self.call("POST", path, [{name: item[name] for name in names} for item in mine])

    def defer(self, request: Request, *, looked: bool = True) -> None:
        """Keep a request for later: for when its list has been read, or for the end."""
        with self._lock:
            self._deferred.append((request, looked))

    def _release(self, due: Callable[[Request, bool], bool]) -> None:
        with self._lock:
            now = [request for request, looked in self._deferred if due(request, looked)]
            self._deferred = [(request, looked) for request, looked in self._deferred if not due(request, looked)]
        for request in now:
            self.deliver(request)

    def settle(self) -> None:
        """Carry out all that was kept for later, and wait for what is under way."""
        self._release(lambda *_: True)
        with self._idle:
            self._idle.wait_for(lambda: not self._busy, LONGEST_STALL)

    # The client's side ------------------------------------------------------------------------------------------------

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with self._lock:
                    self._connections.add(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        file = connection.makefile("rb")
        try:
            with suppress(OSError, ValueError, http.client.HTTPException):
                while (request := _read(file)) is not None:
                    with self._at_work():
                        exchange = self._handle(connection, request)
                    if exchange.closes_on_next:
                        select.select([connection], [], [], LONGEST_STALL)
                        exchange.reset()
                    if exchange.closed:
                        break
        finally:
            with self._lock:
                self._connections.discard(connection)
            file.close()
            connection.close()

    def _handle(self, connection: socket.socket, request: Request) -> Exchange:
        with self._lock:
            self.targets[f"{request.method} {request.path}"] += 1
        found = self.policy(request) if self.policy is not None else None
        fault, chance = found or (None, random.Random(0))
        exchange = Exchange(self, connection, request, chance)
        if fault is not None:
            with self._lock:
                self.met[request.method] += 1
            fault(exchange)
        if not exchange.answered:
            exchange.answer(exchange.deliver())
        return exchange

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        with self._lock:
            self._busy += 1
        try:
            yield
        finally:
            with self._idle:
                self._busy -= 1
                self._idle.notify_all()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.settle()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def is_strangers(label: Mapping[str, Any]) -> bool:
    """Whether a label is one of a stranger's, who says so in it."""
    return str(label["external_id"]).startswith("strange")


class Dice:
    """A policy: some requests meet a fault, others none.

    Which do depends on the seed, the method, the image and how many of the kind came before: not on the order in which
    threads come to run, as long as an image is the work of one thread.

    Parameters
    ----------
    faults : mapping of str to (callable, float)
        By method, what happens and to which share of the requests for labels.
    seed : int
        Equal seeds make equal faults.
    places : list of str
        The ids of the images, in an order that is the same each time. The first request of each method on the first one
        meets its fault whatever the dice say.
    """

    def __init__(self, faults: Mapping[str, tuple[Fault, float]], seed: int, places: list[str]) -> None:
        self._faults = faults
        self._seed = seed
        self._places = {place: number for number, place in enumerate(places)}
        self._count: Counter[tuple[str, int]] = Counter()
        self._lock = threading.Lock()

    def __call__(self, request: Request) -> tuple[Fault, random.Random] | None:
        if request.method not in self._faults or not request.of_labels:
            return None
        fault, rate = self._faults[request.method]
        place = self._places.get(request.path.split("/")[-2], -1)
        with self._lock:
            number = self._count[request.method, place]
            self._count[request.method, place] += 1
        chance = random.Random(f"{self._seed} {request.method} {place} {number}")
        return (fault, chance) if chance.random() < rate or (number == place == 0) else None


def _read(file: BinaryIO) -> Request | None:
    """Read a request; None where the client has gone."""
    line = file.readline(65536)
    if not line.endswith(b"\n"):
        return None
    method, target, _ = line.decode("latin-1").split(" ", 2)
    headers = dict(http.client.parse_headers(file).items())
    length = int(headers.get("Content-Length", 0))
    body = file.read(length)
    return Request(method, target, headers, body) if len(body) == length else None


def _is_last(request: Request, answer: Answer) -> bool:
    """Whether a page is the last one of its list."""
    page = answer.json()
    return int(request.query.get("offset", 0)) + len(page["items"]) >= page["meta"]["total"]


@contextmanager
def between(target: str) -> Iterator[Proxy]:
    """Run a proxy in front of a server."""
    with contextlib.closing(Proxy(target)) as proxy:
        yield proxy
