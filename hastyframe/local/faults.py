"""Misbehaviour on demand: answers that fail, break off or come late, so that clients can be tested against them."""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
import time
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field, fields
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self

from starlette.responses import HTMLResponse, Response
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from hastyframe.errors import ValidationException

from .http import answer

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["CuttableProtocol", "Faults", "Mischief"]

RATES = ("error_before", "error_after", "cut_before", "cut_after", "cut_answer", "slow", "too_many")
"""The kinds of fault that a request meets at random; it meets one of them at most."""
STATUSES = {"error_before": (500, 502, 503, 504), "error_after": (502, 504), "too_many": (429,)}
_KINDS = (*RATES, "")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
CUT = "hastyframe.cut"
"""The ASGI extension by which an application cuts its connection."""


@dataclass(frozen=True, kw_only=True)
class Faults:
    """How a server misbehaves: shares of the requests that meet each kind of fault, and what slows all of them.

    Parameters
    ----------
    error_before : float
        Share of requests answered 500, 502, 503 or 504 before anything is done.
    error_after : float
        Share answered 502 or 504 after they were carried out.
    cut_before : float
        Share whose connection is closed before anything is done.
    cut_after : float
        Share whose connection is closed after they were carried out, before any byte of the answer.
    cut_answer : float
        Share that are carried out and get half of the body that ``Content-Length`` promises. An answer without a body
        is cut before its first byte.
    slow : float
        Share that are carried out and answered `slow_seconds` later, if the client is still there.
    too_many : float
        Share answered 429 with ``Retry-After``, before anything is done.
    latency, jitter : float
        Seconds by which every request is delayed: `latency`, and up to `jitter` more, evenly spread.
    budget : float, optional
        Requests a second; those beyond it are answered 429 with ``Retry-After``. As many may come at once.
    slow_seconds : float
        Seconds by which slow answers are late.
    retry_after : int
        What ``Retry-After`` says, in whole seconds as HTTP has it, to the share `too_many`.
    methods : collection of str
        Whose requests the shares are of, as ``("POST", "PUT", "DELETE")``; all methods by default. `latency`, `jitter`
        and `budget` are for all requests whatever the method.
    seed : int
        Equal seeds give equal sequences: the n-th request that the shares are of meets the same fault. Which request
        is the n-th is up to the client; with many under way at once, the order of their arrival decides.

    Raises
    ------
    ValidationException
        If a value is out of its range, or the shares sum to more than 1.

    Examples
    --------
    >>> Faults(cut_after=0.1, error_before=0.1, methods=("POST",), seed=3).cut_after
    0.1
    >>> Faults(cut_after=0.8, slow=0.3)
    Traceback (most recent call last):
    hastyframe.errors.ValidationException: The shares of the faults sum to 1.1; together they can be 1 at most.
    """

    error_before: float = 0.0
    error_after: float = 0.0
    cut_before: float = 0.0
    cut_after: float = 0.0
    cut_answer: float = 0.0
    slow: float = 0.0
    too_many: float = 0.0
    latency: float = 0.0
    jitter: float = 0.0
    budget: float | None = None
    slow_seconds: float = 1.0
    retry_after: int = 1
    methods: Collection[str] = field(default=METHODS)
    seed: int = 0

    def __post_init__(self) -> None:
        for name in (*RATES, "latency", "jitter", "slow_seconds", "retry_after"):
            most = 1 if name in RATES else math.inf
            if not 0 <= getattr(self, name) <= most or math.isinf(getattr(self, name)):
                upto = "between 0 and 1" if name in RATES else "0 or more"
                raise ValidationException(f"{name} is {getattr(self, name)}; it must be {upto}.")
        if self.budget is not None and not 0 < self.budget < math.inf:
            raise ValidationException(f"budget is {self.budget}; it must be above 0, or None for no limit.")
        if self.retry_after != int(self.retry_after):
            raise ValidationException(f"retry_after is {self.retry_after}; HTTP has whole seconds there.")
        total = sum(getattr(self, name) for name in RATES)
        if total > 1 + 1e-9:  # shares such as 1/7 need not sum to 1 exactly
            raise ValidationException(f"The shares of the faults sum to {total:g}; together they can be 1 at most.")
        unknown = [self.methods] if isinstance(self.methods, str) else sorted(set(self.methods) - set(METHODS))
        if unknown or not self.methods:
            raise ValidationException(f"methods is {self.methods!r}; it must be some of {METHODS}.")

    @classmethod
    def everywhere(cls, rate: float, **options: Any) -> Self:
        """Spread one share of requests evenly over all kinds of fault that are not given a share of their own.

        Parameters
        ----------
        rate : float
            The share of requests that meet one of these faults.
        **options
            The other parameters, as `seed`, or a share of its own for a kind of fault.

        Examples
        --------
        >>> faults = Faults.everywhere(0.2, seed=3, slow=0)
        >>> round(faults.cut_after, 4), faults.slow
        (0.0333, 0)
        """
        kinds = [kind for kind in RATES if kind not in options]
        if not kinds:
            raise ValidationException("Every kind of fault has a share of its own: nothing is left to spread over.")
        shares: dict[str, Any] = dict.fromkeys(kinds, rate / len(kinds))
        return cls(**shares, **options)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read faults from one word of a command line.

        Parameters
        ----------
        text : str
            ``name=value`` with commas between, methods with ``+``; ``everywhere`` as in :meth:`everywhere`.

        Examples
        --------
        >>> Faults.parse("cut_after=0.05,methods=POST+PUT,seed=3") == Faults(
        ...     cut_after=0.05, methods=("POST", "PUT"), seed=3
        ... )
        True
        >>> Faults.parse("everywhere=0.2,seed=3") == Faults.everywhere(0.2, seed=3)
        True
        """
        readers: dict[str, Any] = {one.name: float for one in fields(cls)} | {
            "everywhere": float, "seed": int, "retry_after": int, "methods": lambda words: tuple(words.split("+"))
        }  # fmt: skip
        options: dict[str, Any] = {}
        for part in filter(None, (part.strip() for part in text.split(","))):
            name, _, value = part.partition("=")
            if name not in readers or name in options:
                said = "is there twice" if name in options else "is no fault"
                raise ValidationException(f"{name!r} {said}. Give name=value, of: {', '.join(readers)}.")
            try:
                options[name] = readers[name](value)
            except ValueError:
                raise ValidationException(f"{part!r} holds no number that {name} can be, as in {name}=1.") from None
        rate = options.pop("everywhere", None)
        return cls(**options) if rate is None else cls.everywhere(rate, **options)


class _Fates:
    """What the requests meet, one after the other, under one setting of faults."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self._random = random.Random(faults.seed)  # noqa: S311 (no secret)
        self._jitter = random.Random(faults.seed)  # noqa: S311 (of its own: requests of all methods draw from it)
        self._weights = [getattr(faults, kind) for kind in RATES]
        self._weights.append(max(0.0, 1 - sum(self._weights)))
        self._spent_until = 0.0

    def delay(self) -> float:
        """Return the seconds by which the next request is late."""
        return self.faults.latency + self._jitter.uniform(0, self.faults.jitter)

    def next(self, method: str) -> tuple[str, int]:
        """Return the kind of fault that the next request meets, empty for none, and the status it is answered with."""
        kind, status = "", 0
        if method in self.faults.methods:
            # All at once: what comes between two requests must not change what the second one draws.
            [kind] = self._random.choices(_KINDS, self._weights)
            status = self._random.choice(STATUSES.get(kind, (0,)))
        return ("over_budget", 429) if self._over_budget() else (kind, status)

    def _over_budget(self) -> bool:
        """Spend the budget on a request, if there is some left: a bucket that fills steadily and holds a second's."""
        if self.faults.budget is None:
            return False
        now, price = time.monotonic(), 1 / self.faults.budget
        spent_until = max(self._spent_until, now) + price
        if spent_until - now > max(1.0, price) + 1e-9:
            return True
        self._spent_until = spent_until
        return False

    def wait(self, kind: str) -> int:
        """Return what ``Retry-After`` says."""
        if kind == "too_many" or self.faults.budget is None:
            return int(self.faults.retry_after)
        return math.ceil(1 / self.faults.budget)  # the next one is paid for


class Mischief:
    """Stands between the connections and an application, and does what the faults say.

    Parameters
    ----------
    latency : float
        Seconds by which every request is delayed, whatever the faults are.
    faults : Faults, optional
        None is a server that behaves.

    Attributes
    ----------
    done : Counter of str
        How often each kind of fault was done.
    """

    def __init__(self, latency: float = 0.0, faults: Faults | None = None) -> None:
        self._latency = Faults(latency=latency).latency  # the same check
        self.faults = faults
        self.done: Counter[str] = Counter()

    @property
    def faults(self) -> Faults:
        """The faults in force; setting them begins their sequence anew."""
        return self._fates.faults

    @faults.setter
    def faults(self, faults: Faults | None) -> None:
        if not isinstance(faults, Faults | None):
            raise ValidationException(f"faults is {faults!r}; it must be Faults(...), or None for none.")
        self._fates = _Fates(faults or Faults())

    def around(self, app: ASGIApp) -> ASGIApp:
        """Return the application with the faults around it."""

        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            fates = self._fates
            kind, status = fates.next(scope["method"])
            if delay := self._latency + fates.delay():
                await asyncio.sleep(delay)
            if not kind:
                await app(scope, receive, send)
                return
            self.done[kind] += 1
            if kind == "cut_before":
                await _cut(scope, receive)
            elif kind == "error_before":
                await _failure(status)(scope, receive, send)
            elif status == 429:
                refusal = answer({"message": "too many requests"}, 429, {"Retry-After": str(fates.wait(kind))})
                await refusal(scope, receive, send)
            else:
                held = await _held(app, scope, receive)
                if kind == "error_after":
                    await _failure(status)(scope, receive, send)
                elif kind == "slow":
                    await _later(fates.faults.slow_seconds, held, receive, send)
                else:
                    await _broken_off(held if kind == "cut_answer" else [], scope, receive, send)

        return serve


async def _held(app: ASGIApp, scope: Scope, receive: Receive) -> list[Message]:
    """Let an application carry a request out, and hold its answer back."""
    messages: list[Message] = []

    async def hold(message: Message) -> None:
        messages.append(message)

    await app(scope, receive, hold)
    return messages


async def _later(seconds: float, messages: list[Message], receive: Receive, send: Send) -> None:
    """Send an answer late; not at all if the client gives up before."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await _gone(receive)
    for message in messages:
        await send(message)


async def _broken_off(messages: list[Message], scope: Scope, receive: Receive, send: Send) -> None:
    """Send the head of an answer and half of its body, if it has any, and cut the connection."""
    body = b"".join(message.get("body", b"") for message in messages)
    if body:
        await send(messages[0])
        await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
    await _cut(scope, receive)


def _failure(status: int) -> Response:
    """Return what a proxy answers on behalf of a server that fails."""
    return HTMLResponse(f"<html><body><h1>{status} {HTTPStatus(status).phrase}</h1></body></html>", status)


async def _cut(scope: Scope, receive: Receive) -> None:
    """Close a connection once what was sent is out, and wait until it is closed."""
    scope["extensions"][CUT]["close"]()
    await _gone(receive)


async def _gone(receive: Receive) -> None:
    """Wait until the connection is closed, by whichever side."""
    while (await receive())["type"] != "http.disconnect":
        pass


class CuttableProtocol(HttpToolsProtocol):
    """A connection that the application can cut: how stands among the extensions of the ASGI scope."""

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self.scope["extensions"] = {CUT: {"close": self.transport.close}}
