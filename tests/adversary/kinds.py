"""All kinds of fault between a client and a server: a new one is a few lines."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import cache
from typing import Any

from .proxy import Answer, Exchange, Fault

WRITES = ("POST", "PUT", "DELETE")
ALL = (*WRITES, "GET")
RATE = 0.35
HTML = b"<html><body><h1>Welcome to the network of the hotel</h1></body></html>"
AS_HTML = {"Content-Type": "text/html"}


@dataclass(frozen=True)
class Kind:
    """A kind of fault.

    Attributes
    ----------
    name : str
        What happens.
    fault : callable
        Does it.
    methods : tuple of str
        Whose requests for labels meet it.
    sure : bool
        Whether a client sees a doubt, and so can tell what became of each row. Without, only reading everything back
        can tell.
    rate : float
        The share of requests that meet it.
    patience : float
        How long a client should wait for an answer, so that the test need not.
    """

    name: str
    fault: Fault
    methods: tuple[str, ...]
    sure: bool = True
    rate: float = RATE
    patience: float = 10.0


KINDS: dict[str, Kind] = {}


def kind(name: str, *methods: str, **options: Any) -> Callable[[Fault], Fault]:
    """Register the decorated function as a fault; by default all writes meet it."""

    def register(fault: Fault) -> Fault:
        assert name not in KINDS
        KINDS[name] = Kind(name, fault, methods or WRITES, **options)
        return fault

    return register


def altered(name: str, *methods: str, **options: Any) -> Callable[[Callable[[Any, Exchange], Any]], None]:
    """Register a function that alters the items of an answer, after the request was carried out."""

    def register(alter: Callable[[Any, Exchange], Any]) -> None:
        @kind(name, *(methods or ("POST", "PUT")), **options)
        def fault(x: Exchange) -> None:
            answer = x.deliver()
            if answer.good and answer.body:
                content = answer.json()
                answer = answer.with_json({**content, "items": alter(content["items"], x)})
            x.answer(answer)

    return register


# Delivered more than once, in part, or late ---------------------------------------------------------------------------


@kind("delivered twice", sure=False)
def twice(x: Exchange) -> None:
    first = x.deliver()
    x.deliver()
    x.answer(first)


@kind("delivered twice, the second one answered", sure=False)
def twice_second(x: Exchange) -> None:
    x.deliver()
    x.answer(x.deliver())


@kind("delivered twice at once", sure=False)
def twice_at_once(x: Exchange) -> None:
    other = threading.Thread(target=x.deliver)
    other.start()
    answer = x.deliver()
    other.join()
    x.answer(answer)


@kind("delivered again after the client has looked", sure=False)
def again_after_a_look(x: Exchange) -> None:
    x.answer(x.deliver())
    x.once_looked()


@kind("delivered again at the end", sure=False)
def again_at_the_end(x: Exchange) -> None:
    x.answer(x.deliver())
    x.at_the_end()


@kind("delivered twice, then cut")
def twice_then_cut(x: Exchange) -> None:
    x.deliver()
    x.deliver()
    x.cut()


def half(x: Exchange) -> Answer:
    body = x.request.json()
    return x.deliver(body[: (len(body) + 1) // 2])


@kind("half a batch, then 502")
def half_502(x: Exchange) -> None:
    half(x)
    x.say(502, HTML, AS_HTML)


@kind("half a batch, then cut")
def half_cut(x: Exchange) -> None:
    half(x)
    x.cut()


@kind("half a batch, and its answer", "POST", "PUT")
def half_answered(x: Exchange) -> None:
    x.answer(half(x))


@kind("half a batch, and the answer to a whole one", "DELETE", sure=False)
def half_deleted(x: Exchange) -> None:
    x.answer(half(x))


@kind("half a batch, then 400", sure=False)
def half_400(x: Exchange) -> None:
    half(x)
    x.say(400, {"message": "[7].bbox: it is too large"})


@kind("half a batch, then 404", "PUT", "DELETE")
def half_404(x: Exchange) -> None:
    half(x)
    x.say(404, {"message": "[7].id: there is no such label"})


@kind("504, carried out after the client has looked")
def late_504(x: Exchange) -> None:
    x.once_looked()
    x.say(504, HTML, AS_HTML)


@kind("cut, carried out after the client has looked")
def late_cut(x: Exchange) -> None:
    x.once_looked()
    x.cut()


@kind("no answer, carried out after the client has looked", patience=0.6, rate=0.15)
def late_stall(x: Exchange) -> None:
    x.once_looked()
    x.stall()


@kind("504, carried out at the end", sure=False)
def very_late(x: Exchange) -> None:
    x.at_the_end()
    x.say(504, HTML, AS_HTML)


# Another request's answer ---------------------------------------------------------------------------------------------


def older(x: Exchange, *, here: bool) -> Answer | None:
    """An answer to an earlier request of the same method, to the same image or to others."""
    memory = x.proxy.memory
    found = [a for (m, p), answers in list(memory.items()) if m == x.request.method for a in answers
             if (p == x.request.path) is here]  # fmt: skip
    return x.random.choice(found) if found else None


@kind("the answer of an earlier request to the image, carried out")
def older_answer(x: Exchange) -> None:
    remembered = older(x, here=True)
    answer = x.deliver()
    x.answer(remembered or answer)


@kind("the answer of an earlier request to the image, not carried out", "POST", "PUT")
def older_answer_only(x: Exchange) -> None:
    remembered = older(x, here=True)
    if remembered is not None:
        x.answer(remembered)


@kind("the answer of another image, carried out", "POST", "PUT")
def other_image(x: Exchange) -> None:
    remembered = older(x, here=False)
    answer = x.deliver()
    x.answer(remembered or answer)


@kind("the answer of another image, not carried out", "POST", "PUT")
def other_image_only(x: Exchange) -> None:
    remembered = older(x, here=False)
    if remembered is not None:
        x.answer(remembered)


@kind("another client's answer, of equal labels elsewhere", "POST")
def other_client(x: Exchange) -> None:
    x.answer(x.deliver(path=x.proxy.elsewhere(x.request.path)))


@kind("another client's answer, of equal labels elsewhere that claim to be here", "POST", sure=False)
def other_client_here(x: Exchange) -> None:
    answer = x.deliver(path=x.proxy.elsewhere(x.request.path))
    here = x.request.path.split("/")[-2]
    x.answer(answer.with_json({"items": [item | {"image_id": here} for item in answer.json()["items"]]}))


# Answers that make no sense -------------------------------------------------------------------------------------------

for what, body in {
    "nothing": b"", "null": b"null", "{}": b"{}", "[]": b"[]", "a number": b"7", "a text": b'"done"',
    "items null": b'{"items": null}', "items of nulls": b'{"items": [null, null]}', "no items": b'{"items": []}',
    "another thing": b'{"id": "5", "name": "coin", "color": "#ff0000ff", "type": "object"}',
    "half of JSON": b'{"items": [{"id"',
}.items():  # fmt: skip

    @kind(f"200 with {what}, carried out", *ALL)
    def sense(x: Exchange, body: bytes = body) -> None:
        x.deliver()
        x.say(200, body)

    if what in ("nothing", "null", "another thing"):

        @kind(f"201 with {what}, not carried out", "POST", "PUT")
        def nonsense(x: Exchange, body: bytes = body) -> None:
            x.say(201, body)


@kind("a page of HTML with 200, carried out", *ALL)
def html_after(x: Exchange) -> None:
    x.deliver()
    x.say(200, HTML, AS_HTML)


@kind("a page of HTML with 200, not carried out", "POST", "PUT")
def html_before(x: Exchange) -> None:
    x.say(200, HTML, AS_HTML)


@kind("204, not carried out", "POST", "PUT")
def no_content(x: Exchange) -> None:
    x.answer(Answer(204))


@kind("204, not carried out, to a delete", "DELETE", sure=False)
def not_deleted(x: Exchange) -> None:
    x.answer(Answer(204))


@kind("202, not carried out", "POST", "PUT")
def accepted(x: Exchange) -> None:
    x.say(202, {"message": "it will be done some time"})


@altered("the items in another order")
def _(items: list[Any], x: Exchange) -> Any:
    return x.random.sample(items, len(items))


@altered("the first item in the place of all")
def _(items: list[Any], x: Exchange) -> Any:
    return items[:1] * len(items)


@altered("one item twice, one not at all")
def _(items: list[Any], x: Exchange) -> Any:
    return [items[0], *items[:-1]]


@altered("ids that are null")
def _(items: list[Any], x: Exchange) -> Any:
    return [item | {"id": None} for item in items]


@altered("one id that is null")
def _(items: list[Any], x: Exchange) -> Any:
    return [item | {"id": item["id"] if n else None} for n, item in enumerate(items)]


@altered("no ids")
def _(items: list[Any], x: Exchange) -> Any:
    return [{k: v for k, v in item.items() if k != "id"} for item in items]


@altered("ids that are numbers")
def _(items: list[Any], x: Exchange) -> Any:
    return [item | {"id": n} for n, item in enumerate(items)]


@altered("ids that were made up", "POST", sure=False)
def _(items: list[Any], x: Exchange) -> Any:
    return [item | {"id": f"{x.random.getrandbits(128):032x}"} for item in items]


@altered("ids of two items exchanged", "POST", sure=False)
def _(items: list[Any], x: Exchange) -> Any:
    ids = [item["id"] for item in items]
    return [item | {"id": id_} for item, id_ in zip(items, [*ids[1:], ids[0]], strict=True)]


@altered("ids of labels that were there before", "POST")
def _(items: list[Any], x: Exchange) -> Any:
    new = {item["id"] for item in items}
    there = [item["id"] for item in x.there() if item["id"] not in new]
    return [item | {"id": old} for item, old in zip(items, there, strict=False)] + items[len(there) :]


@altered("an item less")
def _(items: list[Any], x: Exchange) -> Any:
    return items[:-1]


@altered("an item more")
def _(items: list[Any], x: Exchange) -> Any:
    return [*items, items[-1]]


@altered("ids of images exchanged")
def _(items: list[Any], x: Exchange) -> Any:
    return [item | {"image_id": "00000000-0000-4000-8000-000000000000"} for item in items]


@altered("other ids in the answer to an edit", "PUT")
def _(items: list[Any], x: Exchange) -> Any:
    return [item | {"id": f"{x.random.getrandbits(128):032x}"} for item in items]


@altered("contents that were changed")
def _(items: list[Any], x: Exchange) -> Any:
    return [item | {"z_index": (item["z_index"] or 0) + 1} for item in items]


@altered("contents of two items exchanged")
def _(items: list[Any], x: Exchange) -> Any:
    return [other | {"id": item["id"]} for item, other in zip(items, [*items[1:], items[0]], strict=True)]


# Statuses -------------------------------------------------------------------------------------------------------------

for status in (301, 302, 303, 307, 308):

    @kind(f"{status} to the same address", *ALL)
    def redirect(x: Exchange, status: int = status) -> None:
        x.say(status, None, {"Location": x.request.target})


@kind("302 to another host", *ALL)
def redirect_away(x: Exchange) -> None:
    x.say(302, None, {"Location": f"http://localhost:{x.proxy.port}{x.request.target}"})


@kind("307 to another host, carried out")
def redirect_after(x: Exchange) -> None:
    x.deliver()
    x.say(307, None, {"Location": f"http://localhost:{x.proxy.port}{x.request.target}"})


for status in (400, 401, 402, 403, 404, 405, 409, 413, 422):

    @kind(f"{status} for a good request", *ALL)
    def refused(x: Exchange, status: int = status) -> None:
        x.say(status, {"message": "no"})


for status in (408, 425, 499, 500, 502, 503, 504, 520, 524):

    @kind(f"{status}, not carried out", *ALL)
    def trouble_before(x: Exchange, status: int = status) -> None:
        x.say(status, HTML, AS_HTML)

    @kind(f"{status}, carried out")
    def trouble_after(x: Exchange, status: int = status) -> None:
        x.deliver()
        x.say(status, HTML, AS_HTML)


for status in (400, 403, 409):

    @kind(f"{status}, carried out", sure=False)
    def refused_after(x: Exchange, status: int = status) -> None:
        x.deliver()
        x.say(status, {"message": "no"})


@kind("429 until a date", *ALL, rate=0.1)
def slow_down_until(x: Exchange) -> None:
    x.say(429, {"message": "slow down"}, {"Retry-After": format_datetime(datetime.now(UTC), usegmt=True)})


@kind("429 without a word", *ALL)
def slow_down(x: Exchange) -> None:
    x.say(429)


@kind("429, carried out", sure=False)
def slow_down_after(x: Exchange) -> None:
    x.deliver()
    x.say(429, {"message": "slow down"}, {"Retry-After": "0"})


# Connections ----------------------------------------------------------------------------------------------------------


@kind("cut, not carried out", *ALL)
def cut_before(x: Exchange) -> None:
    x.cut()


@kind("cut, carried out")
def cut_after(x: Exchange) -> None:
    x.deliver()
    x.cut()


@kind("reset, not carried out", *ALL)
def reset_before(x: Exchange) -> None:
    x.reset()


@kind("reset, carried out")
def reset_after(x: Exchange) -> None:
    x.deliver()
    x.reset()


@kind("cut in the status line", *ALL)
def cut_in_status(x: Exchange) -> None:
    x.raw(x.deliver().head[:11])
    x.cut()


@kind("cut in the headers", *ALL)
def cut_in_headers(x: Exchange) -> None:
    head = x.deliver().head
    x.raw(head[: len(head) // 2])
    x.cut()


@kind("cut in the body", *ALL)
def cut_in_body(x: Exchange) -> None:
    answer = x.deliver()
    x.raw(answer.head + answer.body[: len(answer.body) // 2])
    x.cut()


@kind("cut in a body of chunks", "POST", "PUT", "GET")
def cut_in_chunks(x: Exchange) -> None:
    answer = x.deliver()
    some = answer.body[: len(answer.body) // 2]
    head = f"HTTP/1.1 {answer.status} OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    x.raw(head.encode() + f"{len(some):x}\r\n".encode() + some + b"\r\n")
    x.cut()


@kind("no answer, not carried out", *ALL, patience=0.6, rate=0.1)
def stall_before(x: Exchange) -> None:
    x.stall()


@kind("no answer, carried out", patience=0.6, rate=0.1)
def stall_after(x: Exchange) -> None:
    x.deliver()
    x.stall()


@kind("half an answer, then nothing", *ALL, patience=0.6, rate=0.1)
def stall_in_body(x: Exchange) -> None:
    answer = x.deliver()
    x.raw(answer.head + answer.body[: len(answer.body) // 2])
    x.stall()


@kind("in drips", *ALL, rate=0.15)
def drip(x: Exchange) -> None:
    answer = x.deliver()
    data = answer.head + answer.body
    step = len(data) // 12 + 1
    for start in range(0, len(data), step):
        x.raw(data[start : start + step])
        time.sleep(0.005)


@kind("a Content-Length that is too small", "POST", "PUT", "GET")
def too_short(x: Exchange) -> None:
    answer = x.deliver()
    x.answer(replace(answer, length=len(answer.body) // 2))


@kind("a Content-Length that is too large", "POST", "PUT", "GET")
def too_long(x: Exchange) -> None:
    answer = x.deliver()
    x.answer(replace(answer, length=len(answer.body) + 9))
    x.cut()


@kind("a Content-Encoding that is a lie", "POST", "PUT", "GET")
def not_gzip(x: Exchange) -> None:
    answer = x.deliver()
    x.answer(replace(answer, headers={**answer.headers, "Content-Encoding": "gzip"}))


@cache
def bomb() -> bytes:
    return gzip.compress(bytes(2**22), 9)


@kind("a bomb of gzip", "POST", "PUT", "GET", rate=0.1)
def gzip_bomb(x: Exchange) -> None:
    x.deliver()
    x.say(200, bomb(), {"Content-Encoding": "gzip"})


@kind("closed as the next request goes out", *ALL)
def closed_on_next(x: Exchange) -> None:
    x.answer(x.deliver())
    x.closes_on_next = True


@kind("no HTTP at all", *ALL)
def no_http(x: Exchange) -> None:
    x.deliver()
    x.raw(b"SSH-2.0-OpenSSH_9.6\r\n")
    x.cut()


# Lists ----------------------------------------------------------------------------------------------------------------


@kind("a list from before the last write", "GET", sure=False)
def stale(x: Exchange) -> None:
    known = x.proxy.pages.get(x.request.target)
    x.deliver()
    if known:
        x.answer(known[0])


@kind("a list that shifts between its pages", "GET", rate=0.7)
def shifting(x: Exchange) -> None:
    if x.request.query.get("offset", "0") != "0":
        x.proxy.meddle(x.request.path)


@kind("an offset that is ignored", "GET", rate=0.7)
def no_offset(x: Exchange) -> None:
    answer = x.deliver()
    content = answer.json()
    x.answer(answer.with_json({**content, "items": x.there()[: len(content["items"])]}))


@kind("pages in another order", "GET", rate=0.5)
def no_order(x: Exchange) -> None:
    answer, query = x.deliver(), x.request.query
    items = x.there()
    x.random.shuffle(items)
    start = int(query.get("offset", 0))
    x.answer(answer.with_json({**answer.json(), "items": items[start : start + int(query.get("limit", 100))]}))


def lying(x: Exchange, by: int) -> None:
    answer = x.deliver()
    content: dict[str, Any] = answer.json()
    content["meta"]["total"] = max(0, content["meta"]["total"] + by)
    x.answer(answer.with_json(content))


@kind("a total that is too large", "GET")
def total_large(x: Exchange) -> None:
    lying(x, 3)


@kind("a total that is too small", "GET")
def total_small(x: Exchange) -> None:
    lying(x, -3)


@altered("a page with an item twice", "GET")
def _(items: list[Any], x: Exchange) -> Any:
    return [*items[:-1], items[0]] if len(items) > 1 else items


@altered("a page with an item less", "GET")
def _(items: list[Any], x: Exchange) -> Any:
    return items[:-1]


@altered("a page without ids", "GET")
def _(items: list[Any], x: Exchange) -> Any:
    return [{k: v for k, v in item.items() if k != "id"} for item in items]


@altered("a page of another image", "GET")
def _(items: list[Any], x: Exchange) -> Any:
    return x.proxy.items(x.proxy.elsewhere(x.request.path))[: len(items)]


def faults_of(chosen: Kind, verbs: Sequence[str]) -> dict[str, tuple[Fault, float]]:
    """What meets each method, where `verbs` are written; what is only read badly is read because writes break off."""
    faults = dict.fromkeys(chosen.methods, (chosen.fault, chosen.rate))
    if not set(chosen.methods) & set(verbs):
        faults |= dict.fromkeys(verbs, (cut_after, 0.5))
    return faults
