"""Pictures from addresses: whoever stands behind one keeps nobody waiting and leads nowhere else."""

from __future__ import annotations

import contextlib
import http.server
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait
from typing import ClassVar

import pytest
import requests

from hastyframe.local import LocalServer, fetch
from hastyframe.local import server as server_module
from hastyframe.local.fetch import is_public

from .helpers import Api, png


class Stranger(http.server.BaseHTTPRequestHandler):
    """A web server that means harm."""

    paths: ClassVar[list[str]] = []

    def do_GET(self):
        self.paths.append(self.path)
        with contextlib.suppress(OSError):
            getattr(self, self.path.strip("/").replace(".", "_"))()
        self.close_connection = True

    def drip(self, head: bytes, piece: bytes) -> None:
        self.wfile.write(head)
        while not self.server.ended.is_set():
            self.wfile.write(piece)
            time.sleep(0.02)

    def answer(self, *lines: str, body: bytes = b"") -> None:
        self.wfile.write("\r\n".join(("HTTP/1.1 200 OK", *lines, "", "")).encode() + body)

    def a_png(self):
        self.answer(f"Content-Length: {len(png(8, 6))}", body=png(8, 6))

    def body(self):
        self.drip(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b"x")

    def body_of_any_length(self):
        self.drip(b"HTTP/1.1 200 OK\r\n\r\n" + png(8, 6), b"x")

    def chunks(self):
        self.drip(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n")

    def head(self):
        self.drip(b"HTTP/1.1 200 OK\r\n", b"X")

    def status(self):
        self.drip(b"HTTP/1.1 200 ", b"O")

    def away(self):
        self.drip(b"HTTP/1.1 302 Found\r\nLocation: /away\r\nContent-Length: 1000000000\r\n\r\n", b"x" * 2**16)

    def nothing(self):
        self.server.ended.wait(10)

    def brotli(self):
        self.answer("Content-Encoding: br", body=b"x")

    def twice(self):
        self.answer("Content-Encoding: gzip, gzip", body=b"x")

    def inside(self):
        self.wfile.write(f"HTTP/1.1 302 Found\r\nLocation: {self.server.inside}\r\n\r\n".encode())

    def log_message(self, *args):
        pass


class Quiet(http.server.ThreadingHTTPServer):
    """Says nothing of connections that were cut."""

    daemon_threads = True
    request_queue_size = 100

    def __init__(self, host):
        super().__init__((host, 0), Stranger)
        self.ended = threading.Event()
        self.inside = ""
        self.url = f"http://{host}:{self.server_port}"


@pytest.fixture
def stranger():
    Stranger.paths.clear()
    with Quiet("127.0.0.1") as one:
        thread = threading.Thread(target=one.serve_forever, args=(0.01,))
        thread.start()
        yield one
        one.ended.set()
        one.shutdown()
        thread.join()


def new_image(api, url, name="a.png"):
    body = {"dataset_id": api.dataset(), "filename": name, "url": url}
    return api.request("POST", "images", json=body)


DRIPS = ("body", "body_of_any_length", "chunks", "head", "status", "nothing")


@pytest.mark.parametrize("path", DRIPS)
def test_a_fetch_ends_however_slowly_its_bytes_come(api, stranger, monkeypatch, path):
    monkeypatch.setattr(fetch, "FETCH_SECONDS", 0.3)
    response = new_image(api, f"{stranger.url}/{path}")
    assert (response.status_code, response.json()["message"]) == (
        400,
        f"url: {stranger.url}/{path} took over 0.3 seconds",
    )
    assert api.get("images")["meta"]["total"] == 0
    assert not list(api.server.folder.rglob("*.part"))


def test_predictions_on_a_dripping_address_end_too(api, stranger, monkeypatch):
    monkeypatch.setattr(fetch, "FETCH_SECONDS", 0.3)
    api.label_class()
    for path in ("object_detection", "semantic_segmentation"):
        said = api.refused(400, "POST", path, json={"image_url": f"{stranger.url}/body"})
        assert said == f"image_url: {stranger.url}/body took over 0.3 seconds"


def test_redirects_are_bounded_and_their_bodies_not_read(api, stranger):
    response = new_image(api, f"{stranger.url}/away")
    assert "could not be fetched: TooManyRedirects" in response.json()["message"]
    assert Stranger.paths == ["/away"] * 6


@pytest.mark.parametrize("path", ["brotli", "twice"])
def test_encodings_that_could_hold_anything_are_refused(api, stranger, path):
    response = new_image(api, f"{stranger.url}/{path}")
    assert response.status_code == 400
    assert "answered in the encoding" in response.json()["message"]


def test_many_slow_fetches_keep_nothing_else_waiting(tmp_path, stranger, monkeypatch):
    monkeypatch.setattr(fetch, "FETCH_SECONDS", 5.0)
    with LocalServer(tmp_path) as server, ThreadPoolExecutor(45) as pool:
        api = Api(server)
        api.label_class()
        there = api.image(api.dataset())
        slow = [pool.submit(new_image, Api(server), f"{stranger.url}/body") for _ in range(45)]
        while len(Stranger.paths) < server_module.FETCHES:
            time.sleep(0.01)
        assert requests.get(there["public_url"], timeout=4).content == png()
        assert api.image(api.dataset("more"))["width"] == 40
        assert api.request("POST", "object_detection", json={"upload_id": api.upload(png())}).status_code == 200
        assert not any(one.done() for one in slow)
        stranger.ended.set()
        wait(slow)
    assert len(Stranger.paths) <= 45


def test_whoever_waits_too_long_for_a_fetch_is_told(tmp_path, stranger, monkeypatch):
    monkeypatch.setattr(server_module, "FETCHES", 1)
    monkeypatch.setattr(server_module, "FETCH_SECONDS", 0.1)
    with LocalServer(tmp_path) as server, ThreadPoolExecutor(1) as pool:
        slow = pool.submit(new_image, Api(server), f"{stranger.url}/body")
        while not Stranger.paths:
            time.sleep(0.01)
        response = new_image(Api(server), f"{stranger.url}/a.png")
        assert (response.status_code, response.headers["Retry-After"]) == (429, "5")
        assert "1 fetches are under way" in response.json()["message"]
        stranger.ended.set()
        assert slow.result().status_code == 400


def test_a_server_that_stops_does_not_wait_for_fetches(tmp_path, stranger):
    server = LocalServer(tmp_path).start()
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(new_image, Api(server), f"{stranger.url}/body")
        while not Stranger.paths:
            time.sleep(0.01)
        server.stop()  # the fetch alone would take 20 seconds
        assert isinstance(slow.exception(15), requests.RequestException) or slow.result().status_code == 400


# Private addresses ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def careful(tmp_path_factory):
    with LocalServer(tmp_path_factory.mktemp("careful"), private_addresses=False) as server:
        yield server


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0.0.0.0", "0", "[::1]", "[::]"),
        *(
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[64:ff9b::7f00:1]",
            "[2002:7f00:1::]",
            "169.254.169.254",
            "10.0.0.1",
        ),
        *("192.168.1.1", "172.16.0.1", "100.100.100.200", "192.0.0.192", "168.63.129.16", "[fe80::1]"),
        *("[fd00:ec2::254]", "224.0.0.1", "255.255.255.255", "[ff02::1]", "127.0.0.1."),
    ],
)
def test_private_addresses_in_any_spelling(careful, stranger, host):
    url = f"http://{host}:{stranger.server_port}/a.png"
    api = Api(careful)
    said = new_image(api, url).json()["message"]
    api.session.close()
    assert host == "127.0.0.1." or "where this server does not fetch" in said  # which is a name to some systems
    assert not Stranger.paths


def test_redirects_to_private_addresses(careful, stranger, monkeypatch):
    """127.0.0.2 plays a server of the internet."""
    monkeypatch.setattr(fetch, "is_public", lambda address: address == "127.0.0.2")
    with Quiet("127.0.0.2") as outside:
        thread = threading.Thread(target=outside.serve_forever, args=(0.01,))
        thread.start()
        outside.inside = f"{stranger.url}/a.png"
        refused = new_image(Api(careful), f"{outside.url}/inside")
        assert new_image(Api(careful), f"{outside.url}/a.png").status_code == 201
        outside.shutdown()
        thread.join()
    assert refused.status_code == 400
    assert "where this server does not fetch" in refused.json()["message"]
    assert Stranger.paths == ["/inside", "/a.png"]


def test_a_name_is_looked_up_once_and_all_its_addresses_count(careful, stranger, monkeypatch):
    real, answers = socket.getaddrinfo, []

    def lookup(host, port, *args, **options):
        if host != "rebinding.example":
            return real(host, port, *args, **options)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in answers.pop(0)]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    monkeypatch.setattr(fetch, "is_public", lambda address: address == "127.0.0.2")
    monkeypatch.setattr(fetch, "CONNECT_SECONDS", 0.5)
    url = f"http://rebinding.example:{stranger.server_port}/a.png"
    answers += [["127.0.0.2"], ["127.0.0.1"]]  # nobody listens at the first
    assert "could not be fetched" in new_image(Api(careful), url).json()["message"]
    assert answers == [["127.0.0.1"]]
    answers[:] = [["127.0.0.2", "127.0.0.1"]]
    assert "where this server does not fetch" in new_image(Api(careful), url).json()["message"]
    assert not Stranger.paths


def test_proxies_of_the_environment_are_not_asked_for_what_is_checked(careful, stranger, monkeypatch):
    api = Api(careful)
    api.session.trust_env = False
    monkeypatch.setenv("http_proxy", stranger.url)
    monkeypatch.setattr(fetch, "is_public", lambda address: True)
    said = new_image(api, "http://127.0.0.1:1/a.png").json()["message"]
    assert "could not be fetched: ConnectionError" in said
    assert not Stranger.paths


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "1.1.1.1"])
def test_public_addresses(address):
    assert is_public(address)
