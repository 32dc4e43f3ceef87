"""Connections: how many there are at once, and for how long each of them may keep the server waiting.

uvicorn has a time limit for connections between requests alone. Whoever begins a request and never ends it, or never
takes the answer, would stay for ever.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import math
import socket
import time
from collections.abc import Iterable
from typing import Any

import uvicorn

from .faults import CuttableProtocol

__all__ = ["BoundedProtocol", "BoundedServer", "backlog", "most_connections"]

log = logging.getLogger(__name__)

HEAD_SECONDS = 20.0
"""How long the head of a request may take, and the rest of a body that nobody reads any more."""
IDLE_SECONDS = 120.0
"""How long a client may pause between two requests."""
ANSWER_SECONDS = 60.0
"""How long a client may take nothing of an answer."""
HEAD_LIMIT = 64 * 2**10
"""The most bytes of a head, and of what surrounds the pieces of a body."""
MOST_CONNECTIONS = 1000
KEPT_FILES = 64
"""Descriptors that stay free for the database and whatever else the process has open."""


def backlog() -> int:
    """Return how many connections are accepted in one go."""
    return min(128, _descriptors() // 16)


def most_connections() -> int:
    """Return how many connections there may be: each needs a descriptor, and another one for the file it is sent."""
    # Those that have to go are closed a few rounds of accepting later.
    return max(16, min(MOST_CONNECTIONS, (_descriptors() - KEPT_FILES - 4 * backlog()) // 2))


def _descriptors() -> int:
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return 2**16
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 2**16 if soft == resource.RLIM_INFINITY else int(soft)


class BoundedProtocol(CuttableProtocol):
    """A connection that is closed when it keeps the server waiting for too long.

    While an operation is at work its client waits for it, and there is no limit here; what the operation waits for, as
    the body of the request, has limits of its own.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._begun = False
        self._unread = 0
        self._await_client(HEAD_SECONDS)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin; where there are too many connections, the one that waits longest for its client goes."""
        super().connection_made(transport)
        if len(self.connections) > most_connections():
            connections: Iterable[Any] = self.connections
            longest = min(connections, key=lambda connection: connection.waits_since)
            longest.transport.abort()
            self.connections.discard(longest)  # it ends in the next round; until then others must be found

    def data_received(self, data: bytes) -> None:
        """Read on; what is neither a whole head nor a piece of a body is bounded, since the parser keeps it."""
        self._unread += len(data)
        super().data_received(data)
        if self._unread > HEAD_LIMIT and not self.transport.is_closing():
            if self._working():
                self.transport.abort()
            else:
                self.send_400_response(f"The head of the request is too large: at most {HEAD_LIMIT:,} bytes.")

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self._begun = True
        if not self._working():
            self._await_client(HEAD_SECONDS)

    def on_headers_complete(self) -> None:
        """Hand the request over to an operation."""
        super().on_headers_complete()
        self._unread = 0
        self._await_nobody()

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body."""
        super().on_body(body)
        self._unread = 0

    def on_message_complete(self) -> None:
        """End a request."""
        super().on_message_complete()
        self._begun = False
        self._unread = 0

    def on_response_complete(self) -> None:
        """Wait for the next request, or for the end of this one."""
        super().on_response_complete()
        if not self._working():
            self._await_client(HEAD_SECONDS if self._begun else IDLE_SECONDS)

    def pause_writing(self) -> None:
        """Wait for the client to take what was sent."""
        super().pause_writing()
        self._await_client(ANSWER_SECONDS)

    def resume_writing(self) -> None:
        """Go on with the answer."""
        super().resume_writing()
        if self._working():
            self._await_nobody()

    def _working(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _await_client(self, seconds: float) -> None:
        self.waits_since = time.monotonic()
        self._until = self.waits_since + seconds

    def _await_nobody(self) -> None:
        self.waits_since = self._until = math.inf

    def close_if_overdue(self, now: float) -> None:
        """Close the connection if its client has let the server wait for too long."""
        if now > self._until:
            self.transport.abort()


class BoundedServer(uvicorn.Server):
    """Closes what is overdue, and says once what would be said in every round of accepting."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept connections."""
        asyncio.get_running_loop().set_exception_handler(_AcceptErrors())
        await super().startup(sockets)
        for listener in sockets or ():
            listener.listen(1024)  # more may wait than are accepted in one go

    async def on_tick(self, counter: int) -> bool:
        """Look after the connections; uvicorn calls this ten times a second."""
        now = time.monotonic()
        for connection in list(self.server_state.connections):
            if isinstance(connection, BoundedProtocol):
                connection.close_if_overdue(now)
        return await super().on_tick(counter)


class _AcceptErrors:
    """asyncio tells of a lack of descriptors for all that could wait, in every round; here it is once a minute."""

    def __init__(self) -> None:
        self._next = 0.0

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if not (isinstance(error, OSError) and error.errno in {errno.EMFILE, errno.ENFILE} and "socket" in context):
            loop.default_exception_handler(context)
        elif time.monotonic() >= self._next:
            self._next = time.monotonic() + 60
            log.error("no connection can be accepted: %s; raise the limit, or close files", error)
