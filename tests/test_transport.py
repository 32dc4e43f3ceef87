"""HTTP: pages, retries, what is never repeated, parallel calls, Ctrl-C, downloads."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import threading
import time
from email.utils import formatdate
from pathlib import Path

import pytest
from servers import HTML, RESET, Answer, Seen, Server, free_port, in_turn, page, serve

from hastyframe import errors, transport
from hastyframe.transport import Transport

CUT = Answer(200, {"value": "x" * 200}, fault="cut")
LATE = Answer(200, {}, late=0.8)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "_FIRST_PAUSE", 0.002)
    monkeypatch.setattr(transport, "_LONGEST_PAUSE", 0.02)


def connect(server: Server, **options) -> Transport:
    return Transport("the-key", server.url, **{"progress": False, "max_workers": 4, "timeout": 5.0, **options})


def threads_of_the_pool() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("hastyframe-pool")]


# Pages ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 350])
def test_a_list_comes_whole_and_in_order(count):
    items = [{"id": str(i)} for i in range(count)]
    with serve(lambda seen: page(seen, items)) as server:
        assert connect(server).listing("/v1/things") == items
        assert len(server.seen) == max(1, -(-count // 100))


def test_pages_after_the_first_are_fetched_in_parallel_and_come_in_order():
    items = [{"id": str(i)} for i in range(496)]
    together = threading.Barrier(4, timeout=5)

    def handle(seen: Seen):
        if seen.query["offset"] != "0":
            together.wait()  # passes only if four are under way at once
            time.sleep((500 - int(seen.query["offset"])) / 5000)  # the last page comes first
        return page(seen, items)

    with serve(handle) as server:
        assert connect(server).listing("/v1/things") == items


def test_the_query_goes_along_with_every_page():
    with serve(lambda seen: page(seen, [{}] * 250)) as server:
        connect(server).listing("/v1/things", {"image_status": "NEW,IN PROGRESS"})
        assert [seen.query["image_status"] for seen in server.seen] == ["NEW,IN PROGRESS"] * 3


def test_a_server_whose_pages_are_smaller_than_asked_for():
    items = [{"id": str(i)} for i in range(95)]
    with serve(lambda seen: page(seen, items, most=30)) as server:
        assert connect(server).listing("/v1/things") == items


def test_a_server_whose_pages_differ_in_size():
    items = [{"id": str(i)} for i in range(95)]

    def handle(seen: Seen):
        return page(seen, items, most=40 if seen.query["offset"] == "0" else 25)

    with serve(handle) as server:
        assert connect(server).listing("/v1/things") == items


def test_many_lists_come_in_their_order_with_their_numbers():
    def handle(seen: Seen):
        name = seen.path.rpartition("/")[2]
        return page(seen, [{"id": f"{name}-{i}"} for i in range(int(name) * 40)])

    with serve(handle) as server:
        lists = [(f"/v1/things/{n}", None) for n in range(8)]
        results = connect(server).listings(lists, lambda number, items: (number, [item["id"] for item in items]))
    for number, pages in enumerate(results):
        assert {of_list for of_list, _ in pages} == {number}
        assert [key for _, ids in pages for key in ids] == [f"{number}-{i}" for i in range(number * 40)]


def test_a_list_that_changes_while_it_is_read_is_read_again():
    items = [{"id": str(i)} for i in range(250)]

    def handle(seen: Seen):
        if seen.query["offset"] == "198" and len(items) == 250:
            del items[0]  # somebody deletes the first: what was number 198 has moved to the page before
        return page(seen, items)

    with serve(handle) as server:
        found = connect(server).listing("/v1/things")
    assert [item["id"] for item in found] == [str(i) for i in range(1, 250)]


def test_a_list_that_never_holds_still_is_an_error():
    items = [{"id": str(i)} for i in range(150)]

    def handle(seen: Seen):
        items.append({"id": str(len(items))})
        return page(seen, items)

    with serve(handle) as server, pytest.raises(errors.UnexpectedAnswer, match="kept changing"):
        connect(server).listing("/v1/things")


def test_a_list_that_announces_more_than_it_has_is_an_error():
    with (
        serve(lambda seen: {"meta": {"total": 7}, "items": []}) as server,
        pytest.raises(errors.UnexpectedAnswer, match="0 items came, 7 were announced"),
    ):
        connect(server).listing("/v1/things")


@pytest.mark.parametrize(
    "answer",
    [
        [],
        {},
        {"items": []},
        {"items": [], "meta": None},
        {"items": [], "meta": {"total": "many"}},
        {"items": {"a": 1}, "meta": {"total": 1}},
        {"items": ["a"], "meta": {"total": 1}},
        None,
        3,
    ],
)
def test_what_is_no_page_of_a_list(answer):
    with serve(lambda seen: answer) as server, pytest.raises(errors.UnexpectedAnswer, match="not a page of a list"):
        connect(server).listing("/v1/things")


# What is repeated -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [RESET, CUT, *(Answer(status) for status in (429, 500, 502, 503, 504))])
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_what_may_be_done_twice_is_repeated(method, fault):
    with serve(in_turn(fault, fault, {"value": 1})) as server:
        assert connect(server).request(method, "/v1/x", body={"a": 1}) == {"value": 1}
        assert len(server.seen) == 3
        assert {seen.body for seen in server.seen} == {b'{"a":1}'}


def test_repeats_end(monkeypatch):
    with serve(lambda seen: Answer(503, {"message": "try later"})) as server:
        with pytest.raises(errors.ServerError, match=r"503, 4 tries.*try later") as caught:
            connect(server, retries=3).get("/v1/x")
        assert len(server.seen) == 4
        assert (caught.value.status, caught.value.request) == (503, "GET /v1/x")


def test_an_error_of_the_caller_is_not_repeated():
    with serve(lambda seen: Answer(400, {"message": "no"})) as server:
        with pytest.raises(errors.ValidationException):
            connect(server).put("/v1/x", {})
        assert len(server.seen) == 1


def test_a_delete_that_finds_nothing_on_a_repeat_has_succeeded():
    with serve(in_turn(RESET, Answer(404))) as server:
        assert connect(server).delete("/v1/x") is None
        assert len(server.seen) == 2


@pytest.mark.parametrize("before", [(), (Answer(429),)])
def test_a_delete_that_finds_nothing_and_was_not_tried_before_is_an_error(before):
    with serve(in_turn(*before, Answer(404))) as server, pytest.raises(errors.NotFound):
        connect(server).delete("/v1/x")


@pytest.mark.parametrize("date", [False, True])
def test_retry_after_is_obeyed(date):
    began = time.time()
    wish = formatdate(began + 2, usegmt=True) if date else "1"
    with serve(in_turn(Answer(429, headers={"Retry-After": wish}), {})) as server:
        connect(server).post("/v1/x", {})
        first, second = (seen.at for seen in server.seen)
    assert second - first >= (int(began) + 2 - began - 0.1 if date else 1)


def test_a_429_slows_all_workers_down():
    refused = threading.Event()

    def handle(seen: Seen):
        if seen.path == "/v1/0" and not refused.is_set():
            refused.set()
            return Answer(429, headers={"Retry-After": "1"})
        refused.wait(5)
        time.sleep(0.05)
        return {}

    with serve(handle) as server:
        one = connect(server)
        one.map(lambda i: one.get(f"/v1/{i}"), range(40))
        first = server.seen[0].at
        assert len(server.seen) == 41
        # Unslowed, all would be done in half a second; only what was under way is before the pause's end.
        assert sum(seen.at - first >= 0.9 for seen in server.seen) >= 30


@pytest.mark.parametrize("wish", ["soon", "-5", "1e9", "9" * 5000, "inf"])
def test_a_retry_after_that_cannot_be_read_does_no_harm(wish):
    with serve(in_turn(Answer(429, headers={"Retry-After": wish}), {"value": 1})) as server:
        assert connect(server).get("/v1/x") == {"value": 1}


def test_a_server_that_asks_for_hours_is_taken_at_its_word():
    with serve(lambda seen: Answer(429, headers={"Retry-After": "7200"})) as server:
        with pytest.raises(errors.RateLimited, match="7,200 s"):
            connect(server).get("/v1/x")
        assert len(server.seen) == 1


def test_a_server_that_keeps_refusing_ends_in_rate_limited():
    with serve(lambda seen: Answer(429)) as server, pytest.raises(errors.RateLimited, match="max_workers"):
        connect(server, retries=2).get("/v1/x")


# What is never repeated -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [RESET, CUT, LATE, *(Answer(status) for status in (500, 502, 503, 504))])
def test_a_post_of_unknown_outcome_is_sent_exactly_once(fault):
    with serve(lambda seen: fault) as server:
        with pytest.raises(errors.OutcomeUnknown, match="read back"):
            connect(server, timeout=0.3).post("/v1/x", {"name": "a"})
        assert len(server.seen) == 1


@pytest.mark.parametrize("fault", [RESET, CUT, Answer(502)])
def test_a_post_that_may_be_done_twice_is_repeated(fault):
    with serve(in_turn(fault, {"value": 1})) as server:
        assert connect(server).post("/v1/x", {}, repeatable=True) == {"value": 1}
        assert len(server.seen) == 2


def test_a_post_that_may_be_done_twice_and_keeps_failing_is_no_unknown_outcome():
    with serve(lambda seen: Answer(502)) as server, pytest.raises(errors.ServerError):
        connect(server, retries=1).post("/v1/x", {}, repeatable=True)


def test_a_post_that_was_refused_with_429_is_repeated():
    with serve(in_turn(Answer(429), Answer(429), Answer(201, {"id": "a"}))) as server:
        assert connect(server).post("/v1/x", {}) == {"id": "a"}
        assert len(server.seen) == 3


def test_a_post_that_never_reached_a_server_is_repeated(monkeypatch):
    port = free_port()
    servers: list[Server] = []
    one = Transport("the-key", f"http://127.0.0.1:{port}", progress=False)

    def start_the_server(_):
        servers.append(Server(lambda seen: {"id": "a"}, port))

    monkeypatch.setattr(one._gate, "sleep", start_the_server)
    try:
        assert one.post("/v1/x", {"a": 1}) == {"id": "a"}
        assert [seen.json() for server in servers for seen in server.seen] == [{"a": 1}]
    finally:
        for server in servers:
            server.close()


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_of_a_write_is_not_followed(method, status):
    with serve(lambda seen: {}) as other, serve(lambda seen: Answer(status, headers={"Location": other.url})) as server:
        with pytest.raises(errors.UnexpectedAnswer, match=f"{status} and points to {other.url}"):
            connect(server).request(method, "/v1/x", body={})
        assert (len(server.seen), len(other.seen)) == (1, 0)


def test_redirects_in_circles_are_no_reason_to_try_again():
    with serve(lambda seen: Answer(302, headers={"Location": "/v1/x"})) as server:
        with pytest.raises(errors.UnexpectedAnswer, match="circles"):
            connect(server).get("/v1/x")
        assert len(server.seen) <= 31


@pytest.mark.parametrize("place", ["http://[", "file:///etc/hostname", "https://nowhere.invalid:99999/"])
def test_a_redirect_to_no_address_is_refused_at_once(place):
    with serve(lambda seen: Answer(302, headers={"Location": place})) as server:
        with pytest.raises(errors.ConnectionFailed, match="cannot be used"):
            connect(server).get("/v1/x")
        assert len(server.seen) == 1


# Answers and their words ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (400, errors.ValidationException, "refused the input"),
        (401, errors.AuthenticationException, "HASTY_API_KEY"),
        (402, errors.InsufficientCredits, "credits"),
        (403, errors.AuthorisationException, "may not do this"),
        (404, errors.NotFound, "no such thing"),
        (418, errors.ValidationException, "418"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_refusals_have_their_class_and_the_words_of_the_server(method, status, kind, words):
    with serve(lambda seen: Answer(status, {"message": "norder must be a number"})) as server:
        with pytest.raises(kind, match=words) as caught:
            connect(server).request(method, "/v1/x", body=None)
        assert len(server.seen) == 1
    assert "The server said: norder must be a number" in str(caught.value)
    assert str(caught.value).endswith(f"[{method} /v1/x]")
    assert (type(caught.value), caught.value.status) == (kind, status)


@pytest.mark.parametrize("body", [b"", b"[]", b'"x"', b"{}", b"\xff\xfe", b"<html>"])
def test_a_refusal_without_words(body):
    with serve(lambda seen: Answer(400, body)) as server, pytest.raises(errors.ValidationException) as caught:
        connect(server).get("/v1/x")
    assert "said" not in str(caught.value)


def test_a_web_page_is_no_answer():
    with serve(lambda seen: HTML) as server, pytest.raises(errors.UnexpectedAnswer) as caught:
        connect(server).get("/v1/projects")
    assert "not JSON (text/html)" in str(caught.value)
    assert "base address" in str(caught.value)


def test_a_web_page_that_says_not_found():
    with (
        serve(lambda seen: Answer(404, HTML.body, HTML.headers)) as server,
        pytest.raises(errors.NotFound, match="base address"),
    ):
        connect(server).get("/v1/projects")


@pytest.mark.parametrize("body", [b"{", b'{"a": 1', b"[" * 100_000, b"NaN", b"\xff"])
def test_broken_json(body):
    with serve(lambda seen: Answer(200, body)) as server, pytest.raises(errors.UnexpectedAnswer, match="not JSON"):
        connect(server).get("/v1/x")


@pytest.mark.parametrize("answer", [Answer(204), Answer(200, b"")])
def test_an_answer_without_a_body(answer):
    with serve(lambda seen: answer) as server:
        assert connect(server).get("/v1/x") is None


def test_what_cannot_be_json_is_refused_before_it_is_sent():
    with serve(lambda seen: {}) as server:
        for body in ({"a": object()}, {"a": 2**70}, {"a": "\ud800"}):
            with pytest.raises(errors.ValidationException, match="cannot be sent"):
                connect(server).put("/v1/x", body)
        assert not server.seen


def test_no_server():
    began = time.monotonic()
    with pytest.raises(errors.ConnectionFailed) as caught:
        Transport("the-key", f"http://127.0.0.1:{free_port()}", progress=False).get("/v1/projects")
    assert time.monotonic() - began < 5
    assert "Connection refused. Check the address and the network" in str(caught.value)


def test_no_such_host():
    with pytest.raises(errors.ConnectionFailed, match=r"No connection to nowhere\.invalid.*not known"):
        Transport("the-key", "https://nowhere.invalid", progress=False).get("/v1/projects")


def test_a_server_without_encryption_behind_an_https_address():
    with serve(lambda seen: {}) as server, pytest.raises(errors.ConnectionFailed):
        Transport("the-key", server.url.replace("http:", "https:"), progress=False).get("/v1/projects")


@pytest.mark.parametrize("late", [LATE, Answer(200, {"value": "x" * 200}, fault="stall")])
def test_a_server_that_does_not_answer_in_time(late):
    with (
        serve(lambda seen: late) as server,
        pytest.raises(errors.RequestTimeout, match=r"within 0\.2 s \(2 tries\)"),
    ):
        connect(server, timeout=(1.0, 0.2), retries=1).get("/v1/x")


def test_every_request_has_a_time_out(monkeypatch, tmp_path):
    seen = []
    with serve(lambda _: {"items": [], "meta": {"total": 0}}) as server:
        one = connect(server, timeout=(3.0, 4.0))
        send = one._wire.send
        monkeypatch.setattr(one._wire, "send", lambda *a: (seen.append(a[1]), send(*a))[1])
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            one.request(method, "/v1/x", body={})
        one.listing("/v1/x")
        one.upload(f"{server.url}/u", b"x")
        one.download(f"{server.url}/d", tmp_path / "d")
    assert seen == [(3.0, 4.0)] * 8


# The session ----------------------------------------------------------------------------------------------------------


def test_connections_are_kept():
    with serve(lambda seen: {}) as server:
        one = connect(server, max_workers=4)
        one.map(lambda i: one.get(f"/v1/{i}"), range(80))
        one.map(lambda i: one.post(f"/v1/{i}", {}), range(80))
        assert len(server.seen) == 160
        assert server.connections <= 4


def test_a_refused_request_does_not_cost_the_connection():
    with serve(lambda seen: Answer(404, {"message": "no"})) as server:
        one = connect(server)
        for _ in range(5):
            with pytest.raises(errors.NotFound):
                one.get("/v1/x")
        assert server.connections == 1


def test_cookies_are_neither_kept_nor_sent():
    with serve(lambda seen: Answer(200, {}, {"Set-Cookie": "session=1; Path=/"})) as server:
        one = connect(server)
        one.get("/v1/x")
        one.get("/v1/x")
        assert all("cookie" not in seen.headers for seen in server.seen)


def test_after_close_every_request_says_so():
    with serve(lambda seen: {"value": 1}) as server:
        one = connect(server)
        one.get("/v1/x")
        one.close()
        for call in (
            lambda: one.get("/v1/x"),
            lambda: one.post("/v1/x", {}),
            lambda: one.map(lambda _: None, [1, 2]),
            lambda: one.listing("/v1/x"),
            lambda: one.upload(f"{server.url}/u", b""),
        ):
            with pytest.raises(
                errors.ValidationException, match=f"This client of {server.url} is closed. Make a new one"
            ):
                call()
        one.close()
        assert len(server.seen) == 1


# Many at once ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def idle():
    """A transport that has nowhere to send."""
    return Transport("the-key", "http://127.0.0.1:9", max_workers=4, progress=False)


def test_results_come_in_the_order_of_the_items(idle):
    def slow_first(i: int) -> int:
        time.sleep(0.03 if i % 4 == 0 else 0)
        return i * i

    assert idle.map(slow_first, iter(range(50))) == [i * i for i in range(50)]
    assert idle.map(slow_first, []) == []
    assert not threads_of_the_pool()


def test_no_more_workers_than_allowed(idle):
    names = set(idle.map(lambda i: (time.sleep(0.005), threading.current_thread().name)[1], range(40)))
    assert len(names) <= 4


def test_the_first_error_ends_the_call(idle):
    done = []

    def work(i: int) -> None:
        if i == 3:
            raise errors.NotFound("number 3")
        time.sleep(0.01)
        done.append(i)

    with pytest.raises(errors.NotFound, match="number 3"):
        idle.map(work, range(1000))
    assert len(done) < 100
    assert not threads_of_the_pool()


def test_an_error_ends_the_waits_of_the_other_workers(monkeypatch):
    monkeypatch.setattr(transport, "_FIRST_PAUSE", 60.0)
    monkeypatch.setattr(transport, "_LONGEST_PAUSE", 60.0)

    def handle(seen: Seen):
        time.sleep(0.2 if seen.path == "/v1/3" else 0)
        return Answer(401 if seen.path == "/v1/3" else 503)

    with serve(handle) as server:
        one = connect(server)
        began = time.monotonic()
        with pytest.raises(errors.AuthenticationException):
            one.map(lambda i: one.get(f"/v1/{i}"), range(20))
        assert time.monotonic() - began < 5
    assert not threads_of_the_pool()


def test_an_interrupt_ends_the_call_and_the_waits_of_its_workers(monkeypatch):
    monkeypatch.setattr(transport, "_FIRST_PAUSE", 60.0)
    monkeypatch.setattr(transport, "_LONGEST_PAUSE", 60.0)

    class Interrupted:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def update(self, _):
            raise KeyboardInterrupt

    with serve(lambda seen: {} if seen.path == "/v1/0" else Answer(503)) as server:
        one = connect(server)
        monkeypatch.setattr(one, "bar", lambda *_: Interrupted())
        began = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            one.map(lambda i: one.get(f"/v1/{i}"), range(200))
        assert time.monotonic() - began < 5
        assert len(server.seen) < 20
    assert not threads_of_the_pool()


def test_ctrl_c_ends_a_script_at_once():
    script = """
        import threading
        from hastyframe.transport import Transport

        one = Transport("the-key", {url!r}, max_workers=4, progress=False)
        try:
            one.map(lambda i: one.get(f"/v1/{{i}}"), range(100))
        except KeyboardInterrupt:
            print("stopped", threading.active_count())
    """
    with serve(lambda seen: Answer(429, headers={"Retry-After": "300"})) as server:
        command = [sys.executable, "-c", textwrap.dedent(script.format(url=server.url))]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            deadline = time.monotonic() + 30
            while not server.seen and time.monotonic() < deadline:
                time.sleep(0.02)
            time.sleep(0.3)
            began = time.monotonic()
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=20)
            assert time.monotonic() - began < 5
    assert out.split() == ["stopped", "1"], err


def test_ctrl_c_leaves_requests_that_hang_and_keeps_what_was_done():
    script = """
        from hastyframe.transport import Transport

        one, done = Transport("the-key", {url!r}, max_workers=4, progress=False), {{}}
        try:
            one.map(lambda i: one.post(f"/v1/{{i}}", {{}}), range(100), done=done)
        except KeyboardInterrupt:
            print(sorted(done.items()))
    """
    answered, hanging, released = range(5), range(5, 9), threading.Event()

    def handle(seen: Seen):
        number = int(seen.path.rpartition("/")[2])
        if number in hanging:
            released.wait(60)
        return number

    with serve(handle) as server:
        command = [sys.executable, "-c", textwrap.dedent(script.format(url=server.url))]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            try:
                deadline = time.monotonic() + 30
                while len(server.seen) < 9 and time.monotonic() < deadline:
                    time.sleep(0.02)
                process.send_signal(signal.SIGINT)
                out, err = process.communicate(timeout=20)  # until the process has ended, too
            finally:
                released.set()
        assert out.strip() == str([(i, i) for i in answered]), err
        assert sorted(server.paths()) == sorted(f"/v1/{i}" for i in (*answered, *hanging))


def test_a_call_that_has_ended_sends_nothing_more():
    """What hung when the call ended must not go on with its next request when it is answered at last."""
    released, left = threading.Event(), threading.Event()
    outcomes: list[BaseException] = []

    def handle(seen: Seen):
        if seen.path == "/v1/first":
            released.wait(30)
        return {}

    with serve(handle) as server:
        one = connect(server)

        def work(path: str) -> None:
            if path == "interrupt":
                while not server.seen:
                    time.sleep(0.01)
                raise KeyboardInterrupt
            try:
                one.put(path, {})
                one.post("/v1/second", {})
            except BaseException as error:
                outcomes.append(error)
            finally:
                left.set()

        with pytest.raises(KeyboardInterrupt):
            one.map(work, ["/v1/first", "interrupt"])
        assert one.map(one.get, ["/v1/third"]) == [{}], "other calls go on"
        released.set()
        assert left.wait(30)
        assert server.paths() == ["/v1/first", "/v1/third"]
        assert [str(error) for error in outcomes] == [
            f"The call was stopped before the request was sent. [POST {server.url}/v1/second]"
        ]


def test_a_write_that_is_not_tried_again_because_the_call_has_ended_may_have_been_done(monkeypatch):
    monkeypatch.setattr(transport, "_FIRST_PAUSE", 60.0)
    monkeypatch.setattr(transport, "_LONGEST_PAUSE", 60.0)
    outcomes: list[BaseException] = []

    with serve(lambda seen: Answer(503)) as server:
        one = connect(server)

        def work(path: str) -> None:
            if path == "interrupt":
                while not server.seen:
                    time.sleep(0.01)
                time.sleep(0.1)  # until the answer is there
                raise KeyboardInterrupt
            try:
                one.put(path, {})
            except BaseException as error:
                outcomes.append(error)

        with pytest.raises(KeyboardInterrupt):
            one.map(work, ["/v1/x", "interrupt"])
        [error] = outcomes
        assert isinstance(error, errors.OutcomeUnknown)
        assert len(server.seen) == 1


def test_progress_counts_what_was_done(monkeypatch, idle):
    counted = []

    class Bar:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def update(self, n):
            counted.append(n)

    monkeypatch.setattr(idle, "bar", lambda desc, total, unit: (counted.append(total), Bar())[1])
    idle.map(lambda i: i, [1, 2, 3], desc="Things", size=lambda i: i)
    assert counted[0] == 6
    assert sorted(counted[1:]) == [1, 2, 3]  # in the order in which they are done


def test_a_bar_is_hidden_without_progress(idle, capsys):
    with idle.bar("Things", 3) as bar:
        bar.update(3)
    assert capsys.readouterr().err == ""
    assert bar.disable


# Uploads and downloads ------------------------------------------------------------------------------------------------


def test_bytes_are_put_to_a_signed_address():
    with serve(in_turn(RESET, Answer(200))) as server:
        connect(server).upload(f"{server.url}/bucket/a.png?signature=s", b"\x89PNG")
        first, second = server.seen
    assert (second.method, second.path, second.query, second.body) == (
        "PUT",
        "/bucket/a.png",
        {"signature": "s"},
        b"\x89PNG",
    )
    assert first.body == second.body
    assert second.headers["content-type"] == ""


def test_a_storage_that_refuses_says_so_without_the_signature():
    with (
        serve(lambda seen: Answer(403, b"<Error>expired</Error>")) as server,
        pytest.raises(errors.AuthorisationException, match="it may have expired") as caught,
    ):
        connect(server).upload(f"{server.url}/bucket/a.png?signature=secret", b"")
    assert "secret" not in str(caught.value)


def test_a_download_is_there_whole(tmp_path):
    content = bytes(range(256)) * 4000
    with serve(lambda seen: Answer(200, content)) as server:
        connect(server).download(f"{server.url}/a.png", tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes() == content
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_a_cut_download_is_repeated(tmp_path):
    content = b"0123456789" * 1000
    with serve(in_turn(Answer(200, content, fault="cut"), Answer(503), Answer(200, content))) as server:
        connect(server).download(f"{server.url}/a.png", tmp_path / "a.png")
        assert len(server.seen) == 3
    assert (tmp_path / "a.png").read_bytes() == content


def test_a_download_that_is_always_cut_leaves_no_file(tmp_path):
    with serve(lambda seen: Answer(200, b"0123456789" * 1000, fault="cut")) as server:
        with pytest.raises(errors.ConnectionFailed, match=r"3 tries.*cut off"):
            connect(server, retries=2).download(f"{server.url}/a.png?signature=secret", tmp_path / "a.png")
        assert len(server.seen) == 3
    assert not list(tmp_path.iterdir())


def test_a_download_that_fails_leaves_what_was_there(tmp_path):
    (tmp_path / "a.png").write_bytes(b"old")
    with serve(lambda seen: Answer(404)) as server, pytest.raises(errors.NotFound):
        connect(server).download(f"{server.url}/a.png", tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_a_download_from_nowhere_is_not_tried_again_and_again(tmp_path, monkeypatch):
    pauses = []
    one = Transport("the-key", "http://127.0.0.1:9", progress=False)
    monkeypatch.setattr(one._gate, "sleep", pauses.append)
    with pytest.raises(errors.ConnectionFailed, match="No connection to 127"):
        one.download(f"http://127.0.0.1:{free_port()}/a.png", tmp_path / "a.png")
    assert len(pauses) == 2


def test_the_same_file_can_be_fetched_twice_at_once(tmp_path):
    content = b"0123456789" * 50_000
    with serve(lambda seen: Answer(200, content, late=0.02)) as server:
        one = connect(server)
        one.map(lambda _: one.download(f"{server.url}/a.png", tmp_path / "a.png"), range(8))
    assert (tmp_path / "a.png").read_bytes() == content
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_names_as_long_as_the_file_system_allows(tmp_path):
    name = "a" * 251 + ".png"
    with serve(lambda seen: Answer(200, b"x")) as server:
        connect(server).download(f"{server.url}/a.png", tmp_path / name)
    assert (tmp_path / name).read_bytes() == b"x"


@pytest.mark.parametrize(
    "url", ["a.png", "", "file:///etc/hostname", "ftp://127.0.0.1/x", "http://", "http://[", "//x"]
)
def test_an_address_that_is_none_is_refused_at_once(url, tmp_path):
    with serve(lambda seen: {}) as server:
        for call in (lambda: connect(server).download(url, tmp_path / "x"), lambda: connect(server).upload(url, b"")):
            began = time.monotonic()
            with pytest.raises(errors.HastyError):
                call()
            assert time.monotonic() - began < 1
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_the_callers_error(tmp_path):
    with serve(lambda seen: Answer(200, b"x")) as server, pytest.raises(FileNotFoundError):
        connect(server).download(f"{server.url}/a.png", Path(tmp_path, "nowhere", "a.png"))
