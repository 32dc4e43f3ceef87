"""Connections of clients that take their time, for ever: they are closed, and others are served meanwhile."""

from __future__ import annotations

import contextlib
import re
import resource
import socket
import subprocess
import sys
import time
from urllib.parse import urlsplit

import pytest
import requests

from hastyframe.local import LocalServer, connections, http

from .helpers import Api, png


@pytest.fixture
def hasty(monkeypatch):
    """Limits that a test can wait for."""
    for module, name in [(connections, "HEAD_SECONDS"), (connections, "IDLE_SECONDS"), (http, "PAUSE_SECONDS")]:
        monkeypatch.setattr(module, name, 0.3)


@contextlib.contextmanager
def connected(server, *sent: bytes):
    with socket.create_connection(urlsplit(server.base_url).netloc.split(":"), timeout=10) as one:
        for piece in sent:
            one.sendall(piece)
        yield one


def rest(one: socket.socket) -> bytes:
    """Read until the server closes the connection."""
    said = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := one.recv(2**16):
            said += piece
    return said


HEAD = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.parametrize("sent", [b"", b"G", b"\r\n\r\n", HEAD, HEAD + b"A: b", HEAD.replace(b" HTTP", b"")])
def test_requests_that_are_begun_and_not_ended(server, hasty, sent):
    with connected(server, sent) as one:
        assert rest(one) == b""


@pytest.mark.parametrize("piece", [b"\r\n", b"G", b"A"])
def test_requests_that_drip(server, hasty, piece):
    with connected(server) as one, contextlib.suppress(OSError):
        start = time.monotonic()
        while time.monotonic() < start + 10:
            one.sendall(piece)
            time.sleep(0.05)
        pytest.fail("the server waits for ever")


def test_connections_that_are_not_used_any_more(server, hasty):
    with connected(server, HEAD + b"\r\n") as one:
        assert rest(one).startswith(b"HTTP/1.1 200 OK")


def body_of(api, path, *, length=b"Content-Length: 1000"):
    base = f"POST {api.path(path)} HTTP/1.1\r\nHost: x\r\n".encode()
    return base + f"X-Api-Key: {api.server.api_key}\r\n".encode() + length + b"\r\n\r\n"


@pytest.mark.parametrize("length", [b"Content-Length: 1000", b"Transfer-Encoding: chunked"])
def test_bodies_that_are_begun_and_not_ended(api, hasty, length):
    with connected(api.server, body_of(api, "datasets", length=length), b"1\r\n{") as one:
        said = rest(one)
    assert said.startswith(b"HTTP/1.1 408 ")
    assert b"the body did not come in time" in said
    assert api.get("datasets")["meta"]["total"] == 0


def test_bodies_that_drip(api, hasty, monkeypatch):
    monkeypatch.setattr(http, "BODY_SECONDS", 0.5)
    monkeypatch.setattr(http, "PAUSE_SECONDS", 5)
    with connected(api.server, body_of(api, "datasets")) as one, contextlib.suppress(OSError):
        for _ in range(200):
            one.sendall(b"[")
            time.sleep(0.05)
        pytest.fail("the server waits for ever")


def test_uploads_that_are_begun_and_not_ended(api, hasty):
    url = urlsplit(api.get("uploads")["items"][0]["url"])
    head = f"PUT {url.path}?{url.query} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n".encode()
    with connected(api.server, head, b"x") as one:
        assert rest(one).startswith(b"HTTP/1.1 408 ")
    assert not list(api.server.folder.rglob("*.part"))


def test_bodies_of_requests_that_are_refused_before(api, hasty):
    head = b"POST /v1/projects HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
    with connected(api.server, head) as one, contextlib.suppress(OSError):
        assert b" 401 " in one.recv(2**16)
        for _ in range(200):
            one.sendall(b"x")
            time.sleep(0.05)
        pytest.fail("the server reads for ever")


def test_answers_that_nobody_takes(api, hasty, monkeypatch):
    monkeypatch.setattr(connections, "ANSWER_SECONDS", 0.3)
    url = urlsplit(api.image(api.dataset(), "a.bmp", png(2000, 1500, format="bmp"))["public_url"])
    head = f"GET {url.path}?{url.query} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    with connected(api.server) as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**14)
        one.sendall(head)
        time.sleep(1)
        assert len(rest(one)) < 9_000_000
    assert len(requests.get(url.geturl(), timeout=10).content) > 9_000_000


@pytest.mark.parametrize(
    ("head", "endless"),
    [(b"GET /", b"x"), (HEAD + b"A: ", b"x"), (HEAD, b"A: b\r\n"), (HEAD + b"A", b"x"), (b"", b"\r\n")],
    ids=["address", "value", "headers", "name", "lines"],
)
def test_heads_without_end(server, head, endless):
    with connected(server, head) as one:
        with contextlib.suppress(OSError):
            for _ in range(100):
                one.sendall(endless * 10_000)
        assert rest(one)[:12] in {b"HTTP/1.1 400", b""}  # the answer may be lost where the client goes on sending


def test_a_head_that_is_too_large_is_answered(server):
    with connected(server, HEAD + b"A: " + b"x" * 70_000) as one:
        assert b"The head of the request is too large: at most 65,536 bytes." in rest(one)
    large = {"X-Large": "x" * 60_000}
    assert requests.get(server.base_url + "/openapi.json", headers=large, timeout=10).status_code == 200


@pytest.mark.parametrize("endless", [b"A: b\r\n", b"A: " + b"x" * 9000, b"1;" + b"x" * 9000])
def test_what_surrounds_a_body_has_an_end(api, endless):
    head = body_of(api, "datasets", length=b"Transfer-Encoding: chunked")
    with connected(api.server, head, b"2\r\n{}\r\n", b"" if b";" in endless else b"0\r\n") as one:
        with contextlib.suppress(OSError):
            for _ in range(100):
                one.sendall(endless * (20_000 // len(endless)))
        assert b" 201 " not in rest(one)


# Many at once ---------------------------------------------------------------------------------------------------------

LIMITED = """
import logging, resource, sys
from hastyframe.local import LocalServer
logging.basicConfig()
with LocalServer() as server:
    kept = [open("/dev/null") for _ in range(int(sys.argv[2]))]
    resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]), resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    print(server.base_url, server.api_key, flush=True)
    sys.stdin.read()
"""


@contextlib.contextmanager
def limited(descriptors: int, taken: int = 0):
    command = [sys.executable, "-c", LIMITED, str(descriptors), str(taken)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:
        try:
            yield (*process.stdout.readline().split(), process)
        finally:
            process.kill()


def test_half_open_connections_beyond_the_descriptors():
    """The server is in reach all the time, and its log does not run over."""
    with limited(256) as (url, key, process), contextlib.ExitStack() as stack:
        host = urlsplit(url).netloc.split(":")
        for number in range(600):
            one = stack.enter_context(socket.create_connection(host, timeout=10))
            if number % 2:
                one.sendall(b"GET / HTTP/1.1\r\n")
            if number % 100 == 99:
                answered = requests.get(f"{url}/v1/projects", headers={"X-Api-Key": key}, timeout=10)
                assert answered.status_code == 200
        _, said = process.communicate("")
    assert len(said.splitlines()) < 10, said[:2000]


def test_a_lack_of_descriptors_is_said_once():
    with limited(256, taken=256) as (url, _, process), contextlib.ExitStack() as stack:
        for _ in range(100):
            stack.enter_context(socket.create_connection(urlsplit(url).netloc.split(":"), timeout=10))
        time.sleep(1.5)
        _, said = process.communicate("")
    assert len(re.findall("no connection can be accepted", said)) == 1
    assert len(said.splitlines()) < 10, said[:2000]


def test_whoever_waits_longest_goes_first(tmp_path, monkeypatch):
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 16)
    with LocalServer(tmp_path) as server, contextlib.ExitStack() as stack:
        api = Api(server)
        first = stack.enter_context(connected(server, HEAD + b"\r\n"))
        assert first.recv(2**20)
        asked = b"Content-Length: 1000\r\nExpect: 100-continue"
        working = stack.enter_context(connected(server, body_of(api, "datasets", length=asked)))
        assert b" 100 " in working.recv(100)
        for _ in range(40):
            later = stack.enter_context(connected(server))
        rest(first)  # closed
        working.sendall(b" " * 986 + b'{"name": "a b"}'[:14])
        working.settimeout(5)
        assert working.recv(100).startswith(b"HTTP/1.1 4")  # it was at work all the time, and is answered
        later.sendall(HEAD + b"\r\n")
        assert later.recv(100).startswith(b"HTTP/1.1 200")


def test_the_number_of_connections_follows_the_descriptors(monkeypatch):
    for descriptors in (64, 256, 512, 1024, 20_000):
        monkeypatch.setattr(resource, "getrlimit", lambda _, soft=descriptors: (soft, soft))
        most, together = connections.most_connections(), connections.backlog()
        assert 16 <= most <= 1000
        assert descriptors < 256 or 2 * most + 4 * together + 64 <= descriptors
