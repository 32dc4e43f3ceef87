"""HTTP and nothing else: the session, the key, retries, pages, parallel calls, signed addresses."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import random
import ssl
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from queue import Empty, SimpleQueue
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
    NotSent,
    OutcomeUnknown,
    RateLimited,
    RequestTimeout,
    ServerError,
    UnexpectedAnswer,
    ValidationException,
)
from .progress import bar as progress_bar

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
_NO_ANSWER = (requests.RequestException, urllib3.exceptions.HTTPError, ValueError)
"""What a request can end in; bad addresses to which a server redirects come as bare ValueErrors."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
_LONGEST_WISH = 600.0
"""A server that asks to come back later than this, in seconds, is taken at its word: the call ends."""
_LONGEST_SETTLING = 10.0
_TRIES_UNREACHED = 3
_TRIES_TIMEOUT = 3
_TRIES_LISTING = 3
_TRIES_DOWNLOAD = 3
_PATIENCE = 1.0
"""How many seconds Ctrl-C waits for requests that are under way."""
_NO_API = "Is the base address the one of a Hasty API, and not of a web page or a proxy?"


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

    def post(self, path: str, body: Any, *, repeatable: bool = False, once: bool = False) -> Any:
        """POST JSON; `repeatable` where doing it twice is the same as doing it once; `once` as for :meth:`request`."""
        return self.request("POST", path, body=body, repeatable=repeatable, once=once)

    def put(self, path: str, body: Any, *, once: bool = False) -> Any:
        """PUT JSON; `once` as for :meth:`request`."""
        return self.request("PUT", path, body=body, once=once)

    def patch(self, path: str, body: Any) -> Any:
        """PATCH JSON; what is sent are absolute values, so it may be repeated."""
        return self.request("PATCH", path, body=body)

    def delete(self, path: str, body: Any = None, *, missing_is_done: bool = True, once: bool = False) -> None:
        """DELETE; where a repeat finds nothing, an earlier try had succeeded.

        With ``missing_is_done=False`` that is an error all the same: of a list, another one may be what is missing.
        `once` as for :meth:`request`.
        """
        self.request("DELETE", path, body=body, missing_is_done=missing_is_done, once=once)

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Any = None,
        repeatable: bool = False,
        missing_is_done: bool = True,
        once: bool = False,
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
        missing_is_done : bool
            Whether a repeated DELETE that finds nothing has succeeded.
        once : bool
            Whether it goes out one time at most, and now: for a write that rests on what was read just before. A 429, a
            5xx or a missing answer end in their error without another try; where all threads have to wait because the
            server asked for it, nothing is sent and :class:`~hastyframe.errors.NotSent` is raised.

        Returns
        -------
        object
            The JSON of the answer; None where it has no body.

        Raises
        ------
        HastyError
            One of its children, by what happened.
        """
        request = f"{method} {path}"
        repeatable = repeatable or method in _REPEATABLE
        headers = {"Accept": "application/json"}
        data = None
        if body is not None:
            data = _dump(body, request)
            headers["Content-Type"] = "application/json"
        answer = self._send(
            method,
            self.base_url + path,
            repeatable=repeatable,
            once=once,
            params=params,
            data=data,
            headers=headers,
            auth=self._sign,  # not among the headers, which may show in a traceback with local variables
        )
        if missing_is_done and method == "DELETE" and answer.maybe_done and answer.response.status_code == 404:
            return None
        if not _is_success(answer.response):
            raise self._refusal(answer, request, repeatable=repeatable)
        return self._json(answer.response, request)

    def _sign(self, prepared: requests.PreparedRequest) -> requests.PreparedRequest:
        prepared.headers[_KEY_HEADER] = self._api_key
        return prepared

    # Requests to other hosts: never with the key ----------------------------------------------------------------------

    def upload(self, url: str, data: bytes, content_type: str = "") -> None:
        """PUT bytes to a signed address."""
        request = f"PUT {_without_query(url)}"
        answer = self._send("PUT", url, repeatable=True, data=data, headers={"Content-Type": content_type})
        if not _is_success(answer.response):
            raise self._refusal(answer, request, signed=True)

    def download(self, url: str, path: Path) -> None:
        """GET bytes from an address into a file, which is there whole or not at all."""
        request = f"GET {_without_query(url)}"
        part = path.with_name(f"{uuid.uuid4().hex}.part")  # its own, whoever else fetches the same
        try:
            for tries in itertools.count(1):
                trouble = self._fetch(url, part, request)
                if trouble is None:
                    break
                if tries >= _TRIES_DOWNLOAD:
                    raise ConnectionFailed(f"The download broke off ({tries} tries): {trouble}.", request=request)
                self._pace.sleep(_pause(tries))
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)

    def _fetch(self, url: str, path: Path, request: str) -> str | None:
        """Try a download once; return what broke it off, if anything did."""
        answer = self._send("GET", url, repeatable=True, stream=True)
        try:
            with answer.response as response, path.open("wb") as file:
                if not _is_success(response):
                    raise self._refusal(answer, request, signed=True)
                for piece in response.iter_content(1 << 18):
                    file.write(piece)
        except _NO_ANSWER as error:
            return _cause(error)
        return None

    # Many at once -----------------------------------------------------------------------------------------------------

    def map(
        self,
        function: Callable[[T], R],
        items: Iterable[T],
        *,
        desc: str | None = None,
        unit: str = "it",
        size: Callable[[T], int] | None = None,
        done: dict[int, R] | None = None,
        max_workers: int | None = None,
    ) -> list[R]:
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
        done : dict, optional
            Gets each result as soon as it is there, by the position of its item: what to look at after Ctrl-C.
        max_workers : int, optional
            How many at once, if not as many as the transport has.

        Returns
        -------
        list
            The results. The first error ends the call, as Ctrl-C does: what has not begun is dropped, who waits for
            a retry stops waiting, and no further request is sent. What is under way is waited for; after Ctrl-C for
            a second at most.
        """
        tasks = deque(enumerate(items))
        if not tasks:
            return []
        results = {} if done is None else done
        fates: SimpleQueue[tuple[T, BaseException | None]] = SimpleQueue()
        stop = threading.Event()

        def work() -> None:
            self._pace.stop_on(stop)
            with contextlib.suppress(IndexError):  # of the deque: nothing is left
                while True:
                    position, item = tasks.popleft()
                    try:
                        results[position] = function(item)
                        fates.put((item, None))
                    except BaseException as error:
                        fates.put((item, error))

        count = len(tasks)
        step = size or (lambda _: 1)
        threads: list[threading.Thread] = []
        patience = None
        try:
            with self.bar(desc, sum(step(item) for _, item in tasks), unit) as bar:
                for number in range(min(max_workers or self.max_workers, count)):
                    # A request may hang for minutes; the end of the interpreter waits for all threads but daemons.
                    thread = threading.Thread(target=work, name=f"hastyframe-pool-{number}", daemon=True)
                    thread.start()
                    threads.append(thread)
                for _ in range(count):
                    item, error = _next(fates)
                    if error is not None:
                        raise error
                    bar.update(step(item))
        except (KeyboardInterrupt, SystemExit):
            patience = _PATIENCE
            raise
        finally:
            stop.set()
            tasks.clear()
            _join(threads, patience)
        return [results[position] for position in range(count)]

    @property
    def stopped(self) -> bool:
        """Whether the call that this thread works for has ended, so that nothing more is sent for it."""
        return self._pace.stopped

    def rest(self, seconds: float) -> None:
        """Wait; not longer than the call that this thread works for lasts."""
        if seconds > 0:
            self._pace.sleep(seconds)

    def rest_before(self, tries: int) -> None:
        """Wait before something is tried again that has been tried so often."""
        self.rest(_pause(tries))

    @property
    def settling(self) -> float:
        """Seconds after which a request without an answer is taken to have been carried out, if it ever will be."""
        return min(_LONGEST_SETTLING, self.timeout[1] if isinstance(self.timeout, tuple) else self.timeout)

    def bar(self, desc: str | None, total: float | None, unit: str = "it") -> Any:
        """Return a progress bar; hidden for work of under a second, without `desc`, and with progress off."""
        shown = desc is not None and self.progress
        return progress_bar(total=total, desc=desc, unit=unit, miniters=1, shown=shown)

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
        firsts = self.map(page, ((i, 0, PAGE_SIZE) for i in numbers), desc=desc, unit=unit)
        tasks = [(i, offset, firsts[i].size) for i in numbers for offset in firsts[i].further]
        pages = [[first] for first in firsts]
        further = self.map(page, tasks, desc=desc and f"{desc}, further pages", unit="page")
        for (i, _, _), answer in zip(tasks, further, strict=True):
            pages[i].append(answer)
        return [
            [page.result for page in (of_list if _whole(of_list) else self._read_again(request, i, convert))]
            for i, (request, of_list) in enumerate(zip(requests, pages, strict=True))
        ]

    def _read_again(self, request: Listing, number: int, convert: Convert[R]) -> list[_Page[R]]:
        """Read a list that changed while its pages were read, page after page, until it holds still."""
        for tries in range(1, _TRIES_LISTING + 1):
            pages = [self._page(request, number, 0, PAGE_SIZE, convert)]
            first, read = pages[0], pages[0].size
            while pages[-1].size and pages[-1].total == first.total and read < first.total:
                pages.append(self._page(request, number, read, PAGE_SIZE, convert))
                read += pages[-1].size
            if _whole(pages):
                return pages
            self._pace.sleep(_pause(tries))
        raise UnexpectedAnswer(
            f"The list kept changing while it was read: {read:,} items came, {first.total:,} were announced. Read it "
            "again when nobody writes to it.",
            request=f"GET {request[0]}",
        )

    def _page(self, request: Listing, number: int, offset: int, limit: int, convert: Convert[R]) -> _Page[R]:
        path, params = request
        answer = self.get(path, {**(params or {}), "offset": offset, "limit": limit})
        try:
            items, total = answer["items"], int(answer["meta"]["total"])
            good = isinstance(items, list) and all(isinstance(item, dict) for item in items)
        except (TypeError, KeyError, ValueError):
            good = False
        if not good:
            raise UnexpectedAnswer(f"The answer is no page of a list. {_NO_API}", request=f"GET {path}")
        return _Page(convert(number, items), len(items), total)

    # One request --------------------------------------------------------------------------------------------------

    def _send(
        self, method: str, url: str, *, repeatable: bool, once: bool = False, stream: bool = False, **parts: Any
    ) -> _Answer:
        """Send a request until it is answered or must not be repeated any more."""
        request = f"{method} {_without_query(url)}"
        try:
            parts["headers"] = _HEADERS | parts.get("headers", {})
            prepared = requests.Request(method, url, **parts).prepare()
            settings = self._settings_for(url)
        except ValueError as error:
            raise _no_address(request, error) from None
        maybe_done = False
        for tries in itertools.count(1):
            if once and self._pace.closed:
                raise NotSent("The server asked to slow down, so that the request was not sent.", request=request)
            self._pace.wait()
            if self._pace.stopped:
                raise _stopped(request, maybe_done=maybe_done)
            pause = _pause(tries)
            try:
                # A redirect of anything but a GET could turn into another request: it is an error instead.
                response = self._session.send(
                    prepared, timeout=self.timeout, stream=stream, allow_redirects=method == "GET", **settings
                )
            except _NO_ANSWER as error:
                if once or tries >= self._tries(error, repeatable=repeatable):
                    raise self._trouble(error, request, repeatable=repeatable, tries=tries) from None
                maybe_done |= not _never_sent(error)
            else:
                self._reached = True
                status, wish = response.status_code, _retry_after(response)
                retried = status == 429 or (repeatable and status in _PASSING)
                if once and status == 429:
                    self._pace.hold(max(pause, wish))
                if once or not retried or tries > self.retries or wish > _LONGEST_WISH:
                    return _Answer(response, tries, maybe_done)
                maybe_done |= status != 429
                pause = max(pause, wish)
                response.close()
                if status == 429:
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

    def _tries(self, error: Exception, *, repeatable: bool) -> int:
        """How often a request is tried that ends in this error."""
        never_sent = _never_sent(error)
        if _is_final(error) or not (repeatable or never_sent):
            return 1
        tries = self.retries + 1
        if not self._reached:  # an address that has never answered is more likely wrong than busy
            tries = min(tries, _TRIES_UNREACHED)
        return tries if never_sent or not _timed_out(error) else min(tries, _TRIES_TIMEOUT)

    def _trouble(self, error: Exception, request: str, *, repeatable: bool, tries: int) -> HastyError:
        """Say what happened to a request without an answer."""
        tried = "" if tries == 1 else f" ({tries} tries)"
        if isinstance(error, ValueError):
            return _no_address(request, error)
        if isinstance(error, requests.TooManyRedirects):
            return UnexpectedAnswer(f"The server redirects in circles. {_NO_API}", request=request)
        if _never_sent(error):
            sent = getattr(error, "request", None)  # the last one, after redirects
            host = urlsplit(_without_query(getattr(sent, "url", None) or self.base_url)).netloc
            return ConnectionFailed(
                f"No connection to {host}{tried}: {_cause(error)}. Check the address and the network.",
                request=request,
            )
        if not repeatable:
            return OutcomeUnknown(
                f"The request broke off after it was sent: {_cause(error)}. The server may have done it or not; read "
                "back what is there before doing it again.",
                request=request,
            )
        if _timed_out(error):
            return RequestTimeout(
                f"No answer within {self._patience()}{tried}. Try again, or give the client a longer timeout=.",
                request=request,
            )
        return ConnectionFailed(f"The connection broke{tried}: {_cause(error)}. Try again.", request=request)

    def _patience(self) -> str:
        return f"{self.timeout[1] if isinstance(self.timeout, tuple) else self.timeout:g} s"

    # One answer -------------------------------------------------------------------------------------------------------

    def _json(self, response: requests.Response, request: str) -> Any:
        if not response.content:
            return None
        try:
            return orjson.loads(response.content)
        except orjson.JSONDecodeError:
            kind = response.headers.get("Content-Type", "no content type")
            begin = self._without_key(response.content[:80].decode(errors="replace"))
            raise UnexpectedAnswer(
                f"The server answered something that is not JSON ({kind}): {begin!r}. {_NO_API}",
                request=request,
                status=response.status_code,
            ) from None

    def _refusal(self, answer: _Answer, request: str, *, repeatable: bool = True, signed: bool = False) -> HastyError:
        """Return the error that says what an answer means that is no success; `signed` for other hosts."""
        response, status = answer.response, answer.response.status_code
        kind: type[HastyError]
        if status in (401, 403) and signed:
            kind, text = AuthorisationException, f"The storage refused the address ({status}); it may have expired."
        elif status in _BY_STATUS:
            kind, text = _BY_STATUS[status]
        elif status >= 500 and not repeatable:
            kind = OutcomeUnknown
            text = f"The server had trouble ({status}) and may have done it or not; read back what is there first."
        elif status >= 500:
            kind, text = ServerError, f"The server had trouble ({status}, {answer.tries} tries). Try again later."
        elif status >= 400:
            kind, text = ValidationException, f"The server refused the request ({status})."
        else:
            place = self._without_key(_without_query(response.headers.get("Location", "nowhere")))
            kind = UnexpectedAnswer
            text = f"The server answered {status} and points to {place}; what writes is not sent elsewhere. {_NO_API}"
        words = self._without_key(_server_words(response))
        if words:
            text += f" The server said: {words}"
        elif status == 404 and not signed and "json" not in response.headers.get("Content-Type", "json"):
            text += f" The answer is not JSON. {_NO_API}"
        if status == 429 and (wish := _retry_after(response)):
            text += f" It asks for a pause of {wish:,.0f} s."
        return kind(text, request=request, status=status)

    def _without_key(self, text: str) -> str:
        """Blot out the key where a server repeats it."""
        return text.replace(self._api_key, "***")


@dataclass(frozen=True, slots=True)
class _Answer:
    response: requests.Response
    tries: int
    maybe_done: bool
    """Whether an earlier try may have been carried out."""


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


def _whole(pages: Sequence[_Page[Any]]) -> bool:
    """Whether pages make a whole list that did not change meanwhile."""
    total = pages[0].total
    return all(page.total == total for page in pages) and sum(page.size for page in pages) == total


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

    @property
    def closed(self) -> bool:
        """Whether nobody may send now, because the server asked to slow down."""
        return self._until > time.monotonic()

    @property
    def stopped(self) -> bool:
        """Whether the call that this thread works for has ended."""
        stop = getattr(self._local, "stop", None)
        return stop is not None and stop.is_set()

    def wait(self) -> None:
        while not self.stopped and (left := self._until - time.monotonic()) > 0:
            self.sleep(left)

    def sleep(self, seconds: float) -> None:
        stop = getattr(self._local, "stop", None)
        (time.sleep if stop is None else stop.wait)(seconds)


class _Session(requests.Session):
    """A session that drops the key where a redirect leads to another host."""

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        if self.should_strip_auth(response.request.url, prepared_request.url):  # type: ignore[no-untyped-call]
            prepared_request.headers.pop(_KEY_HEADER, None)
        super().rebuild_auth(prepared_request, response)  # type: ignore[no-untyped-call]


def _next(queue: SimpleQueue[T]) -> T:
    while True:
        with contextlib.suppress(Empty):
            return queue.get(timeout=0.5)  # not for ever: on Windows Ctrl-C does not end that


def _join(threads: Iterable[threading.Thread], patience: float | None) -> None:
    """Wait for threads to end; for no more than `patience` seconds if that is given."""
    until = None if patience is None else time.monotonic() + patience
    for thread in threads:
        thread.join(None if until is None else max(0.0, until - time.monotonic()))


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


def _is_success(response: requests.Response) -> bool:
    return 200 <= response.status_code < 300


def _retry_after(response: requests.Response) -> float:
    value = response.headers.get("Retry-After")
    try:
        return float(urllib3.Retry().parse_retry_after(value)) if value else 0.0
    except (urllib3.exceptions.InvalidHeader, ValueError, OverflowError):
        return 0.0


def _dump(body: Any, request: str) -> bytes:
    try:
        return orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)
    except TypeError as error:
        raise ValidationException(f"This cannot be sent as JSON: {error}.", request=request) from None


def _no_address(request: str, error: ValueError) -> HastyError:
    """Return the error for an address that is none, or of a kind that is not fetched (``file:``, say)."""
    return ConnectionFailed(
        f"The address, or one it redirects to, cannot be used ({type(error).__name__}).", request=request
    )


def _stopped(request: str, *, maybe_done: bool) -> HastyError:
    """Return the error for a request that is not sent, or not again, because the call has ended."""
    if maybe_done:
        return OutcomeUnknown("The call was stopped before the request was tried again.", request=request)
    return HastyError("The call was stopped before the request was sent.", request=request)


def _is_final(error: Exception) -> bool:
    """Whether the same request will end in the same error: a bad address, redirects in circles, a bad certificate."""
    if isinstance(error, ValueError | requests.TooManyRedirects):
        return True
    return isinstance(_innermost(error), ssl.SSLCertVerificationError)


def _never_sent(error: Exception) -> bool:
    """Whether no byte of the request can have reached the server.

    Not so with every `SSLError`: encryption can fail after the request was sent, too.
    """
    if isinstance(error, requests.ConnectTimeout | requests.exceptions.ProxyError):
        return True
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    return isinstance(reason, urllib3.exceptions.NewConnectionError) or isinstance(
        _innermost(error), ssl.SSLCertVerificationError
    )


def _timed_out(error: Exception) -> bool:
    """Whether an answer, or the next piece of one, did not come in time."""
    return isinstance(error, requests.Timeout) or isinstance(_innermost(error), urllib3.exceptions.ReadTimeoutError)


def _innermost(error: BaseException) -> BaseException:
    """Return what an error wraps; the outer layers repeat the address with its query."""
    inner: BaseException | None = error
    while inner is not None:
        error = inner
        candidates = (getattr(error, "reason", None), *reversed(error.args))
        inner = next((part for part in candidates if isinstance(part, BaseException)), None)
    return error


def _cause(error: Exception) -> str:
    """Name the innermost cause in words."""
    inner = _innermost(error)
    if type(inner) is urllib3.exceptions.NewConnectionError:  # its children have words of their own
        return str(inner).rpartition("] ")[2].rpartition(": ")[2]
    for kind, words in _CAUSES.items():
        if isinstance(inner, kind):
            return words
    if isinstance(inner, OSError) and inner.strerror:
        return inner.strerror
    return type(inner).__name__


_CAUSES: Mapping[type[BaseException], str] = {
    urllib3.exceptions.NameResolutionError: "the name of the host is not known",
    urllib3.exceptions.ConnectTimeoutError: "it did not answer in time",
    urllib3.exceptions.ReadTimeoutError: "the next piece of the answer did not come in time",
    http.client.RemoteDisconnected: "the server closed the connection without an answer",
    http.client.IncompleteRead: "the answer was cut off",
    urllib3.exceptions.DecodeError: "the answer is not compressed as it says",
}


def _without_query(url: str) -> str:
    """Return an address without its query, which may be a signature, and without a password."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "(no address)"
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment=""))


_BY_STATUS: dict[int, tuple[type[HastyError], str]] = {
    400: (ValidationException, "The server refused the input."),
    401: (AuthenticationException, "The server does not know the API key. Check api_key= or HASTY_API_KEY."),
    402: (InsufficientCredits, "The account is out of credits. Top it up or ask its owner."),
    403: (AuthorisationException, "The API key may not do this. Ask the project's owner for the permission."),
    404: (NotFound, "There is no such thing on the server; it may have been deleted. Check the id."),
    429: (RateLimited, "The server kept asking to slow down. Wait a while, or use a smaller max_workers=."),
}


def _server_words(response: requests.Response) -> str:
    try:
        message = orjson.loads(response.content)["message"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return ""
    return str(message)[:2000]
