"""Requests in, answers out: what an operation is, and the application that finds it, checks its input and runs it."""

from __future__ import annotations

import asyncio
import inspect
import logging
import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import parse_qsl

import orjson
from pydantic import TypeAdapter, ValidationError
from starlette.responses import Response

from hastyframe.entities import Entity, Project

from .bodies import Query, problems
from .store import Record

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

    from .context import Context

__all__ = ["App", "Call", "Operation", "Refusal", "Routes", "answer"]

log = logging.getLogger(__name__)

BODY_LIMIT = 16 * 2**20
"""The most bytes of JSON in a request: 100 labels with masks of some 20,000 runs each."""
NESTED_LIMIT = 1_000_000
"""The most lists and objects in a request, vertices of polygons among them: three bytes of JSON become eighty."""
DRAIN_LIMIT = 64 * 2**20
"""So much of a body that is too large is read and dropped, so that its sender comes to see the answer."""
BODY_SECONDS, PAUSE_SECONDS = 900.0, 20.0
"""How long a body may take in all, and from one piece to the next."""

Schema: TypeAlias = Mapping[str, Any]


class Refusal(Exception):
    """A request that is not carried out, and why."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message
        self.headers = headers


@dataclass(slots=True)
class Call:
    """A request that is to be carried out, its input checked.

    Attributes
    ----------
    context : Context
        What the server works with: store, files, models, jobs.
    path : dict of str
        The ids in the path.
    query, body : object
        As the operation declares them.
    base_url : str
        Where the client reached the server; addresses in answers begin with it.
    parameters : dict of str
        The query as it was sent.
    afterwards : list of callable
        What is done once the transaction is kept, as removing files that nothing refers to any more.
    """

    context: Context
    path: dict[str, str]
    query: Any
    body: Any
    base_url: str
    parameters: dict[str, str]
    headers: Mapping[bytes, bytes]
    receive: Receive
    afterwards: list[Callable[[], object]] = field(default_factory=list)

    def find(self, entity: type[Entity]) -> Record:
        """Return the thing that the path names, or refuse with 404."""
        where = {"id": self.path[entity.id_name]}
        if "{project_id}" in getattr(entity, "path", ""):
            where["project_id"] = self.path["project_id"]
        found = self.context.store.get(entity, where)
        if found is None:
            if entity is not Project and "project_id" in self.path:
                self.find(Project)
            raise Refusal(404, f"there is no {entity.__name__} with id {where['id']!r}")
        return found

    def stream(self, limit: int) -> AsyncIterator[bytes]:
        """Give the pieces of a body that the operation reads itself, refused with 413 above `limit` bytes."""
        return bounded(self.headers, self.receive, limit)


Handler: TypeAlias = Callable[[Call], Any]


@dataclass(frozen=True)
class Operation:
    """One thing that the server can do.

    A plain `handler` runs inside one transaction and should be quick; an ``async`` one makes its transactions itself
    and leaves long work to threads. What it returns is the JSON of the answer, or a whole response.
    """

    method: str
    path: str
    handler: Handler
    body: TypeAdapter[Any] | None
    query: type[Query] | None
    answer: Schema | None
    status: int
    public: bool
    errors: tuple[int, ...]

    @property
    def summary(self) -> str:
        """The first line of what the handler says about itself."""
        return (inspect.getdoc(self.handler) or "").partition("\n")[0]

    @property
    def ids(self) -> list[str]:
        """The names in the path."""
        return re.findall(r"{(\w+)}", self.path)


class Routes:
    """A list of operations, filled by decorators.

    Examples
    --------
    >>> routes = Routes()
    >>> @routes.add("GET", "/v1/hello/{name}")
    ... def hello(call):
    ...     "Greet somebody."
    ...     return {"hello": call.path["name"]}
    >>> routes.operations[0].summary, routes.operations[0].ids
    ('Greet somebody.', ['name'])
    """

    def __init__(self) -> None:
        self.operations: list[Operation] = []

    def add(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        query: type[Query] | None = None,
        answer: Schema | None = None,
        status: int = 200,
        public: bool = False,
        errors: Sequence[int] = (),
    ) -> Callable[[Handler], Handler]:
        """Make an operation of the decorated function."""

        def register(handler: Handler) -> Handler:
            adapter = None if body is None else TypeAdapter(body)
            self.operations.append(
                Operation(method, path, handler, adapter, query, answer, status, public, tuple(errors))
            )
            return handler

        return register


def answer(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return an answer of JSON."""
    return Response(orjson.dumps(content), status, headers, media_type="application/json")


class App:
    """The ASGI application: finds the operation of a request, checks key and input, and answers.

    Parameters
    ----------
    operations : list of Operation
        What it can do.
    context : Context
        What the operations work with.
    api_key : str
        What the header ``X-Api-Key`` must hold.
    """

    def __init__(self, operations: Sequence[Operation], context: Context, api_key: str) -> None:
        self._context = context
        self._key = api_key.encode()
        paths: dict[str, dict[str, Operation]] = {}
        for operation in operations:
            paths.setdefault(operation.path, {})[operation.method] = operation
        # Fixed words before ids, so that no id hides a path of its own.
        ordered = sorted(paths.items(), key=lambda item: item[0].count("{"))
        self._routes = [(_pattern(path), methods) for path, methods in ordered]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            return
        request_id = secrets.token_hex(8)
        try:
            response = await self._respond(scope, receive)
        except Refusal as refusal:
            response = answer({"message": refusal.message}, refusal.status, refusal.headers)
        except Exception:
            log.exception("%s %s failed, request %s", scope["method"], scope["path"], request_id)
            response = answer({"message": "the server failed; its log says why"}, 500)
        response.headers["X-Request-ID"] = request_id
        await response(scope, receive, send)

    async def _respond(self, scope: Scope, receive: Receive) -> Response:
        headers = dict(scope["headers"])
        operation, path = self._find(scope, headers)
        parameters = _parameters(scope["query_string"])
        call = Call(
            self._context,
            path,
            None if operation.query is None else _checked(operation.query.model_validate, parameters),
            None if operation.body is None else _checked(operation.body.validate_python, await _json(headers, receive)),
            _base_url(scope, headers),
            parameters,
            headers,
            receive,
        )
        if inspect.iscoroutinefunction(operation.handler):
            result = await operation.handler(call)
        else:
            # Straight on the event loop: a statement takes less time than a thread to change to.
            with self._context.store.transaction(write=operation.method != "GET"):
                result = operation.handler(call)
                # Encoded inside, so that an answer that cannot be sent leaves nothing behind.
                result = result if result is None or isinstance(result, Response) else answer(result, operation.status)
            for act in call.afterwards:
                act()
        if isinstance(result, Response):
            return result
        return Response(status_code=204) if result is None else answer(result, operation.status)

    def _find(self, scope: Scope, headers: Mapping[bytes, bytes]) -> tuple[Operation, dict[str, str]]:
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        for pattern, methods in self._routes:
            match = pattern.fullmatch(scope["path"])
            if match is None:
                continue
            operation = methods.get(method)
            if not (operation or next(iter(methods.values()))).public:
                self._check_key(headers)
            if operation is None:
                allowed = ", ".join(methods)
                raise Refusal(405, f"{scope['method']} is not possible here, only {allowed}", {"Allow": allowed})
            return operation, match.groupdict()
        if scope["path"].startswith("/v1"):
            self._check_key(headers)
        raise Refusal(404, f"there is nothing at {scope['path']!r}")

    def _check_key(self, headers: Mapping[bytes, bytes]) -> None:
        if not secrets.compare_digest(headers.get(b"x-api-key", b""), self._key):
            raise Refusal(401, "the header X-Api-Key is missing or holds no key that this server knows")


def _pattern(path: str) -> re.Pattern[str]:
    """Return what the paths of an operation look like."""
    return re.compile(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", path.replace(".", r"\.")))


def _parameters(query_string: bytes) -> dict[str, str]:
    """Read a query; what comes twice is put together with a comma, as the lists of this API are."""
    found: dict[str, str] = {}
    if query_string:
        for key, value in parse_qsl(query_string.decode("latin-1"), keep_blank_values=True):
            found[key] = f"{found[key]},{value}" if key in found else value
    return found


def _checked(check: Callable[[Any], Any], value: Any) -> Any:
    try:
        return check(value)
    except ValidationError as error:
        raise Refusal(400, problems(error)) from None


async def _json(headers: Mapping[bytes, bytes], receive: Receive) -> Any:
    # Whatever the content type says: the official client sends JSON as image/* after it has uploaded something.
    content = bytearray()
    async for piece in bounded(headers, receive, BODY_LIMIT):
        content += piece
    if content.count(b"[") + content.count(b"{") > NESTED_LIMIT:
        raise Refusal(413, f"the body has too many lists and objects: at most {NESTED_LIMIT:,}")
    try:
        return orjson.loads(content)
    except ValueError as error:
        raise Refusal(400, f"the body is not JSON: {error}") from None


async def bounded(headers: Mapping[bytes, bytes], receive: Receive, limit: int) -> AsyncIterator[bytes]:
    """Give the pieces of a body, and refuse it: with 413 once it is longer than `limit`, with 415 if compressed."""
    encoding = headers.get(b"content-encoding", b"identity").lower()
    if encoding != b"identity":
        raise Refusal(415, f"a body in the encoding {encoding[:60].decode('latin-1')!r} is not read: send it as it is")
    announced = headers.get(b"content-length", b"")
    size, keep = 0, not (announced.isdigit() and int(announced) > limit)
    async for piece in _pieces(receive):
        size += len(piece)
        keep = keep and size <= limit
        if keep:
            yield piece
        elif size > limit + DRAIN_LIMIT:
            break
    if not keep:
        raise Refusal(413, f"the body is too large: at most {limit:,} bytes")


async def _pieces(receive: Callable[[], Awaitable[Message]]) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    end, more = loop.time() + BODY_SECONDS, True
    while more:
        try:
            async with asyncio.timeout_at(min(end, loop.time() + PAUSE_SECONDS)):
                message = await receive()
        except TimeoutError:
            raise Refusal(408, "the body did not come in time", {"Connection": "close"}) from None
        if message["type"] == "http.disconnect":
            raise Refusal(400, "the body broke off")
        more = message.get("more_body", False)
        yield message.get("body", b"")


_HOST = re.compile(rb"[\w.\-]+(:\d+)?|\[[0-9a-fA-F:.]+\](:\d+)?")


def _base_url(scope: Scope, headers: Mapping[bytes, bytes]) -> str:
    host = headers.get(b"host", b"")
    if _HOST.fullmatch(host):
        return f"{scope['scheme']}://{host.decode()}"
    return "{}://{}:{}".format(scope["scheme"], *(scope.get("server") or ("127.0.0.1", 80)))
