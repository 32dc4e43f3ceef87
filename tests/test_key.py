"""The key goes to the API's host, in a header, and appears nowhere else."""

from __future__ import annotations

import logging
import pickle
import traceback
from pathlib import Path

import pytest
from servers import HTML, RESET, Answer, Seen, Server, free_port, page, serve

import hastyframe as hf
from hastyframe import transport
from hastyframe.transport import Transport

KEY = "s3cr3t-k3y-0f-a-user"
PROJECT = {"id": "p", "name": "Coins", "workspace_id": "w", "content_type": "IMAGES", "description": None}
DATASET = {"id": "d", "name": "train", "project_id": "p", "norder": 0}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(transport, "_FIRST_PAUSE", 0.001)


@pytest.fixture(autouse=True)
def nothing_is_logged_or_printed(caplog, capfd):
    """Whatever a test does, the key is in no log record, not even at the lowest level, and not on the screen."""
    caplog.set_level(logging.DEBUG)
    for name in ("urllib3", "requests", "hastyframe"):
        caplog.set_level(logging.DEBUG, name)
    yield
    for record in caplog.records:
        assert KEY not in record.getMessage() + repr(record.__dict__)
    out, err = capfd.readouterr()
    assert KEY not in out + err


def connect(server: Server, **options) -> Transport:
    return Transport(KEY, server.url, **{"progress": False, "timeout": 0.3, "retries": 1, **options})


def texts_of(error: BaseException) -> str:
    """Everything about an error that a traceback, a debugger or a report of errors would show."""
    parts = ["".join(traceback.format_exception(error))]
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        parts += [str(error), repr(error), repr(error.args), repr(vars(error))]
        following = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        error = following  # type: ignore[assignment]
    return "\n".join(parts)


def test_the_key_goes_to_the_api_in_a_header_and_nowhere_else():
    with serve(lambda seen: page(seen, [{}] * 150)) as server:
        one = connect(server)
        one.listing("/v1/things", {"a": "b"})
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            one.request(method, "/v1/x", body={"a": 1})
        for seen in server.seen:
            assert seen.headers.pop("x-api-key") == KEY
            assert KEY not in seen.text()


def test_no_repr_holds_the_key():
    client = hf.Client(KEY, "http://127.0.0.1:9")
    things = [client, client._transport, client._transport._wire, client._transport._gate]
    project = hf.Project(client._transport, PROJECT)
    things += [project, hf.Dataset(client._transport, DATASET), project._vocabulary]
    for thing in things:
        assert KEY not in repr(thing) + str(thing) + f"{thing}"
    assert KEY not in project._repr_html_()


@pytest.mark.parametrize(
    "answer",
    [
        RESET,
        HTML,
        Answer(200, b"<html>" + KEY.encode()),
        Answer(200, {"a": 1}, fault="cut"),
        Answer(200, {}, late=0.5),
        Answer(302, headers={"Location": f"http://127.0.0.1:9/{KEY}"}),
        Answer(302, headers={"Location": "http://["}),
        Answer(429, {"message": KEY}),
        Answer(200, {"a": 1}, {"Content-Encoding": "gzip"}),
        *(Answer(status, {"message": f"no key {KEY}"}) for status in (400, 401, 402, 403, 404, 418, 500, 502)),
    ],
    ids=str,
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_no_error_holds_the_key(method, answer):
    with serve(lambda seen: answer) as server, pytest.raises(hf.HastyError) as caught:
        connect(server).request(method, "/v1/x", body={"a": 1})
    assert KEY not in texts_of(caught.value)


@pytest.mark.parametrize(
    "base_url",
    [f"http://127.0.0.1:{free_port()}", "https://nowhere.invalid", "http://["],
    ids=["closed port", "unknown host", "no address"],
)
def test_no_error_holds_the_key_where_there_is_no_server(base_url):
    with pytest.raises(hf.HastyError) as caught:
        Transport(KEY, base_url, progress=False, retries=0).post("/v1/x", {})
    assert KEY not in texts_of(caught.value)


def test_no_error_of_many_at_once_holds_the_key():
    with serve(lambda seen: Answer(403, {"message": KEY})) as server, pytest.raises(hf.HastyError) as caught:
        connect(server).listing("/v1/things")
    assert KEY not in texts_of(caught.value)


def test_a_traceback_with_local_variables_does_not_show_it_either():
    with serve(lambda seen: Answer(403)) as server:
        one = connect(server)
        for call in (lambda: one.get("/v1/x"), lambda: one.post("/v1/x", {}), lambda: one.listing("/v1/x")):
            with pytest.raises(hf.HastyError) as caught:
                call()
            shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
            assert KEY not in "".join(shown.format())


def test_an_error_that_is_stored_does_not_hold_it():
    with serve(lambda seen: Answer(401)) as server, pytest.raises(hf.HastyError) as caught:
        connect(server).get("/v1/x")
    assert KEY.encode() not in pickle.dumps(caught.value)


def test_a_bad_key_is_not_repeated_in_the_error():
    for bad in (f"{KEY}\n", f" {KEY}", f"{KEY}\u20ac"):
        with pytest.raises(hf.ValidationException) as caught:
            hf.Client(bad)
        assert KEY not in texts_of(caught.value)


# Other hosts ----------------------------------------------------------------------------------------------------------


def test_no_redirect_takes_the_key_to_another_host():
    with serve(lambda seen: {"value": 1}) as storage:
        elsewhere = Answer(302, headers={"Location": f"{storage.url}/file"})
        with serve(lambda seen: elsewhere) as api:
            assert connect(api).get("/v1/x") == {"value": 1}
        assert api.seen[0].headers["x-api-key"] == KEY
        assert storage.paths() == ["/file"]
        assert KEY not in storage.seen[0].text()


def test_a_redirect_back_to_the_api_does_not_bring_the_key_back():
    servers: list[Server] = []

    def storage_handle(seen: Seen):
        return Answer(307, headers={"Location": f"{servers[0].url}/end"})

    with serve(storage_handle) as storage:

        def api_handle(seen: Seen):
            return {} if seen.path == "/end" else Answer(307, headers={"Location": f"{storage.url}/file"})

        with serve(api_handle) as api:
            servers.append(api)
            connect(api).get("/v1/x")
            assert [KEY in seen.text() for seen in api.seen] == [True, False]
        assert not any(KEY in seen.text() for seen in storage.seen)


def test_a_redirect_within_the_api_keeps_the_key():
    def handle(seen: Seen):
        return {"value": 1} if seen.path == "/v1/x/" else Answer(308, headers={"Location": "/v1/x/"})

    with serve(handle) as api:
        assert connect(api).get("/v1/x") == {"value": 1}
        assert [seen.headers.get("x-api-key") for seen in api.seen] == [KEY, KEY]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_write_is_not_sent_to_another_host(method):
    with serve(lambda seen: {}) as storage:
        away = Answer(307, headers={"Location": f"{storage.url}/file"})
        with serve(lambda seen: away) as api, pytest.raises(hf.UnexpectedAnswer):
            connect(api).request(method, "/v1/x", body={})
        assert storage.seen == []


def test_uploads_and_downloads_are_without_the_key(tmp_path):
    with serve(lambda seen: Answer(200, b"bytes")) as storage, serve(lambda seen: {}) as api:
        one = connect(api)
        one.get("/v1/x")
        one.upload(f"{storage.url}/up?signature=s", b"bytes")
        one.download(f"{storage.url}/down?signature=s", tmp_path / "a")
        one.download(f"{api.url}/down", tmp_path / "b")  # an address is only ever used as it is, wherever it leads
        assert [seen.method for seen in storage.seen] == ["PUT", "GET"]
        for seen in [*storage.seen, *api.seen[1:]]:
            assert KEY not in seen.text()
            assert "x-api-key" not in seen.headers
            assert "authorization" not in seen.headers


def test_nothing_of_a_project_takes_the_key_to_the_storage(tmp_path):
    from PIL import Image

    (tmp_path / "in").mkdir()
    for name in ("in/a.png", "in/b.png", "in/c.png", "d.png"):
        Image.new("L", (4, 3)).save(tmp_path / name)

    def storage_handle(seen: Seen):
        if seen.path == "/old.png":
            return Answer(302, headers={"Location": "/new.png"})
        return Answer(200, b"bytes")

    with serve(storage_handle) as storage:
        images: list[dict] = []

        def api_handle(seen: Seen):
            match seen.method, seen.path.removeprefix("/v1/projects"):
                case "GET", "":
                    return page(seen, [PROJECT])
                case "GET", "/p":
                    return PROJECT
                case "GET", "/p/datasets":
                    return page(seen, [DATASET])
                case "GET", "/p/uploads":
                    count = int(seen.query["count"])
                    return {"items": [{"id": f"u{i}", "url": f"{storage.url}/u{i}?signature=s"} for i in range(count)]}
                case "POST", "/p/images":
                    body = seen.json()
                    image = {"id": f"i{len(images)}", "name": body["filename"], "dataset_id": "d"}
                    images.append(image | {"dataset_name": "train", "public_url": f"{storage.url}/old.png"})
                    return images[-1]
                case "GET", "/p/images":
                    return page(seen, images)
                case "GET", "/p/exports/e":
                    meta = {"url": f"{storage.url}/export.zip", "export_name": "e"}
                    return {"id": "e", "status": "DONE", "meta": meta}
                case "POST", "/p/exports":
                    return {"id": "e", "status": "QUEUED"}
            return Answer(404)

        with serve(api_handle) as api, hf.Client(KEY, api.url, progress=False) as client:
            project = client.get_project("p")
            report = project.upload_images(tmp_path / "in", "train")
            assert list(report["outcome"]) == ["uploaded"] * 3
            project.upload_from_file("train", tmp_path / "d.png")
            report = project.download_images(folder=tmp_path / "out")
            assert set(report["outcome"]) <= {"downloaded", "there already"}
            hf.Image(client._transport, images[0], {"project_id": "p"}).download(tmp_path / "one.png")
            path = project.export("e", "json_v1.1").wait(progress=False).download(tmp_path)
            assert Path(path).read_bytes() == b"bytes"

        assert {seen.method for seen in storage.seen} == {"PUT", "GET"}
        assert len(storage.seen) >= 4 + 2 * 4 + 1
        assert all(seen.headers["x-api-key"] == KEY for seen in api.seen)
        for seen in storage.seen:
            assert KEY not in seen.text()
            assert "x-api-key" not in seen.headers
            assert "cookie" not in seen.headers
