"""Misbehaviour on demand: what each kind of fault puts on the wire, and what was carried out all the same."""

from __future__ import annotations

import contextlib
import io
import json
import re
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

import hastyframe as hf
from hastyframe.local import Faults, LocalServer
from hastyframe.local.faults import RATES

from .helpers import Api, png


@pytest.fixture(scope="module")
def server() -> Iterator[LocalServer]:
    with LocalServer() as server:
        yield server


@pytest.fixture
def api(server: LocalServer) -> Iterator[Api]:
    server.faults = None
    api = Api(server)
    yield api
    server.faults = None
    api.session.close()


def sent_back(server: LocalServer, *requests: tuple[str, str, object], patience: float = 20.0) -> bytes:
    """Send requests over a bare socket and return every byte that comes until the server closes, or patience ends."""
    host, port = server.base_url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=patience) as wire:
        for number, (method, path, body) in enumerate(requests, 1):
            content = b"" if body is None else json.dumps(body).encode()
            head = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nX-Api-Key: {server.api_key}\r\n"
            head += f"Content-Length: {len(content)}\r\n" + "Connection: close\r\n" * (number == len(requests))
            wire.sendall(f"{head}\r\n".encode() + content)
        came = b""
        try:
            while piece := wire.recv(65536):
                came += piece
        except TimeoutError:
            came += b"<open>"
        return came


def datasets(api: Api) -> list[str]:
    api.server.faults = None
    return [dataset["name"] for dataset in api.get("datasets")["items"]]


def create(api: Api, *, patience: float = 20.0, **faults: object) -> bytes:
    """Create a dataset while all requests meet one fault, and return what was on the wire."""
    api.server.faults = Faults(**faults)
    return sent_back(api.server, ("POST", f"{api.base}/datasets", {"name": "new"}), patience=patience)


def head_and_body(came: bytes) -> tuple[int, dict[str, str], bytes]:
    head, _, body = came.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    return int(status.split()[1]), dict(line.lower().split(": ", 1) for line in lines), body


def test_a_connection_cut_before_the_request_is_handled(api):
    assert create(api, cut_before=1) == b""
    assert datasets(api) == []


def test_a_connection_cut_after_the_commit(api):
    assert create(api, cut_after=1) == b""
    assert datasets(api) == ["new"]


def test_an_answer_cut_after_the_commit(api):
    status, headers, body = head_and_body(create(api, cut_answer=1))
    assert status == 201
    assert len(body) == int(headers["content-length"]) // 2 > 10
    assert datasets(api) == ["new"]
    [dataset] = api.get("datasets")["items"]
    assert body.decode() in json.dumps(dataset, separators=(",", ":"))


def test_an_answer_without_a_body_is_cut_before_its_first_byte(api):
    dataset = api.dataset()
    api.server.faults = Faults(cut_answer=1)
    assert sent_back(api.server, ("DELETE", f"{api.base}/datasets/{dataset}", None)) == b""
    assert datasets(api) == []


@pytest.mark.parametrize(
    ("kind", "statuses", "committed"),
    [("error_before", {500, 502, 503, 504}, False), ("error_after", {502, 504}, True)],
)
def test_errors(api, kind, statuses, committed):
    seen = set()
    for seed in range(30):
        api.server.faults = Faults(**{kind: 1}, seed=seed)
        response = api.request("POST", "datasets", json={"name": "new"})
        assert response.headers["content-type"].startswith("text/html")
        assert str(response.status_code) in response.text
        seen.add(response.status_code)
        assert ("new" in datasets(api)) is committed
    assert seen == statuses


def test_a_connection_stays_open_after_an_error(api):
    posts = [("POST", f"{api.base}/datasets", {"name": name}) for name in "ab"]
    for kind in ("error_before", "error_after", "too_many", "slow"):
        api.server.faults = Faults(**{kind: 1}, slow_seconds=0)
        assert sent_back(api.server, *posts).count(b"HTTP/1.1 ") == 2


def test_a_slow_answer_comes_after_the_commit_and_after_the_time_out(api):
    assert create(api, patience=0.3, slow=1, slow_seconds=20) == b"<open>"
    assert datasets(api) == ["new"]
    assert api.server.faults_done["slow"] >= 1


def test_a_slow_answer_is_whole(api):
    status, headers, body = head_and_body(create(api, slow=1, slow_seconds=0.05))
    assert status == 201
    assert len(body) == int(headers["content-length"])


def test_slow_answers_do_not_hold_up_others_or_the_end():
    began = time.monotonic()
    with LocalServer(faults=Faults(slow=1, slow_seconds=60, methods=("POST",))) as server:
        headers = {"X-Api-Key": server.api_key}
        with pytest.raises(requests.ReadTimeout):
            requests.post(server.base_url + "/v1/projects", json={}, headers=headers, timeout=0.2)
        assert requests.get(server.base_url + "/v1/projects", headers=headers, timeout=10).ok
    assert time.monotonic() - began < 30


def test_too_many_requests_say_when_to_come_again(api):
    status, headers, body = head_and_body(create(api, too_many=1, retry_after=7))
    assert (status, headers["retry-after"]) == (429, "7")
    assert b"too many" in body
    assert datasets(api) == []


def test_a_budget_of_requests(api):
    api.server.faults = Faults(budget=5)
    before = api.server.faults_done.get("over_budget", 0)
    answers = [api.request("GET", "datasets") for _ in range(25)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert [answer.status_code for answer in answers[:5]] == [200] * 5
    assert refused
    assert {answer.headers["retry-after"] for answer in refused} == {"1"}
    assert api.server.faults_done["over_budget"] - before == len(refused)
    time.sleep(0.25)
    assert api.request("GET", "datasets").ok


def test_a_slow_budget_says_how_long_to_wait(api):
    api.server.faults = Faults(budget=0.2)
    first, second = (api.request("GET", "datasets") for _ in range(2))
    assert (first.status_code, second.status_code, second.headers["retry-after"]) == (200, 429, "5")


def test_latency_and_jitter_delay_every_request(api):
    api.server.faults = Faults(latency=0.05, jitter=0.2, methods=("POST",))
    times = []
    for _ in range(8):
        began = time.monotonic()
        api.get("datasets")
        times.append(time.monotonic() - began)
    assert min(times) >= 0.05
    assert max(times) - min(times) > 0.02


def test_uploads_and_downloads_meet_them_too(api):
    upload = api.get("uploads")["items"][0]
    api.server.faults = Faults(cut_after=1)
    with pytest.raises(requests.ConnectionError):
        requests.put(upload["url"], data=png(), timeout=10)
    api.server.faults = None
    body = {"dataset_id": api.dataset(), "filename": "a.png", "upload_id": upload["id"]}
    image = api.post("images", body)  # the bytes had arrived
    assert requests.get(image["public_url"], timeout=10).content == png()
    api.server.faults = Faults(cut_answer=1)
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
        requests.get(image["public_url"], timeout=10)


def test_a_large_upload_that_is_cut_before_it_is_read(api):
    upload = api.get("uploads")["items"][0]
    api.server.faults = Faults(cut_before=1)
    with pytest.raises(requests.ConnectionError):
        requests.put(upload["url"], data=io.BytesIO(bytes(20_000_000)), timeout=10)
    api.server.faults = None
    body = {"dataset_id": api.dataset(), "filename": "a.png", "upload_id": upload["id"]}
    assert "nothing was uploaded" in api.refused(400, "POST", "images", json=body)


def test_only_the_methods_that_are_named(api):
    api.server.faults = Faults(error_before=1, methods=("DELETE",))
    dataset = api.dataset()
    assert api.request("DELETE", f"datasets/{dataset}").status_code >= 500
    assert api.get("datasets")["meta"]["total"] == 1


def fates(api: Api, seed: int, count: int = 120) -> list[object]:
    """What requests one after the other meet: their status, or the error that the client sees."""
    api.server.faults = Faults.everywhere(0.6, seed=seed, retry_after=0, slow_seconds=0)
    seen: list[object] = []
    for _ in range(count):
        try:
            seen.append(api.request("GET", "datasets").status_code)
        except requests.RequestException as error:
            seen.append(type(error).__name__)
    return seen


def test_a_seed_gives_the_same_sequence(api):
    first, again, other = fates(api, 3), fates(api, 3), fates(api, 4)
    assert first == again != other
    assert {200, 429, 502, "ConnectionError", "ChunkedEncodingError"} <= set(first)


def test_requests_at_once_meet_the_same_faults_in_some_order(api):
    def counts() -> dict[str, int]:
        before = dict(api.server.faults_done)
        api.server.faults = Faults.everywhere(0.5, seed=5, slow_seconds=0)

        def get(_: int) -> None:
            headers = {"X-Api-Key": api.server.api_key}
            with contextlib.suppress(requests.RequestException):
                requests.get(api.server.base_url + "/v1/projects", headers=headers, timeout=10)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(get, range(100)))
        return {kind: count - before.get(kind, 0) for kind, count in api.server.faults_done.items()}

    first = counts()
    assert counts() == first
    assert 30 < sum(first.values()) < 70
    assert {kind for kind, count in first.items() if count} >= set(RATES) - {"slow"}


def test_shares_are_kept(api):
    seen = fates(api, 11, 400)
    assert 400 * 0.3 < sum(fate != 200 for fate in seen) < 400 * 0.7  # 0.6 less the slow ones, which are answered well


def test_a_client_starts_and_changes_them(tmp_path):
    with hf.Client.local(tmp_path, faults=Faults(error_before=0.4, retry_after=0, seed=2), progress=False) as client:
        assert client.server.faults.error_before == 0.4
        for _ in range(20):
            client.get_workspaces()  # the client repeats what may be repeated
        assert client.server.faults_done["error_before"] > 3
        client.server.faults = None
        assert client.server.faults == Faults()
        done = dict(client.server.faults_done)
        client.get_workspaces()
        assert client.server.faults_done == done
    with hf.Client("key", "http://127.0.0.1:9") as client:
        assert client.server is None


@pytest.mark.parametrize(
    ("faults", "words"),
    [
        ({"slow": 1.1}, "slow is 1.1; it must be between 0 and 1"),
        ({"slow": float("nan")}, "slow is nan; it must be between 0 and 1"),
        ({"cut_before": -0.1}, "cut_before is -0.1; it must be between 0 and 1"),
        ({"slow": 0.6, "cut_after": 0.6}, "sum to 1.2"),
        ({"latency": -1}, "latency is -1; it must be 0 or more"),
        ({"jitter": float("inf")}, "jitter is inf; it must be 0 or more"),
        ({"budget": 0}, "budget is 0; it must be above 0"),
        ({"retry_after": 0.5}, "whole seconds"),
        ({"methods": "POST"}, "methods is 'POST'; it must be some of"),
        ({"methods": ("post",)}, "must be some of"),
        ({"methods": ()}, "must be some of"),
    ],
)
def test_faults_that_cannot_be(faults, words):
    with pytest.raises(hf.ValidationException, match=re.escape(words)):
        Faults(**faults)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("cut=0.1", "'cut' is no fault. Give name=value, of: error_before,"),
        ("slow=much", "'slow=much' holds no number"),
        ("slow", "'slow' holds no number"),
        ("slow=0.1,slow=0.2", "'slow' is there twice"),
        ("seed=1.5", "'seed=1.5' holds no number"),
        ("methods=", "must be some of"),
        ("everywhere=2", "must be between 0 and 1|sum to 2"),
        (",".join(f"{kind}=0" for kind in RATES) + ",everywhere=0.1", "nothing is left to spread over"),
    ],
)
def test_words_that_are_no_faults(text, words):
    with pytest.raises(hf.ValidationException, match=words):
        Faults.parse(text)


def test_words_that_are_faults():
    text = "error_before=0.05, cut_after=0.1,budget=20,methods=POST+DELETE,retry_after=2,seed=9,"
    assert Faults.parse(text) == Faults(
        error_before=0.05, cut_after=0.1, budget=20, methods=("POST", "DELETE"), retry_after=2, seed=9
    )
    assert Faults.parse("") == Faults()
    spread = Faults.parse("everywhere=0.7,slow=0.1,seed=1")
    assert spread.slow == 0.1
    assert sum(getattr(spread, kind) for kind in RATES) == pytest.approx(0.8)


def test_servers_refuse_what_is_no_faults(server):
    with pytest.raises(hf.ValidationException, match="must be Faults"):
        LocalServer(faults="slow=1")
    with pytest.raises(hf.ValidationException, match="latency is -1"):
        LocalServer(latency=-1)
    with pytest.raises(hf.ValidationException, match="must be Faults"):
        server.faults = 0.2
