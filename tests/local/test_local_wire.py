"""What real servers and real clients of the API were seen to do, and this one does as well."""

from __future__ import annotations

import io
import sqlite3
import zipfile

import pytest
import requests
from servers import Answer, serve

from hastyframe.local import LocalServer

from .helpers import Api, png

NOBODY = "00000000-0000-4000-8000-000000000000"
POINTS = {"nose": {"x": 3, "y": 4.5, "visible": True}, "tail": {"x": 8, "y": 1, "visible": False}}


@pytest.fixture
def labels(api):
    """The path of the labels of an image, and a class."""
    return f"images/{api.image(api.dataset())['id']}/labels", api.label_class()


def test_an_answer_has_an_id_of_its_own(api):
    answers = [
        api.request("GET", ""),
        api.request("GET", f"images/{NOBODY}"),
        api.request("POST", "datasets", data=b"{"),
        requests.get(api.server.base_url + "/nowhere", timeout=10),
        requests.get(api.image(api.dataset())["public_url"], timeout=10),
    ]
    assert [answer.status_code for answer in answers] == [200, 404, 400, 404, 200]
    assert len({answer.headers["X-Request-ID"] for answer in answers}) == 5


@pytest.mark.parametrize("kind", ["datasets", "label_classes", "tag_classes", "attributes"])
def test_places_in_lists_begin_at_ten(api, kind):
    more = {"type": "INT"} if kind == "attributes" else {}
    orders = [None, ..., 3, None, 40, ...]
    made = [
        api.post(kind, {"name": f"{number}", **more, **({} if order is ... else {"norder": order})})["norder"]
        for number, order in enumerate(orders)
    ]
    assert made == [10, 11, 3, 12, 40, 41]


def test_pages_of_no_items_and_of_very_many(api):
    for name in "abc":
        api.dataset(name)
    assert api.get("datasets", limit=0) == {"meta": {"total": 3}, "items": []}
    assert api.get("datasets", limit=0, offset=2) == {"meta": {"total": 3}, "items": []}
    assert len(api.get("datasets", limit=100_000)["items"]) == 3


def test_a_project_needs_no_workspace_where_there_is_one(api):
    assert api.post("/v1/projects", {"name": "x"})["workspace_id"] == api.workspace_id
    assert api.post("/v1/projects", {"name": "y", "workspace_id": None})["workspace_id"] == api.workspace_id
    assert "no workspace" in api.refused(400, "POST", "/v1/projects", json={"name": "x", "workspace_id": NOBODY})


@pytest.mark.parametrize(
    ("end", "name"),
    [("a.png", "a.png"), ("b%20c.png?w=9&name=d/e.png#f", "b c.png"), ("%E2%82%AC.png", "€.png"), ("g", "g")],
)
@pytest.mark.parametrize("copy_original", [True, False])
def test_the_address_of_a_picture_tells_its_name(api, end, name, copy_original):
    with serve(lambda seen: Answer(200, png())) as pictures:
        body = {"dataset_id": api.dataset(), "url": f"{pictures.url}/p/{end}", "copy_original": copy_original}
        image = api.post("images", body)
    assert image["name"] == name
    assert (image["public_url"] == body["url"]) is not copy_original


@pytest.mark.parametrize("url", [None, "http://127.0.0.1:9", "http://127.0.0.1:9/a/", "http://127.0.0.1:9/a%2F..%2f.."])
def test_an_image_without_a_name_is_refused(api, url):
    body = {"dataset_id": api.dataset(), "url": url, "upload_id": NOBODY if url is None else None}
    assert "name" in api.refused(400, "POST", "images", json=body)


def test_an_export_needs_a_format_and_a_name(api):
    api.image(api.dataset())
    export = api.post("exports", {"export_name": "all", "format": "json_v1.1"})
    url = api.wait(f"exports/{export['id']}")["meta"]["url"]
    assert url.partition("?")[0].endswith(f"/{export['id']}.zip")
    answer = requests.get(url, timeout=10)
    assert zipfile.ZipFile(io.BytesIO(answer.content)).namelist()
    for wrong in (url.replace(".zip", ""), url.replace(".zip", "xzip"), url.partition("?")[0]):
        assert requests.get(wrong, timeout=10).status_code in (403, 404)


# Key points -----------------------------------------------------------------------------------------------------------


def test_labels_of_key_points_are_kept_and_given_back(api, labels):
    path, class_id = labels
    boxed = {"class_id": class_id, "bbox": [0, 0, 2, 2]}
    made = api.post(path, [{"class_id": class_id, "keypoints": POINTS}, boxed, {**boxed, "keypoints": [[1, 2, 2]]}])
    assert [label.get("keypoints") for label in made["items"]] == [POINTS, None, [[1, 2, 2]]]
    assert "keypoints" not in made["items"][1]
    assert (made["items"][0]["bbox"], made["items"][0]["polygon"]) == (None, None)
    assert api.get(path)["items"] == made["items"]


def test_edits_that_do_not_mention_key_points_keep_them(api, labels):
    path, class_id = labels
    other = api.label_class("other")
    [label] = api.post(path, [{"class_id": class_id, "keypoints": POINTS}])["items"]
    shape = {"label_id": label["id"], "bbox": None, "polygon": None, "mask": None}
    for edit in (
        {**shape, "class_id": other},
        {**shape, "z_index": 4, "external_id": "e"},
        {**shape, "bbox": [0, 0, 1, 1]},
    ):
        assert api.put(path, [edit])["items"][0]["keypoints"] == POINTS
    now = api.put(path, [{**shape, "keypoints": [1]}])["items"][0]
    assert (now["keypoints"], now["class_id"], now["bbox"]) == ([1], other, None)


def test_a_label_keeps_a_shape(api, labels):
    path, class_id = labels
    boxed, pointed = api.post(
        path, [{"class_id": class_id, "bbox": [0, 0, 2, 2]}, {"class_id": class_id, "keypoints": POINTS}]
    )["items"]
    for id_, more in ((boxed["id"], {}), (pointed["id"], {"keypoints": None})):
        edit = {"label_id": id_, "class_id": class_id, **more}
        assert "[0].polygon: a label needs a bbox or a polygon" in api.refused(400, "PUT", path, json=[edit])
    assert "polygon" in api.refused(400, "POST", path, json=[{"class_id": class_id, "keypoints": None}])
    assert api.get(path)["items"] == [boxed, pointed]


@pytest.mark.parametrize("points", [3, "x", True, pytest.param(b"[" * 600 + b"]" * 600, id="deep")])
def test_key_points_that_cannot_be_kept(api, labels, points):
    path, class_id = labels
    text = points if isinstance(points, bytes) else repr(points).replace("'", '"').lower().encode()
    data = b'[{"class_id": "%s", "bbox": [0, 0, 1, 1], "keypoints": %s}]' % (class_id.encode(), text)
    assert "keypoints" in api.refused(400, "POST", path, data=data)


def _beginning(file):
    return file.read_bytes()[:16] if file.is_file() else b""


def test_a_folder_of_the_tables_before_is_brought_up_to_date(tmp_path):
    with LocalServer(tmp_path / "server") as server:
        api = Api(server)
        path = f"images/{api.image(api.dataset())['id']}/labels"
        api.post(path, [{"class_id": api.label_class(), "bbox": [0, 0, 1, 1]}])
        api.session.close()
    [database] = (file for file in (tmp_path / "server").iterdir() if b"SQLite" in _beginning(file))
    with sqlite3.connect(database) as old:
        old.execute("ALTER TABLE labels DROP COLUMN keypoints")
        old.execute("PRAGMA user_version = 1")
    old.close()
    with LocalServer(tmp_path / "server") as server:
        session = requests.Session()
        session.headers["X-Api-Key"] = server.api_key
        url = f"{server.base_url}{api.base}/{path}"
        [label] = session.get(url, timeout=10).json()["items"]
        body = [{"class_id": label["class_id"], "keypoints": POINTS}]
        assert session.post(url, json=body, timeout=10).json()["items"][0]["keypoints"] == POINTS
        session.close()
