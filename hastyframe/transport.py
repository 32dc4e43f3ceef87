"""HTTP and nothing else: the session, the key, retries, pages, parallel calls, signed addresses."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any, Generic, TypeAlias, TypeVar
from urllib.parse import urlsplit, urlunsplit

import orjson
import requests
import urllib3
from requests.adapters import HTTPAdapter

from .errors import (
    AuthenticationException,
    AuthorisationException,
    ConnectionFailed,
    HastyError,
    InsufficientCredits,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    RequestTimeout,
    ServerError,
    UnexpectedAnswer,
    ValidationException,
)

__all__ = ["PAGE_SIZE", "Listing", "Transport"]

PAGE_SIZE = 100
"""How many things a page of a list holds."""

T = TypeVar("T")
R = TypeVar("R")
Listing: TypeAlias = tuple[str, Mapping[str, Any] | None]
"""The path of a list and its query."""
Convert: TypeAlias = Callable[[int, list[dict[str, Any]]], R]

_KEY_HEADER = "X-Api-Key"
_HEADERS = {"User-Agent": "hastyframe", "Accept-Encoding": "gzip, deflate"}
_REPEATABLE = frozenset({"GET", "PUT", "PATCH", "DELETE"})
_PASSING = frozenset({500, 502, 503, 504})
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
_TRIES_UNREACHED = 3
_TRIES_TIMEOUT = 3
_LISTING_TRIES = 3


class Transport:
    """One keep-alive session to one API host, used by many threads.

    Parameters
    ----------
    api_key : str
        Goes into a header of requests to `base_url`, and nowhere else.
    base_url : str
        Address of the API, without a path.
    max_workers : int
        How many requests are under way at once.
    timeout : float or (float, float)
        Seconds to wait for a connection and for each piece of an answer.
    retries : int
        How often a request that may be repeated is repeated.
    progress : bool
        Whether long work shows a progress bar.

    Notes
    -----
    What may be repeated: a request that never reached the server, one that was refused with 429, and, when the
    outcome is unknown (a broken connection, a time-out, 5xx), one that does the same when done twice: GET, PUT,
    PATCH and DELETE. A POST of unknown outcome ends in :class:`~hastyframe.errors.OutcomeUnknown`.
    """

    def __init__(
        self,
        api_key: str,
        base_url: str,
        *,
        max_workers: int = 16,
        timeout: float | tuple[float, float] = (10.0, 120.0),
        retries: int = 6,
        progress: bool = True,
    ) -> None:
        self._api_key = api_key
        self.base_url = base_url.rstrip("/")
        self.max_workers = max_workers
        self.timeout = timeout
        self.retries = retries
        self.progress = progress
        self._pace = _Pace()
        self._reached = False
        self._session = _make_session(max_workers)
        self._settings: dict[str, Mapping[str, Any]] = {}

    def __repr__(self) -> str:
        return f"Transport({self.base_url!r}, max_workers={self.max_workers})"

    def close(self) -> None:
        """Close the connections; a later request opens new ones."""
        self._session.close()

    # Requests to the API ----------------------------------------------------------------------------------------------

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        """GET JSON."""
        return self.request("GET", path, params=params)

    def post(self, path: str, body: Any, *, repeatable: bool = False) -> Any:
        """POST JSON; `repeatable` where doing it twice is the same as doing it once."""
        return self.request("POST", path, body=body, repeatable=repeatable)

    def put(self, path: str, body: Any) -> Any:
        """PUT JSON."""
        return self.request("PUT", path, body=body)

    def patch(self, path: str, body: Any) -> Any:
        """PATCH JSON; what is sent are absolute values, so it may be repeated."""
        return self.request("PATCH", path, body=body)

    def delete(self, path: str, body: Any = None) -> None:
        """DELETE; where a repeat finds nothing, an earlier try had succeeded."""
        self.request("DELETE", path, body=body)

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Any = None,
        repeatable: bool = False,
    ) -> Any:
        """Send one request to the API.

        Parameters
        ----------
        method, path : str
            As ``"GET"``, ``"/v1/projects"``.
        params : mapping, optional
            The query.
        body : optional
            What is sent as JSON.
        repeatable : bool
            Whether it may be repeated although the method, POST, says that it may not.

        Returns
        -------
        object
            The JSON of the answer; None where it has no body.

        Raises
        ------
        HastyError
            One of its children, by what happened.
        """
        headers = {_KEY_HEADER: self._api_key, "Accept": "application/json"}
        data = None
        if body is not None:
            data = orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)
            headers["Content-Type"] = "application/json"
        answer = self._send(
            method,
            self.base_url + path,
            repeatable=repeatable or method in _REPEATABLE,
            params=params,
            data=data,
            headers=headers,
        )
        if method == "DELETE" and answer.tries > 1 and answer.response.status_code == 404:
            return None
        _raise_for_status(answer, f"{method} {path}")
        return _json(answer.response, f"{method} {path}")

    # Requests to other hosts: never with the key ----------------------------------------------------------------------

    def upload(self, url: str, data: bytes, content_type: str = "") -> None:
        """PUT bytes to a signed address."""
        answer = self._send("PUT", url, repeatable=True, data=data, headers={"Content-Type": content_type})
        _raise_for_status(answer, f"PUT {_without_query(url)}")

    def download(self, url: str, path: Path) -> None:
        """GET bytes from an address into a file, which is there whole or not at all."""
        request = f"GET {_without_query(url)}"
        part = path.with_name(path.name + ".part")
        try:
            for last in (False, False, True):
                try:
                    self._download(url, part, request)
                    break
                except ConnectionFailed:
                    if last:
                        raise
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)

    def _download(self, url: str, path: Path, request: str) -> None:
        answer = self._send("GET", url, repeatable=True, stream=True)
        with answer.response as response, path.open("wb") as file:
            _raise_for_status(answer, request)
            try:
                for piece in response.iter_content(1 << 18):
                    file.write(piece)
            except requests.RequestException as error:
                raise ConnectionFailed(f"The download broke off: {_cause(error)}", request=request) from None

    # Many at once -----------------------------------------------------------------------------------------------------

    def map(
        self,
        function: Callable[[T], R],
        items: Iterable[T],
        *,
        desc: str | None = None,
        unit: str = "it",
        size: Callable[[T], int] | None = None,
    ) -> Iterator[R]:
        """Call a function on many items in parallel; results in the order of the items.

        Parameters
        ----------
        function : callable
            Called in a thread of the pool. It must not call `map` itself.
        items : iterable
            What it is called on.
        desc, unit : str, optional
            The progress bar; without `desc` there is none.
        size : callable, optional
            By how much an item moves the bar; 1 if not given.

        Yields
        ------
        object
            The results. The first error ends the call, as Ctrl-C does: what has not begun is dropped, who waits for
            a retry stops waiting, and what is under way is waited for.
        """
        items = list(items)
        if not items:
            return
        step = size or (lambda _: 1)
        stop = threading.Event()

        def work(item: T) -> R:
            self._pace.stop_on(stop)
            return function(item)

        bar = self.bar(desc, sum(map(step, items)), unit)
        pool = ThreadPoolExecutor(min(self.max_workers, len(items)), thread_name_prefix="hastyframe")
        try:
            # Only a little ahead of the results, so that results that nobody has taken yet stay few.
            queue = iter(items)
            pending: deque[tuple[T, Future[R]]] = deque(
                (item, pool.submit(work, item)) for item in itertools.islice(queue, 4 * self.max_workers)
            )
            while pending:
                item, future = pending.popleft()
                result = future.result()
                pending.extend((item, pool.submit(work, item)) for item in itertools.islice(queue, 1))
                bar.update(step(item))
                yield result
        finally:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            bar.close()

    def bar(self, desc: str | None, total: float | None, unit: str = "it") -> Any:
        """Return a progress bar; hidden for work of under a second, without `desc`, and with progress off."""
        from tqdm.auto import tqdm

        return tqdm(total=total, desc=desc, unit=unit, delay=1.0, disable=desc is None or not self.progress)

    def listing(self, path: str, params: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Return all items of a paged list."""
        [pages] = self.listings([(path, params)], lambda _, items: items)
        return list(itertools.chain.from_iterable(pages))

    def listings(
        self, requests: Sequence[Listing], convert: Convert[R], *, desc: str | None = None, unit: str = "it"
    ) -> list[list[R]]:
        """Read many paged lists: all first pages in parallel, then all further pages in parallel.

        Parameters
        ----------
        requests : sequence of Listing
            Path and query of each list.
        convert : callable
            Gets the number of the list and the items of a page, in the thread that fetched them.
        desc, unit : str, optional
            The progress bar, which counts lists, then further pages.

        Returns
        -------
        list of list
            For each list, in order, what `convert` made of its pages, in order.

        Raises
        ------
        UnexpectedAnswer
            If a list kept changing while it was read, so that a page may have missed something.
        """

        def page(task: tuple[int, int, int]) -> _Page[R]:
            number, offset, limit = task
            return self._page(requests[number], number, offset, limit, convert)

        numbers = range(len(requests))
        firsts = list(self.map(page, ((i, 0, PAGE_SIZE) for i in numbers), desc=desc, unit=unit))
        tasks = [(i, offset, firsts[i].size) for i in numbers for offset in firsts[i].further]
        results = [[first.result] for first in firsts]
        changed = set()
        further = self.map(page, tasks, desc=desc and f"{desc}, further pages", unit="page")
        for (i, _, _), answer in zip(tasks, further, strict=True):
            results[i].append(answer.result)
            if answer.total != firsts[i].total:
                changed.add(i)
        for i in changed:
            results[i] = self._read_again(requests[i], i, convert)
        return results

    def _read_again(self, request: Listing, number: int, convert: Convert[R]) -> list[R]:
        """Read a list that changed while its pages were read, page after page, until it holds still."""
        for _ in range(_LISTING_TRIES):
            first = self._page(request, number, 0, PAGE_SIZE, convert)
            further = [self._page(request, number, offset, first.size, convert) for offset in first.further]
            if all(page.total == first.total for page in further):
                return [first.result, *(page.result for page in further)]
        raise UnexpectedAnswer(
            "The list kept changing while it was read; read it again when it is not being written to.",
            request=f"GET {request[0]}",
        )

    def _page(self, request: Listing, number: int, offset: int, limit: int, convert: Convert[R]) -> _Page[R]:
        path, params = request
        answer = self.get(path, {**(params or {}), "offset": offset, "limit": limit})
        try:
            items, total = answer["items"], int(answer["meta"]["total"])
        except (TypeError, KeyError, ValueError):
            raise UnexpectedAnswer("The answer is no page of a list.", request=f"GET {path}") from None
        return _Page(convert(number, items), len(items), total)

    # One request --------------------------------------------------------------------------------------------------

    def _send(self, method: str, url: str, *, repeatable: bool, stream: bool = False, **parts: Any) -> _Answer:
        """Send a request until it is answered or must not be repeated any more."""
        prepared = requests.Request(method, url, **{**parts, "headers": _HEADERS | parts.get("headers", {})}).prepare()
        request = f"{method} {_without_query(url)}"
        for tries in itertools.count(1):
            self._pace.wait()
            pause = _pause(tries)
            try:
                # A redirect of anything but a GET could turn into another request: it is an error instead.
                response = self._session.send(
                    prepared,
                    timeout=self.timeout,
                    stream=stream,
                    allow_redirects=method == "GET",
                    **self._settings_for(url),
                )
            except requests.RequestException as error:
                if tries >= self._tries(error, repeatable=repeatable):
                    raise self._trouble(error, request, repeatable=repeatable, tries=tries) from None
            else:
                self._reached = True
                retried = response.status_code == 429 or (repeatable and response.status_code in _PASSING)
                if not retried or tries > self.retries:
                    return _Answer(response, tries)
                pause = max(pause, _retry_after(response))
                response.close()
                if response.status_code == 429:
                    self._pace.hold(pause)
            self._pace.sleep(pause)
        raise AssertionError  # pragma: no cover

    def _settings_for(self, url: str) -> Mapping[str, Any]:
        """Proxies and certificates of the environment; looked up once a host, because it is slow."""
        parts = urlsplit(url)
        host = f"{parts.scheme}://{parts.netloc}"
        if host not in self._settings:
            settings = self._session.merge_environment_settings(host, {}, None, None, None)
            self._settings[host] = {name: settings[name] for name in ("proxies", "verify", "cert")}
        return self._settings[host]

    def _tries(self, error: requests.RequestException, *, repeatable: bool) -> int:
        """How often a request is tried that ends in this error."""
        if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.MissingSchema):
            return 1
        if _never_sent(error):
            # An address that has never answered is more likely wrong than busy.
            return self.retries + 1 if self._reached else min(_TRIES_UNREACHED, self.retries + 1)
        if not repeatable:
            return 1
        return min(_TRIES_TIMEOUT, self.retries + 1) if isinstance(error, requests.Timeout) else self.retries + 1

    def _trouble(self, error: requests.RequestException, request: str, *, repeatable: bool, tries: int) -> HastyError:
        """Say what happened to a request without an answer."""
        tried = "" if tries == 1 else f" ({tries} tries)"
        if _never_sent(error) or isinstance(error, ValueError):
            return ConnectionFailed(
                f"No connection to {self.base_url}{tried}: {_cause(error)}. Check the address and the network.",
                request=request,
            )
        if not repeatable:
            return OutcomeUnknown(
                f"The request broke off after it was sent: {_cause(error)}. The server may have done it or not; read "
                "back what is there before doing it again.",
                request=request,
            )
        if isinstance(error, requests.Timeout):
            return RequestTimeout(
                f"No answer within {self.timeout} s{tried}. Try again, or give the client a longer timeout=.",
                request=request,
            )
        return ConnectionFailed(f"The connection broke{tried}: {_cause(error)}. Try again.", request=request)


@dataclass(frozen=True, slots=True)
class _Answer:
    response: requests.Response
    tries: int


@dataclass(frozen=True, slots=True)
class _Page(Generic[R]):
    """The first or a further page of a list."""

    result: R
    size: int
    total: int

    @property
    def further(self) -> range:
        """Where the further pages begin, if this is the first; the server may hold fewer a page than asked for."""
        return range(self.size, self.total, self.size) if self.size else range(0)


class _Pace:
    """What all threads wait for: after a 429 nobody sends before the time that the server named."""

    def __init__(self) -> None:
        self._until = 0.0
        self._lock = threading.Lock()
        self._local = threading.local()

    def stop_on(self, stop: threading.Event) -> None:
        """Let this thread's waits end when the event is set."""
        self._local.stop = stop

    def hold(self, seconds: float) -> None:
        with self._lock:
            self._until = max(self._until, time.monotonic() + seconds)

    def wait(self) -> None:
        while (left := self._until - time.monotonic()) > 0:
            self.sleep(left)

    def sleep(self, seconds: float) -> None:
        stop = getattr(self._local, "stop", None)
        if stop is None:
            time.sleep(seconds)
        elif stop.wait(seconds):
            raise HastyError("Stopped while waiting for another try.")


class _Session(requests.Session):
    """A session that drops the key where a redirect leads to another host."""

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        if self.should_strip_auth(response.request.url, prepared_request.url):  # type: ignore[no-untyped-call]
            prepared_request.headers.pop(_KEY_HEADER, None)
        super().rebuild_auth(prepared_request, response)  # type: ignore[no-untyped-call]


def _make_session(workers: int) -> requests.Session:
    session = _Session()
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # a cookie could carry state between threads
    adapter = HTTPAdapter(pool_connections=8, pool_maxsize=workers)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def _pause(tries: int) -> float:
    """Exponential backoff with full jitter above one half, so that workers do not come back all at once."""
    return min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** (tries - 1)) * random.uniform(0.5, 1.0)  # noqa: S311


def _retry_after(response: requests.Response) -> float:
    value = response.headers.get("Retry-After")
    try:
        return urllib3.Retry().parse_retry_after(value) if value else 0.0
    except urllib3.exceptions.InvalidHeader:
        return 0.0


def _never_sent(error: requests.RequestException) -> bool:
    """Whether no byte of the request can have reached the server."""
    if isinstance(error, requests.ConnectTimeout | requests.exceptions.ProxyError | requests.exceptions.SSLError):
        return True
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    return isinstance(reason, urllib3.exceptions.NewConnectionError)


def _cause(error: requests.RequestException) -> str:
    """Name the innermost cause; the outer layers repeat the address with its query."""
    inner: Any = error
    while (following := getattr(inner, "reason", None) or next(iter(inner.args), None)) is not None:
        if not isinstance(following, BaseException):
            break
        inner = following
    text = str(inner.args[-1]) if isinstance(inner, OSError) and len(inner.args) > 1 else type(inner).__name__
    if isinstance(inner, urllib3.exceptions.NewConnectionError):
        text = str(inner).rpartition(": ")[2]
    return text.rstrip(".")


def _without_query(url: str) -> str:
    """Return an address without its query, which may be a signature."""
    return urlunsplit(urlsplit(url)._replace(query="", fragment=""))


def _json(response: requests.Response, request: str) -> Any:
    if response.status_code == 204 or not response.content:
        return None
    try:
        return orjson.loads(response.content)
    except orjson.JSONDecodeError:
        kind = response.headers.get("Content-Type", "no content type")
        raise UnexpectedAnswer(
            f"The server answered something that is not JSON ({kind}): {response.text[:80]!r}. Is the base address "
            "the one of a Hasty API, and not of a web page or a proxy?",
            request=request,
            status=response.status_code,
        ) from None


_BY_STATUS: dict[int, tuple[type[HastyError], str]] = {
    400: (ValidationException, "The server refused the input"),
    401: (AuthenticationException, "The server does not know the API key. Check api_key= or HASTY_API_KEY"),
    402: (InsufficientCredits, "The account is out of credits. Top it up or ask its owner"),
    403: (AuthorisationException, "The API key may not do this. Ask the project's owner for the permission"),
    404: (NotFound, "There is no such thing on the server; it may have been deleted. Check the id"),
    429: (RateLimited, "The server kept asking to slow down. Wait a while, or use a smaller max_workers="),
}


def _raise_for_status(answer: _Answer, request: str) -> None:
    response = answer.response
    status = response.status_code
    if 200 <= status < 300:
        return
    words = _server_words(response)
    if status in _BY_STATUS:
        kind, text = _BY_STATUS[status]
    elif status >= 500 and request.startswith("POST"):
        kind = OutcomeUnknown
        text = f"The server had trouble ({status}) and may have done it or not; read back what is there first"
    elif status >= 500:
        kind, text = ServerError, f"The server had trouble ({status}, {answer.tries} tries). Try again later"
    elif status >= 400:
        kind, text = ValidationException, f"The server refused the request ({status})"
    else:
        kind, text = UnexpectedAnswer, f"The server answered {status}, which is no answer of a Hasty API"
    raise kind(f"{text}. The server said: {words}" if words else f"{text}.", request=request, status=status)


def _server_words(response: requests.Response) -> str:
    try:
        message = orjson.loads(response.content)["message"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return ""
    return str(message)[:2000]
