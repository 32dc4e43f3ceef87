"""Answers that say nothing certain, are too large, too slow, or odd."""

from __future__ import annotations

import gzip
import socket
import subprocess
import sys
import textwrap
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email.utils import formatdate

import pytest
from servers import Answer, Server, in_turn, serve

import hastyframe as hf
from hastyframe import Limits, errors, transport
from hastyframe.transport import Transport

GZIP = {"Content-Encoding": "gzip"}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(transport, "_FIRST_PAUSE", 0.002)
    monkeypatch.setattr(transport, "_LONGEST_PAUSE", 0.02)


def connect(server: Server, **options) -> Transport:
    return Transport("the-key", server.url, **{"progress": False, "max_workers": 4, "timeout": 5.0, **options})


@contextmanager
def raw(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """Run a server that answers each connection's first request with whatever bytes a function sends."""
    listener = socket.create_server(("127.0.0.1", 0))

    def one(client: socket.socket) -> None:
        with client, suppress(OSError):
            client.recv(1 << 16)
            answer(client)

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=one, args=(listener.accept()[0],), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


# Statuses -------------------------------------------------------------------------------------------------------------

DOUBTS = [408, 425, 460, 499, 500, 502, 503, 504, 520, 522, 524, 530, 598, 599]


@pytest.mark.parametrize("status", [*DOUBTS, 501, 505, 600, 999])
def test_a_post_that_may_have_been_done_is_in_doubt(status):
    with serve(lambda seen: Answer(status, {"message": "no"})) as server:
        with pytest.raises(errors.OutcomeUnknown) as caught:
            connect(server).post("/v1/x", {})
        assert len(server.seen) == 1
        assert caught.value.status == status


@pytest.mark.parametrize("status", DOUBTS)
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_what_may_be_done_twice_is_repeated_after_it(method, status):
    with serve(in_turn(Answer(status), Answer(status), {"value": 1})) as server:
        assert connect(server).request(method, "/v1/x", body={}) == {"value": 1}
        assert len(server.seen) == 3


@pytest.mark.parametrize("status", [408, 425, 499, 524])
@pytest.mark.parametrize("once", [False, True])
def test_it_ends_in_an_error_of_the_server(status, once):
    with serve(lambda seen: Answer(status)) as server:
        with pytest.raises(errors.ServerError, match=str(status)):
            connect(server, retries=2).put("/v1/x", {}, once=once)
        assert len(server.seen) == (1 if once else 3)


def test_a_delete_that_finds_nothing_after_a_doubt_has_succeeded():
    with serve(in_turn(Answer(499), Answer(404))) as server:
        assert connect(server).delete("/v1/x") is None


@pytest.mark.parametrize("status", [501, 505, 511])
def test_troubles_that_stay_are_not_tried_again(status):
    with serve(lambda seen: Answer(status)) as server:
        with pytest.raises(errors.ServerError):
            connect(server).get("/v1/x")
        assert len(server.seen) == 1


@pytest.mark.parametrize("status", [409, 410, 413, 415, 418, 421, 422, 423, 451])
def test_refusals_stay_refusals(status):
    with serve(lambda seen: Answer(status)) as server:
        with pytest.raises(errors.ValidationException, match=str(status)):
            connect(server).post("/v1/x", {})
        assert len(server.seen) == 1


@pytest.mark.parametrize("status", [200, 201, 202, 203, 299])
def test_successes(status):
    with serve(lambda seen: Answer(status, {"value": 1})) as server:
        assert connect(server).post("/v1/x", {}) == {"value": 1}


@pytest.mark.parametrize("status", [206, 207, 208, 226, 300, 304, 305, 399])
def test_what_says_that_a_part_was_done_is_no_success(status):
    with serve(lambda seen: Answer(status, {"value": 1})) as server:
        with pytest.raises(errors.UnexpectedAnswer, match=str(status)):
            connect(server).post("/v1/x", {})
        assert len(server.seen) == 1


def test_an_interim_answer_is_passed_over_and_does_not_shift_answers():
    """Else the answer that follows it would be taken for that of the next request on the connection."""

    def answer(client: socket.socket) -> None:
        for number in range(3):
            client.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n")
            time.sleep(0.02)
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + str(number).encode())
            client.recv(1 << 16)

    with raw(answer) as url:
        one = Transport("the-key", url, progress=False)
        assert [one.post("/v1/x", {}) for _ in range(3)] == [0, 1, 2]
        one.close()


@pytest.mark.parametrize("status", [429, 503])
def test_a_date_to_come_back_at_is_obeyed(status):
    wish = formatdate(time.time() + 2, usegmt=True)
    with serve(in_turn(Answer(status, headers={"Retry-After": wish}), {})) as server:
        connect(server).put("/v1/x", {})
        first, second = (seen.at for seen in server.seen)
    assert second - first >= 0.9


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    "wish", ["Wed, 31 Dec 1969 23:59:59 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Mon, 99", "\u00e9"]
)
def test_a_date_that_has_passed_or_is_none_does_no_harm(status, wish):
    answer = Answer(status, headers={"Retry-After": wish})
    with serve(in_turn(answer, {"value": 1})) as server:
        assert connect(server).get("/v1/x") == {"value": 1}


# Sizes ----------------------------------------------------------------------------------------------------------------


def bomb(kind: str, size: int) -> Answer:
    """Return an answer that unpacks to `size` bytes."""
    pieces = [b'"'] + [b" " * (1 << 20)] * (size >> 20) + [b'"']
    if kind == "plain":
        return Answer(200, b"".join(pieces))
    packer = zlib.compressobj(9, wbits={"gzip": 31, "deflate": 15, "bare": -15, "members": 31}[kind])
    body = b"".join([*map(packer.compress, pieces), packer.flush()])
    if kind == "members":
        body = gzip.compress(b'"') + body * 2
    return Answer(200, body, {"Content-Encoding": "deflate" if kind in ("deflate", "bare") else "gzip"})


@pytest.mark.parametrize("kind", ["plain", "gzip", "deflate", "bare", "members"])
def test_an_answer_that_is_too_large_is_refused(kind):
    answer = bomb(kind, 8 << 20)
    with serve(lambda seen: answer) as server:
        one = connect(server, limits=Limits(answer_bytes=1 << 20))
        with pytest.raises(errors.SizeLimitError, match="answer_bytes") as caught:
            one.get("/v1/x")
        assert len(server.seen) == 1
        assert "/v1/x" in str(caught.value)
        for method in ("POST", "PUT", "DELETE"):
            with pytest.raises(errors.OutcomeUnknown, match="too large"):
                one.request(method, "/v1/x", body={})


@pytest.mark.parametrize("kind", ["gzip", "deflate", "bare"])
def test_packed_answers_are_read_as_they_are(kind):
    content = b'{"value": "' + bytes(range(65, 90)) * 20_000 + b'"}'
    packer = zlib.compressobj(wbits={"gzip": 31, "deflate": 15, "bare": -15}[kind])
    body = packer.compress(content) + packer.flush()
    headers = {"Content-Encoding": "GZip" if kind == "gzip" else "deflate"}
    with serve(lambda seen: Answer(200, body, headers)) as server:
        assert len(connect(server).get("/v1/x")["value"]) == 25 * 20_000
        with pytest.raises(errors.ConnectionFailed, match="compressed"):
            server.handle = lambda seen: Answer(200, body[:-9], headers)
            connect(server, retries=0).get("/v1/x")


def test_members_of_gzip_follow_each_other():
    body = gzip.compress(b'{"a"') + gzip.compress(b": 1}") + b"\0" * 20
    with serve(lambda seen: Answer(200, body, GZIP)) as server:
        assert connect(server).get("/v1/x") == {"a": 1}


@pytest.mark.parametrize("body", [b"[[]" + b",[]" * 100_000 + b"]", b"[{}" + b",{}" * 100_000 + b"]"])
def test_an_answer_of_very_many_lists_or_objects_is_refused(body):
    with serve(lambda seen: Answer(200, body)) as server:
        with pytest.raises(errors.SizeLimitError, match="100,002 lists and objects"):
            connect(server, limits=Limits(answer_bytes=1 << 20)).get("/v1/x")
        assert len(connect(server).get("/v1/x")) == 100_001


@pytest.mark.parametrize("status", [400, 404, 500])
def test_only_the_beginning_of_an_error_page_is_read(status):
    answer = bomb("gzip", 64 << 20)
    with serve(lambda seen: Answer(status, answer.body, GZIP)) as server, pytest.raises(errors.HastyError) as caught:
        connect(server, retries=0).get("/v1/x")
    assert caught.value.status == status


def test_a_download_may_be_large_and_not_unpack_to_more_than_it_may(tmp_path):
    plain, packed = bomb("plain", 4 << 20), bomb("gzip", 4 << 20)
    with serve(lambda seen: plain if seen.path == "/plain" else packed) as server:
        one = connect(server, limits=Limits(unpacked_bytes=1 << 20))
        one.download(f"{server.url}/plain", tmp_path / "a")
        assert (tmp_path / "a").stat().st_size == len(plain.body)
        with pytest.raises(errors.SizeLimitError, match="unpacked_bytes"):
            one.download(f"{server.url}/packed", tmp_path / "b")
        connect(server).download(f"{server.url}/packed", tmp_path / "c")
        assert (tmp_path / "c").read_bytes() == plain.body
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "c"]


MEMORY = """
import resource, sys
from hastyframe import errors
from hastyframe.transport import Transport
one = Transport("the-key", sys.argv[1], progress=False, retries=0)
one.get("/v1/small")
pages = int(open("/proc/self/statm").read().split()[0])
limit = pages * resource.getpagesize() + (1 << 30)
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
for path in sys.argv[2:]:
    try:
        one.get(path)
    except errors.HastyError as error:
        print(type(error).__name__)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of the address space are Linux's")
def test_hostile_answers_take_less_than_a_gibibyte():
    packed = gzip.compress(b" " * (1 << 25)) * 100  # three gibibytes
    lists = b"[[]" + b",[]" * ((1 << 26) // 3 - 10) + b"]"
    answers = {
        "/v1/small": Answer(200, {}),
        "/v1/gzip": Answer(200, packed, GZIP),
        "/v1/page": Answer(500, packed, GZIP),
        "/v1/twice": Answer(200, gzip.compress(packed), {"Content-Encoding": "gzip, gzip"}),
        "/v1/away": Answer(302, packed, GZIP | {"Location": "/v1/gzip"}),
        "/v1/lists": Answer(200, gzip.compress(lists, 1), GZIP),
    }
    with serve(lambda seen: answers[seen.path]) as server:
        paths = ["/v1/gzip", "/v1/page", "/v1/twice", "/v1/away", "/v1/lists"]
        command = [sys.executable, "-c", textwrap.dedent(MEMORY), server.url, *paths]
        run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert run.stdout.split() == [
        "SizeLimitError",
        "ServerError",
        "UnexpectedAnswer",
        "SizeLimitError",
        "SizeLimitError",
    ], run.stderr


# Time -----------------------------------------------------------------------------------------------------------------


def drip(before: bytes, piece: bytes) -> Callable[[socket.socket], None]:
    def answer(client: socket.socket) -> None:
        client.sendall(before)
        for _ in range(600):
            client.sendall(piece)
            time.sleep(0.02)

    return answer


DRIPS = {
    "body": drip(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b" "),
    "chunks": drip(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "until closed": drip(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", b" "),
    "headers": drip(b"HTTP/1.1 200 OK\r\nX-A: ", b"a"),
    "interim": drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "error page": drip(b"HTTP/1.1 400 No\r\nContent-Length: 100000\r\n\r\n", b" "),
}


@pytest.mark.parametrize("kind", DRIPS)
def test_an_answer_that_drips_ends(kind):
    with raw(DRIPS[kind]) as url:
        one = Transport("the-key", url, progress=False, timeout=0.1)
        began = time.monotonic()
        with pytest.raises(errors.ValidationException if kind == "error page" else errors.RequestTimeout):
            one.get("/v1/x")
        assert time.monotonic() - began < 4
        if kind != "error page":
            with pytest.raises(errors.OutcomeUnknown):
                one.post("/v1/x", {})


def test_a_download_that_drips_ends(tmp_path):
    with raw(DRIPS["body"]) as url:
        one = Transport("the-key", url, progress=False, limits=Limits(seconds=0.3))
        began = time.monotonic()
        with pytest.raises(errors.RequestTimeout, match="seconds="):
            one.download(f"{url}/a.png", tmp_path / "a.png")
        assert time.monotonic() - began < 4
    assert not list(tmp_path.iterdir())


def test_a_slow_answer_within_the_time_is_read():
    def answer(client: socket.socket) -> None:
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n")
        for byte in b"[1, 2,3]":
            client.sendall(bytes([byte]))
            time.sleep(0.05)

    with raw(answer) as url:
        assert Transport("the-key", url, progress=False, timeout=2).get("/v1/x") == [1, 2, 3]


def test_a_large_body_may_take_longer_to_send_than_a_connection_to_open():
    def answer(client: socket.socket) -> None:
        time.sleep(0.6)  # nobody takes what is sent
        got = 0
        while got < 20_000_000:
            got += len(client.recv(1 << 20))
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with raw(answer) as url:
        one = Transport("the-key", url, progress=False, timeout=(0.2, 20), retries=0)
        one.upload(f"{url}/a.png", bytes(20_100_000))


@pytest.mark.parametrize("scheme", ["straight", "proxy"])
def test_connections_are_watched_by_the_system(scheme, monkeypatch):
    with serve(lambda seen: {}) as server:
        one = connect(server)
        one.get("/v1/x")
        manager = one._wire._adapter.poolmanager
        if scheme == "proxy":
            manager = one._wire._adapter.proxy_manager_for(server.url)
        pool = manager.connection_from_url(server.url)
        connection = pool._get_conn()
        connection.connect()
        assert connection.sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert connection.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        connection.close()
        one.close()
        manager.clear()


# Arguments ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "timeout", [None, 0, -1, float("nan"), float("inf"), "5", True, (1,), (1, 2, 3), (None, 5), (5, 0), [], {}, 1e9]
)
def test_a_timeout_that_is_none(timeout):
    with pytest.raises(hf.ValidationException, match="it must be seconds, above 0"):
        hf.Client("the-key", timeout=timeout)


@pytest.mark.parametrize("timeout", [5, 0.5, (1, 2.5), [3, 4]])
def test_timeouts(timeout):
    both = tuple(timeout) if isinstance(timeout, tuple | list) else (timeout, timeout)
    with hf.Client("the-key", timeout=timeout) as client:
        assert client._transport.timeout == both
        assert client._transport.settle_timeout == min(10, both[1])


@pytest.mark.parametrize("max_workers", [0, -1, 1.5, "4", None, True])
def test_max_workers_that_are_none(max_workers):
    with pytest.raises(hf.ValidationException, match="whole number"):
        hf.Client("the-key", max_workers=max_workers)


@pytest.mark.parametrize("limits", [None, 5, {"rows": 3}, Limits])
def test_limits_that_are_none(limits):
    with pytest.raises(hf.ValidationException, match="limits is"):
        hf.Client("the-key", limits=limits)


@pytest.mark.parametrize(
    "url", ["nowhere", "ftp://a.example", "http://", "http://[", "http://a:99999", "http://me:pw@a", "https://a/?b", 3]
)
def test_addresses_that_are_none(url):
    with pytest.raises(hf.ValidationException, match="base_url is not an address"):
        hf.Client("the-key", url)
