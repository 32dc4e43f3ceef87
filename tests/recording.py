"""A server that stands in front of another one, passes everything on and writes down what passes."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import closing, contextmanager
from urllib.parse import urlencode, urlsplit

from servers import Answer, Seen, Server, serve

HOP = {"connection", "content-length", "transfer-encoding", "date"}
"""Headers of answers that belong to one connection; the server makes its own."""


class Recorder:
    """What went to a server, in order, and the address at which it is written down."""

    def __init__(self, server: Server) -> None:
        self.url = server.url
        self._server = server

    @property
    def seen(self) -> list[Seen]:
        return list(self._server.seen)

    @property
    def writes(self) -> list[str]:
        """What was sent that is no mere question."""
        return [f"{seen.method} {seen.path}" for seen in self.seen if seen.method != "GET"]

    def clear(self) -> None:
        self._server.seen.clear()


@contextmanager
def record(base_url: str) -> Iterator[Recorder]:
    """Run a recorder in front of the server at an address."""
    target = urlsplit(base_url).netloc

    def forward(seen: Seen) -> Answer:
        with closing(http.client.HTTPConnection(target, timeout=30)) as connection:
            # With the host that the client asked for, so that addresses in the answer lead through the recorder.
            query = f"?{urlencode(seen.query)}" if seen.query else ""
            connection.request(seen.method, seen.path + query, seen.body or None, seen.headers)
            answer = connection.getresponse()
            headers = {name: value for name, value in answer.getheaders() if name.lower() not in HOP}
            return Answer(answer.status, answer.read(), headers)

    with serve(forward) as server:
        yield Recorder(server)
