"""HTTP and nothing else: the session, retries, pages, parallel calls, signed addresses."""

from __future__ import annotations

import itertools
import math
import numbers
import os
import random
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias, TypeVar
from urllib.parse import urljoin
from weakref import WeakSet, WeakValueDictionary

import orjson
import requests

from .arguments import check_workers
from .errors import (
    AuthenticationException,
    HastyError,
    NotSent,
    OutcomeUnknown,
    SizeLimitError,
    UnexpectedAnswer,
    ValidationException,
)
from .http import pages
from .http.answers import Answer, TooLarge, is_packed, pieces, read_all, read_some
from .http.causes import NO_ANSWER, is_final, is_timeout, never_sent
from .http.key import ApiKey
from .http.outcomes import (
    NO_API,
    REDIRECTS,
    error_from_answer,
    error_from_exception,
    error_from_size,
    is_transient,
)
from .http.parts import Failures, Parts
from .http.wire import Wire
from .http.workers import RateGate, in_parallel
from .limits import DEFAULT_LIMITS, PAGE_SIZE, Limits
from .progress import bar as progress_bar
from .urls import check_path, without_query

__all__ = ["Listing", "Transport"]

T = TypeVar("T")
R = TypeVar("R")
Listing: TypeAlias = tuple[str, Mapping[str, Any] | None]
"""The path of a list and its query."""
Convert: TypeAlias = Callable[[int, list[dict[str, Any]]], R]
Read: TypeAlias = Callable[[requests.Response], bytes]

_KEY_HEADER = "X-Api-Key"
_HEADERS = {"User-Agent": "hastyframe", "Accept-Encoding": "gzip, deflate"}
_REPEATABLE = frozenset({"GET", "PUT", "PATCH", "DELETE"})
_MOST_REDIRECTS = 30
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
_MAX_RETRY_AFTER = 600.0
"""A server that asks to come back later than this, in seconds, is taken at its word: the call ends."""
_MAX_SETTLE_TIMEOUT = 10.0
_LONGEST_TIMEOUT = 86_400.0
_TIMES_TIMEOUT = 3
"""An answer of the API has to be whole after so many times the time-out, however steadily its pieces come."""
_TRIES_UNREACHED = 3
_TRIES_TIMEOUT = 3
_TRIES_LISTING = 3
_PAGES_AT_ONCE = 4_096
"""Further pages of lists that are asked for before it is looked at what came."""


class Transport:
    """Keep-alive connections to one API host, used by many threads.

    Parameters
    ----------
    api_key : str or ApiKey
        Goes into a header of requests to `base_url`, and nowhere else. None: it is looked up before the first request
        that needs it, in `key_file` or in ``HASTY_API_KEY``.
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
    limits : Limits
        How large an answer and a list may be, and how long a download may take.
    key_file : Path, optional
        Where another process finds the key: that of an embedded server, in its folder.

    Notes
    -----
    Each process has connections and caches of its own: what a child made by ``fork`` inherits it does not use. Where
    the transport is pickled, the key stays behind.

    What may be repeated: a request that never reached the server, one that was refused with 429, and, when the
    outcome is unknown (a broken connection, a time-out, 5xx, 408, 425, 499), one that does the same when done twice:
    GET, PUT, PATCH and DELETE. A POST of unknown outcome ends in :class:`~hastyframe.errors.OutcomeUnknown`.

    An answer is read in pieces, and no further than `limits` allows. It has to be whole after three times the time-out.
    """

    def __init__(
        self,
        api_key: str | ApiKey | None,
        base_url: str,
        *,
        max_workers: int = 16,
        timeout: float | tuple[float, float] = (10.0, 120.0),
        retries: int = 6,
        progress: bool = True,
        limits: Limits = DEFAULT_LIMITS,
        key_file: Path | None = None,
    ) -> None:
        api_key = api_key if isinstance(api_key, ApiKey | None) else ApiKey(api_key)  # before anything can raise
        self.base_url = base_url.rstrip("/")
        if problem := api_key and api_key.problem():
            raise ValidationException(problem)
        self._key = api_key
        self.key_file = key_file
        self.max_workers = check_workers(max_workers)
        self.timeout = _check_timeout(timeout)
        self.retries = retries
        self.progress = progress
        self.limits = _check_limits(limits)
        self._reached = False
        self._closed = False
        self._wires: list[Wire] = []
        self._start()
        self._token = uuid.uuid4().hex
        _of_process.add(self)
        _by_token[self._token] = self

    def _start(self) -> None:
        """Begin with connections, waits and caches of this process."""
        self._gate = RateGate()
        self._wires.append(Wire(self.max_workers))  # those of a parent stay: another thread may have held their locks
        self._cache: dict[Any, Any] = {}
        self.parts = Parts()

    @property
    def _wire(self) -> Wire:
        return self._wires[-1]

    @property
    def _api_key(self) -> ApiKey:
        if self._key is None:
            self._key = _found_key(self.base_url, self.key_file)
        return self._key

    def cached(self, key: Any, make: Callable[[], T]) -> T:
        """Return what all that talks through this transport shares in this process; made by who asks first."""
        found: T = self._cache.setdefault(key, make()) if key not in self._cache else self._cache[key]
        return found

    def __repr__(self) -> str:
        return f"Transport({self.base_url!r})"

    def __copy__(self) -> Transport:
        return self

    def __deepcopy__(self, memo: object) -> Transport:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        names = ("max_workers", "timeout", "retries", "progress", "limits", "key_file")
        return _restored, (self._token, self.base_url, {name: getattr(self, name) for name in names})

    def close(self) -> None:
        """Close the connections; a later request is refused."""
        self._closed = True
        self._wire.close()

    def check_open(self) -> None:
        """Refuse to go on after :meth:`close`.

        Raises
        ------
        ValidationException
            If this is closed.
        """
        if self._closed:
            raise ValidationException(
                f"This client of {self.base_url} is closed. Make a new one, as with hf.Client(), and get the project "
                "from it again."
            )

    # Requests to the API ----------------------------------------------------------------------------------------------

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        """GET JSON."""
        return self.request("GET", path, params=params)

    def post(self, path: str, body: Any, *, repeatable: bool = False, once: bool = False, writes: bool = True) -> Any:
        """POST JSON; `repeatable` where doing it twice is the same as once; the rest as for :meth:`request`."""
        return self.request("POST", path, body=body, repeatable=repeatable, once=once, writes=writes)

    def put(self, path: str, body: Any, *, once: bool = False) -> Any:
        """PUT JSON; `once` as for :meth:`request`."""
        return self.request("PUT", path, body=body, once=once)

    def patch(self, path: str, body: Any, *, once: bool = False) -> Any:
        """PATCH JSON; what is sent are absolute values, so it may be repeated; `once` as for :meth:`request`."""
        return self.request("PATCH", path, body=body, once=once)

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
        writes: bool = True,
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
        writes : bool
            Whether a request that is no GET changes anything.

        Returns
        -------
        object
            The JSON of the answer; None where it has no body.

        Raises
        ------
        HastyError
            One of its children, by what happened.
        """
        check_path(path)
        if writes and method != "GET":
            self.parts.clear()
        request = self._named(method, path)
        repeatable = repeatable or method in _REPEATABLE
        headers = {"Accept": "application/json"}
        data = None
        if body is not None:
            data = _dump(body, request)
            headers["Content-Type"] = "application/json"
        answer = self._send(
            method,
            self.base_url + path,
            lambda response: read_all(response, self.limits.answer_bytes),
            repeatable=repeatable,
            once=once,
            with_key=True,
            seconds=min(self.limits.seconds, _TIMES_TIMEOUT * self.timeout[1]),
            params=params,
            data=data,
            headers=headers,
        )
        if missing_is_done and method == "DELETE" and answer.may_have_applied and answer.status == 404:
            return None
        if not answer.is_success:
            raise error_from_answer(answer, request, repeatable=repeatable)
        return self._json(answer, request)

    # Requests to other hosts: never with the key ----------------------------------------------------------------------

    def upload(self, url: str, data: bytes, content_type: str = "") -> None:
        """PUT bytes to a signed address."""
        headers = {"Content-Type": content_type}
        answer = self._send("PUT", url, read_some, repeatable=True, data=data, headers=headers)
        if not answer.is_success:
            raise error_from_answer(answer, self._named("PUT", url), signed=True)

    def download(self, url: str, path: Path) -> None:
        """GET bytes from an address into a file, which is there whole or not at all.

        It may take `limits.seconds` in all. What comes compressed may unpack to `limits.unpacked_bytes`.
        """
        part = path.with_name(f"{uuid.uuid4().hex}.part")  # its own, whoever else fetches the same

        def read(response: requests.Response) -> bytes:
            most = self.limits.unpacked_bytes if is_packed(response) else math.inf
            with part.open("wb") as file:
                for piece in pieces(response, most):
                    file.write(piece)
            return b""

        try:
            answer = self._send("GET", url, read, repeatable=True, bound="unpacked_bytes")
            if not answer.is_success:
                raise error_from_answer(answer, self._named("GET", url), signed=True)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)

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
        failures: Failures | None = None,
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
        failures : Failures, optional
            Notes errors of single items, in whose place the result is None, instead of ending the call.

        Returns
        -------
        list
            The results. The first error ends the call, as Ctrl-C does: what has not begun is dropped, who waits for
            a retry stops waiting, and no further request is sent. What is under way is waited for; after Ctrl-C for
            a second at most.
        """
        items = list(items)
        results = {} if done is None else done
        if items:
            size = size or (lambda _: 1)
            with self.bar(desc, sum(map(size, items)), unit) as bar:
                step: Callable[[Any], Any] = lambda item: bar.update(size(item))  # noqa: E731
                if failures is None:
                    self._in_parallel(function, items, results, step, max_workers)
                else:
                    work: Any = failures.guard(function)
                    self._in_parallel(work, [*enumerate(items)], results, lambda task: step(task[1]), max_workers)
        return [results[position] for position in range(len(items))]

    def _in_parallel(
        self,
        function: Callable[[T], R],
        items: Sequence[T],
        done: dict[int, R],
        step: Callable[[T], Any],
        max_workers: int | None = None,
    ) -> None:
        self.check_open()
        workers = max_workers or self.max_workers
        in_parallel(function, items, count=len(items), workers=workers, gate=self._gate, done=done, step=step)

    @property
    def stopped(self) -> bool:
        """Whether the call that this thread works for has ended, so that nothing more is sent for it."""
        return self._gate.stopped

    def rest(self, seconds: float) -> None:
        """Wait; not longer than the call that this thread works for lasts."""
        if seconds > 0:
            self._gate.sleep(seconds)

    def rest_before(self, tries: int) -> None:
        """Wait before something is tried again that has been tried so often."""
        self.rest(_pause(tries))

    @property
    def settle_timeout(self) -> float:
        """Seconds after which a request without an answer is taken to have been carried out, if it ever will be."""
        return min(_MAX_SETTLE_TIMEOUT, self.timeout[1])

    def bar(self, desc: str | None, total: float | None, unit: str = "it") -> Any:
        """Return a progress bar; hidden for work of under a second, without `desc`, and with progress off."""
        shown = desc is not None and self.progress
        return progress_bar(total=total, desc=desc, unit=unit, miniters=1, shown=shown)

    def listing(self, path: str, params: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Return all items of a paged list."""
        [pages] = self.listings([(path, params)], lambda _, items: items)
        return list(itertools.chain.from_iterable(pages))

    def listings(
        self,
        requests: Sequence[Listing],
        convert: Convert[R],
        *,
        desc: str | None = None,
        unit: str = "it",
        failures: Failures | None = None,
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
        failures : Failures, optional
            Notes errors of single lists, of which nothing is returned, instead of ending the call.

        Returns
        -------
        list of list
            For each list, in order, what `convert` made of its pages, in order. Each item is in one of them.

        Raises
        ------
        UnexpectedAnswer
            If a list kept changing while it was read, so that a page may have missed something.
        SizeLimitError
            If a list has more items than `limits.rows`.
        """

        def read(task: tuple[int, int, int]) -> pages.Page[R]:
            number, offset, limit = task
            return self._page(requests[number], number, offset, limit, 1 if offset else 0, convert)

        def guarded(function: Callable[[Any], Any]) -> Callable[[tuple[int, Any]], Any]:
            return failures.guard(function) if failures is not None else lambda task: function(task[1])

        firsts = self.map(
            read, [(i, 0, PAGE_SIZE) for i in range(len(requests))], desc=desc, unit=unit, failures=failures
        )
        lists = {i: [first] for i, first in enumerate(firsts) if first is not None}
        read_one = guarded(read)
        self._read_further(lists, lambda task: read_one((task[0], task)), desc and f"{desc}, further pages")
        read_again = guarded(lambda number: self._read_again(requests[number], number, convert))
        lost = failures.found if failures is not None else {}
        for i, found in lists.items():
            if i not in lost and not pages.fit(found, 1):
                lists[i] = read_again((i, i)) or []
        return [[page.result for page in lists.get(i, ()) if i not in lost] for i in range(len(requests))]

    def _read_further(
        self,
        lists: dict[int, list[pages.Page[R]]],
        read: Callable[[tuple[int, int, int]], pages.Page[R] | None],
        desc: str | None,
    ) -> None:
        """Read the further pages of lists that begin with their first one, as far as pages come whole."""
        firsts = {i: found[0] for i, found in lists.items()}
        short: set[int] = set()
        # Not all at once: how many there are is what a stranger says.
        tasks = (
            (i, offset, first.size)
            for i, first in firsts.items()
            for offset in pages.offsets_after(first)
            if i not in short
        )
        with self.bar(desc, sum(len(pages.offsets_after(first)) for first in firsts.values()), "page") as bar:
            while some := list(itertools.islice(tasks, _PAGES_AT_ONCE)):
                found: dict[int, pages.Page[R] | None] = {}
                self._in_parallel(read, some, found, lambda _: bar.update(1))
                for position, (i, _, size) in enumerate(some):
                    page = found[position]
                    if page is None:
                        continue
                    lists[i].append(page)
                    if page.size < size and page.end != page.total:
                        short.add(i)

    def _read_again(self, request: Listing, number: int, convert: Convert[R]) -> list[pages.Page[R]]:
        """Read a list that changed while its pages were read, page after page, until it holds still."""
        before: list[pages.Page[R]] | None = None
        for tries in range(1, _TRIES_LISTING + 1):
            found, shared = self._read_in_turn(request, number, convert)
            fits = pages.fit(found, shared)
            # Pages of one item have none in common with the page before: then two readings have to agree.
            if fits and (shared or len(found) == 1 or (before is not None and pages.agree(before, found))):
                return found
            before = found if fits else None
            self._gate.sleep(_pause(tries))
        raise UnexpectedAnswer(
            f"The list kept changing while it was read, or the server does not heed offset=: {found[-1].end:,} items "
            f"came, {found[0].total:,} were announced, and the pages do not fit together. Read it again when nobody "
            "writes to it.",
            request=self._named("GET", request[0]),
        )

    def _read_in_turn(self, request: Listing, number: int, convert: Convert[R]) -> tuple[list[pages.Page[R]], int]:
        """Read a list page after page; return its pages and how many items each shares with the one before."""
        found = [self._page(request, number, 0, PAGE_SIZE, 0, convert)]
        total, shared = found[0].total, min(1, found[0].size - 1)
        while found[-1].size > (shared if len(found) > 1 else 0) and found[-1].total == total > found[-1].end:
            found.append(self._page(request, number, found[-1].end - shared, PAGE_SIZE, shared, convert))
        return found, shared

    def _page(
        self, request: Listing, number: int, offset: int, limit: int, shared: int, convert: Convert[R]
    ) -> pages.Page[R]:
        """Read a page, the first `shared` items of which are of the page before."""
        path, params = request
        read = pages.items_of(self.get(path, {**(params or {}), "offset": offset, "limit": limit}))
        if read is None:
            raise UnexpectedAnswer(f"The answer is not a page of a list. {NO_API}", request=self._named("GET", path))
        items, total = read
        if total > self.limits.rows:
            raise SizeLimitError(self._named("GET", path), f"a list of {total:,} items", "rows", self.limits.rows)
        return pages.make_page(items, shared, offset, total, convert(number, items[shared:]))

    # One request ------------------------------------------------------------------------------------------------------

    def _send(
        self,
        method: str,
        url: str,
        read: Read,
        *,
        repeatable: bool,
        once: bool = False,
        with_key: bool = False,
        seconds: float | None = None,
        bound: str = "answer_bytes",
        **parts: Any,
    ) -> Answer:
        """Send a request until it is answered or must not be repeated any more.

        Parameters
        ----------
        method, url : str
            What to send.
        read : callable
            Reads the body of an answer that says success.
        repeatable, once : bool
            As for :meth:`request`.
        with_key : bool
            Whether the key goes along.
        seconds : float, optional
            After which the answer must be whole; `limits.seconds` if not given.
        bound : str
            The name of the limit that `read` keeps.
        **parts
            Of the request: `params`, `data`, `headers`.
        """
        self.check_open()
        request = self._named(method, url)
        prepared = self._prepare(method, url, with_key, **parts)
        may_have_applied = False
        for tries in itertools.count(1):
            if once and self._gate.closed:
                raise NotSent("The server asked to slow down, so that the request was not sent.", request=request)
            self._gate.wait()
            if self._gate.stopped:
                raise _stopped(request, may_have_applied=may_have_applied)
            pause = _pause(tries)
            answer, error = self._try(prepared, read, seconds or self.limits.seconds, tries, may_have_applied)
            if isinstance(error, TooLarge):
                raise error_from_size(error, request, reads=method == "GET", limit=bound)
            if error is not None:
                if once or tries >= self._tries(error, repeatable=repeatable):
                    raise self._failure(error, request, url, repeatable=repeatable, tries=tries)
                may_have_applied |= not never_sent(error)
            elif answer is not None:
                retry_after = answer.retry_after
                if once and answer.status == 429:
                    self._gate.hold(max(pause, retry_after))
                again = answer.status == 429 or (repeatable and is_transient(answer.status))
                if once or not again or tries > self.retries or retry_after > _MAX_RETRY_AFTER:
                    return answer
                may_have_applied |= answer.status != 429
                pause = max(pause, retry_after)
                if answer.status == 429:
                    self._gate.hold(pause)
            self._gate.sleep(pause)
        raise AssertionError  # pragma: no cover

    def _prepare(self, method: str, url: str, with_key: bool, **parts: Any) -> requests.PreparedRequest:
        headers = _HEADERS | parts.pop("headers", {})
        try:
            prepared = requests.Request(method, url, headers=headers, **parts).prepare()
        except ValueError as error:
            failure = self._failure(error, self._named(method, url), url)
        else:
            if with_key:
                prepared.headers[_KEY_HEADER] = self._api_key  # type: ignore[assignment]  # the connection writes it
            return prepared
        raise failure

    def _failure(
        self, error: Exception, request: str, url: str, *, repeatable: bool = True, tries: int = 1
    ) -> HastyError:
        timeout = self.timeout[1]
        return error_from_exception(error, request, url=url, timeout=timeout, repeatable=repeatable, tries=tries)

    def _try(
        self, prepared: requests.PreparedRequest, read: Read, seconds: float, tries: int, may_have_applied: bool
    ) -> tuple[Answer | None, Exception | None]:
        """Send a request once; return the answer, or what it ended in instead."""
        try:
            with self._follow(prepared, seconds) as response:
                status, headers = response.status_code, response.headers
                self._reached = True
                answer = Answer(status, headers, b"", tries, may_have_applied, self._api_key)
                body = read(response) if answer.is_success else read_some(response)
                return replace(answer, body=body), None
        except (*NO_ANSWER, TooLarge) as error:
            return None, error

    def _follow(self, prepared: requests.PreparedRequest, seconds: float) -> requests.Response:
        """Send a request, and where a GET is redirected, go there; without the key as soon as the host is another one.

        A redirect of anything but a GET could turn into another request: it is an answer, and becomes an error.
        """
        until = time.monotonic() + seconds
        for _ in range(_MOST_REDIRECTS):
            response = self._wire.send(prepared, self.timeout, until - time.monotonic())
            place = response.headers.get("Location")
            if prepared.method != "GET" or response.status_code not in REDIRECTS or not place:
                return response
            with response:
                read_some(response)  # so that the connection can be used again
            following = requests.Request("GET", urljoin(str(prepared.url), place), headers=_HEADERS).prepare()
            if _KEY_HEADER in prepared.headers and self._wire.keeps_key(str(prepared.url), str(following.url)):
                following.headers.update(prepared.headers)
            prepared = following
        raise requests.TooManyRedirects(request=prepared)

    def _tries(self, error: Exception, *, repeatable: bool) -> int:
        """How often a request is tried that ends in this error."""
        unsent = never_sent(error)
        if is_final(error) or not (repeatable or unsent):
            return 1
        tries = self.retries + 1
        if not self._reached:  # an address that has never answered is more likely wrong than busy
            tries = min(tries, _TRIES_UNREACHED)
        return tries if unsent or not is_timeout(error) else min(tries, _TRIES_TIMEOUT)

    def _json(self, answer: Answer, request: str) -> Any:
        if not answer.body:
            return None
        try:
            return orjson.loads(answer.body)
        except orjson.JSONDecodeError:
            pass
        raise UnexpectedAnswer(
            f"The server answered something that is not JSON ({answer.content_type}): {answer.beginning!r}. {NO_API}",
            request=request,
            status=answer.status,
            request_id=answer.request_id,
        )

    def _named(self, method: str, url: str) -> str:
        """Name a request, for messages: without the signature of its address, and without the key."""
        return self._api_key.blot(f"{method} {without_query(url)}")


_of_process: WeakSet[Transport] = WeakSet()
_by_token: WeakValueDictionary[str, Transport] = WeakValueDictionary()


def _start_anew() -> None:
    for transport in list(_of_process):
        transport._start()


if hasattr(os, "register_at_fork"):
    # A socket that two processes read gives each the other's answers.
    os.register_at_fork(after_in_child=_start_anew)


def _restored(token: str, base_url: str, options: dict[str, Any]) -> Transport:
    """Return the transport that was pickled, if it lives in this process, else one like it."""
    found = _by_token.get(token)
    if found is None:
        found = Transport(None, base_url, **options)
        found._token = token
        _by_token[token] = found
    return found


def _found_key(base_url: str, key_file: Path | None) -> ApiKey:
    """Look up the key of a transport that was pickled without it."""
    key = None
    if key_file is not None and key_file.is_file():
        key = ApiKey(key_file.read_text().strip())
    elif os.environ.get("HASTY_API_KEY"):
        key = ApiKey(os.environ["HASTY_API_KEY"])
    if key is not None:
        if problem := key.problem():
            raise ValidationException(problem)
        return key
    raise AuthenticationException(
        f"This connection to {base_url} was stored without its API key, as it always is. Set the environment variable "
        "HASTY_API_KEY in this process, then try again."
    )


def _check_limits(limits: Any) -> Limits:
    if not isinstance(limits, Limits):
        raise ValidationException(f"limits is {limits!r}; it must be as hf.Limits(answer_bytes=1_000_000).")
    return limits


def _check_timeout(timeout: Any) -> tuple[float, float]:
    """Read a time-out as seconds to connect and seconds to read."""
    both = tuple(timeout) if isinstance(timeout, tuple | list) else (timeout, timeout)
    if len(both) != 2 or not all(map(_is_timeout, both)):
        raise ValidationException(
            f"timeout is {timeout!r}; it must be seconds, above 0 and up to a day, or a pair of them: to connect, and "
            "for each piece of an answer. A request without a time-out could hang for ever."
        )
    return float(both[0]), float(both[1])


def _is_timeout(seconds: Any) -> bool:
    if isinstance(seconds, bool) or not isinstance(seconds, numbers.Real):
        return False
    return 0 < float(seconds) <= _LONGEST_TIMEOUT


def _pause(tries: int) -> float:
    """Exponential backoff with full jitter above one half, so that workers do not come back all at once."""
    return min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** (tries - 1)) * random.uniform(0.5, 1.0)  # noqa: S311


def _dump(body: Any, request: str) -> bytes:
    try:
        return orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)
    except TypeError as error:
        raise ValidationException(f"This cannot be sent as JSON: {error}.", request=request) from None


def _stopped(request: str, *, may_have_applied: bool) -> HastyError:
    """Return the error for a request that is not sent, or not again, because the call has ended."""
    if may_have_applied:
        return OutcomeUnknown("The call was stopped before the request was tried again.", request=request)
    return HastyError("The call was stopped before the request was sent.", request=request)
