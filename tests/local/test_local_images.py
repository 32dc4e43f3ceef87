"""Images: signed addresses, uploads, names, filters, statuses, bytes."""

from __future__ import annotations

import http.server
import io
import struct
import threading
import time
import zlib

import pytest
import requests
from PIL import Image

from hastyframe.entities import STATUSES
from hastyframe.local import LocalServer, files

from .helpers import Api, png


def test_upload_and_download(api):
    dataset = api.dataset("train")
    content = png(33, 21)
    image = api.image(dataset, "ä b.png", content)
    assert {key: image[key] for key in image if key not in {"id", "public_url"}} == {
        "name": "ä b.png",
        "project_id": api.project["id"],
        "dataset_id": dataset,
        "dataset_name": "train",
        "width": 33,
        "height": 21,
        "status": "NEW",
        "external_id": None,
    }
    response = requests.get(image["public_url"], timeout=10)  # no key
    assert response.content == content
    assert response.headers["content-type"] == "image/png"
    assert api.get(f"images/{image['id']}") == image
    assert api.get("images")["items"] == [image]


@pytest.mark.parametrize("format", ["jpeg", "png", "tiff", "webp", "bmp", "gif"])
def test_sizes_come_from_the_bytes(api, format):
    image = api.image(api.dataset(), f"x.{format}", png(17, 9, format=format))
    assert (image["width"], image["height"]) == (17, 9)


@pytest.mark.parametrize("format", ["jpeg", "png", "tiff", "webp"])
@pytest.mark.parametrize("orientation", [1, 2, 6, 7])
def test_size_as_people_see_it(api, format, orientation):
    buffer, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", (20, 10)).save(buffer, format, exif=exif)
    image = api.image(api.dataset(), f"turned.{format}", buffer.getvalue())
    assert (image["width"], image["height"]) == ((10, 20) if orientation >= 5 else (20, 10))


def test_many_addresses_at_once(api):
    new, old = api.get("uploads", count=7)["items"], api.post("image_uploads", {"count": 3})["items"]
    assert len({item["id"] for item in new + old}) == len({item["url"] for item in new + old}) == 10
    assert "count" in api.refused(400, "GET", "uploads", params={"count": 0})
    assert "count" in api.refused(400, "POST", "image_uploads", json={"count": 10**9})


def test_addresses_are_signed(api):
    upload, other = api.get("uploads", count=2)["items"]
    for url in (
        upload["url"].replace(upload["id"], other["id"]),
        upload["url"][:-1],
        upload["url"].replace("expires=", "expires=9"),
        upload["url"].partition("?")[0],
        upload["url"] + "é",
    ):
        response = requests.put(url, data=b"x", timeout=10)
        assert response.status_code == 403
        assert "signature" in response.json()["message"]
    image = api.image(api.dataset())
    assert requests.get(image["public_url"][:-1], timeout=10).status_code == 403


@pytest.mark.parametrize(
    "more",
    [
        "=",
        "",
        "=&expires=",
        "=soon",
        "=9999999999.000",
        "=nan",
        "=-1",
        "=1e999",
        "=%D9%A1%D9%A2",
        "=%00",
        "=" + "9" * 5000,
    ],
)
def test_signed_addresses_are_used_as_they_are(api, more):
    kept, uploading = api.image(api.dataset())["public_url"], api.get("uploads")["items"][0]["url"]
    for method, url in (("GET", kept), ("PUT", uploading)):
        response = requests.request(method, f"{url}&expires{more}", data=b"x", timeout=10)
        assert response.status_code == 403, response.text
        assert "signature" in response.json()["message"]


def test_addresses_expire(tmp_path):
    with LocalServer(tmp_path, upload_lifetime=0.05) as server:
        url = Api(server).get("uploads")["items"][0]["url"]
        time.sleep(0.1)
        response = requests.put(url, data=png(), timeout=10)
    assert response.status_code == 403
    assert "expired" in response.json()["message"]


def test_uploads_are_bounded(api, monkeypatch):
    monkeypatch.setattr("hastyframe.local.images.UPLOAD_LIMIT", 1000)
    upload = api.get("uploads")["items"][0]
    for content in (b"x" * 1001, (b"x" * 400 for _ in range(4))):  # with a length announced, and in chunks
        response = requests.put(upload["url"], data=content, timeout=10)
        assert response.status_code == 413
        assert "too large" in response.json()["message"]
    body = {"dataset_id": api.dataset(), "filename": "a.png", "upload_id": upload["id"]}
    assert "nothing was uploaded" in api.refused(400, "POST", "images", json=body)
    assert not list(api.server.folder.rglob("*.part"))


def test_upload_again_before_use(api):
    upload = api.get("uploads")["items"][0]
    for content in (b"cut off", png(5, 5)):
        requests.put(upload["url"], data=content, headers={"Content-Type": "image/*"}, timeout=10).raise_for_status()
    body = {"dataset_id": api.dataset(), "filename": "a.png", "upload_id": upload["id"], "external_id": "7"}
    assert api.post("images", body)["external_id"] == "7"
    assert "used already" in api.refused(400, "POST", "images", json={**body, "filename": "b.png"})


def bomb() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "is not a picture"), (b"hello", "is not a picture"), (png()[:20], "a.png"), (bomb(), "too many pixels")],
    ids=["empty", "text", "cut", "bomb"],
)
def test_what_is_no_picture_is_named(api, content, said):
    body = {"dataset_id": api.dataset(), "filename": "a.png", "upload_id": api.upload(content)}
    message = api.refused(400, "POST", "images", json=body)
    assert said in message
    assert "a.png" in message
    assert str(api.server.folder) not in message
    assert api.get("images")["meta"]["total"] == 0


@pytest.mark.parametrize(
    "name", ["../x.png", "/etc/x", "a\\b", "a\0b", "x" * 256, "é" * 128, ".", "..", "", "a\nb", 5, None]
)
def test_file_names_are_names(api, name):
    dataset = api.dataset()
    body = {"dataset_id": dataset, "filename": name, "upload_id": api.upload(png())}
    assert api.refused(400, "POST", "images", json=body).startswith("filename: ")
    if name is not None:
        image = api.image(dataset)
        assert api.refused(400, "PATCH", f"images/{image['id']}", json={"filename": name}).startswith("filename: ")


def test_names_are_unique_in_a_dataset(api):
    one, two = api.dataset("one"), api.dataset("two")
    a, b = api.image(one, "a.png"), api.image(one, "b.png")
    elsewhere = api.image(two, "a.png")
    body = {"dataset_id": one, "filename": "a.png", "upload_id": api.upload(png())}
    assert api.refused(400, "POST", "images", json=body).startswith("filename: ")
    assert "'a.png'" in api.refused(400, "PATCH", f"images/{b['id']}", json={"filename": "a.png"})
    assert "'a.png'" in api.refused(400, "PATCH", f"images/{elsewhere['id']}", json={"dataset_id": one})
    assert api.ok("PATCH", f"images/{a['id']}", json={"filename": "a.png"}) == a
    renamed = api.ok("PATCH", f"images/{a['id']}", json={"filename": "c.png"})
    assert renamed == {**a, "name": "c.png"}
    moved = api.ok("PATCH", f"images/{elsewhere['id']}", json={"dataset_id": one})
    assert (moved["dataset_id"], moved["dataset_name"], moved["name"]) == (one, "one", "a.png")


def test_filters(api):
    one, two = api.dataset("one"), api.dataset("two")
    made = [api.image(dataset, f"{number}.png") for dataset in (one, two) for number in range(3)]
    ids = [image["id"] for image in made]
    for id_, status in zip(ids, ("DONE", "TO REVIEW", "NEW", "DONE", "NEW", "SKIPPED"), strict=True):
        api.put(f"images/{id_}/status", {"status": status})

    def found(**query):
        page = api.get("images", **query)
        assert page["meta"]["total"] >= len(page["items"])
        return [ids.index(image["id"]) for image in page["items"]]

    assert found() == [0, 1, 2, 3, 4, 5]
    assert found(dataset_id=two) == [3, 4, 5]
    assert found(dataset_id=f"{two},{one}") == [0, 1, 2, 3, 4, 5]
    assert found(image_status="DONE,SKIPPED") == [0, 3, 5]
    assert found(image_status="DONE", dataset_id=one) == [0]
    assert found(image_status=["DONE", "NEW"], limit=2, offset=1) == [2, 3]
    assert found(image_status="", dataset_id="") == [0, 1, 2, 3, 4, 5]
    assert found(image_status="COMPLETED") == []
    assert "image_status" in api.refused(400, "GET", "images", params={"image_status": "GOOD"})
    assert "dataset_id" in api.refused(400, "GET", "images", params={"dataset_id": "x"})


def test_statuses(api):
    image = api.image(api.dataset())
    for status in STATUSES:
        assert api.put(f"images/{image['id']}/status", {"status": status})["status"] == status
    for status in ("GOOD", "new", None, 5, ["NEW"]):
        assert "status: " in api.refused(400, "PUT", f"images/{image['id']}/status", json={"status": status})


def test_delete_takes_everything_along(api):
    dataset, class_ = api.dataset(), api.label_class()
    image, other = api.image(dataset, "a.png"), api.image(dataset, "b.png")
    label = api.post(f"images/{image['id']}/labels", [{"class_id": class_, "bbox": [0, 0, 1, 1]}])["items"][0]
    path = api.server.folder / "images" / api.project["id"] / image["id"]
    assert path.is_file()
    api.delete(f"images/{image['id']}")
    assert not path.exists()
    assert requests.get(image["public_url"], timeout=10).status_code == 404
    api.refused(404, "GET", f"images/{image['id']}/labels")
    api.refused(404, "GET", f"labels/{label['id']}/attributes")
    api.refused(404, "DELETE", f"images/{image['id']}")
    api.delete(f"datasets/{dataset}")
    assert api.get("images")["meta"]["total"] == 0
    assert not (path.parent / other["id"]).exists()
    api.delete("")
    assert not path.parent.exists()


class Elsewhere(http.server.BaseHTTPRequestHandler):
    """Another web server: pictures, redirects, and what is neither."""

    def do_GET(self):
        if self.path == "/a.png":
            self.send_response(200)
            self.end_headers()
            self.wfile.write(png(8, 6))
            return
        self.send_response(302 if self.path == "/away" else 404)
        if self.path == "/away":
            self.send_header("Location", "file:///etc/passwd")
        self.end_headers()

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def elsewhere():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_image_from_an_address(api, elsewhere):
    body = {"dataset_id": api.dataset(), "filename": "a.png", "url": f"{elsewhere}/a.png"}
    copied = api.post("images", {**body, "copy_original": True})
    assert (copied["width"], copied["height"]) == (8, 6)
    assert requests.get(copied["public_url"], timeout=10).content == png(8, 6)
    linked = api.post("images", {**body, "filename": "b.png", "copy_original": False})
    assert linked["public_url"] == body["url"]
    assert (linked["width"], linked["height"]) == (8, 6)


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://x/y", "a.png", "http://", "http://127.0.0.1:1/x.png", "http://[::1/x", 5]
)
def test_addresses_that_are_not_fetched(api, url):
    body = {"dataset_id": api.dataset(), "filename": "a.png", "url": url}
    assert api.refused(400, "POST", "images", json=body).startswith("url: ")


def test_addresses_that_give_no_picture(api, elsewhere, monkeypatch):
    body = {"dataset_id": api.dataset(), "filename": "a.png"}
    for path, said in (("/away", "could not be fetched"), ("/gone", "answered 404")):
        assert said in api.refused(400, "POST", "images", json={**body, "url": elsewhere + path})
    monkeypatch.setattr(files, "UPLOAD_LIMIT", 10)
    assert "too large" in api.refused(400, "POST", "images", json={**body, "url": f"{elsewhere}/a.png"})
    assert not list(api.server.folder.rglob("*.part"))


def test_bytes_or_address(api):
    body = {"dataset_id": api.dataset(), "filename": "a.png"}
    assert "upload_id" in api.refused(400, "POST", "images", json=body)
    assert "upload_id" in api.refused(400, "POST", "images", json={**body, "upload_id": "../../secret"})
    assert "bucket_id" in api.refused(400, "POST", "images", json={**body, "url": "http://x/y", "bucket_id": "b"})
    body = {"dataset_id": "x", "filename": "a.png", "upload_id": api.upload(png())}
    assert api.refused(400, "POST", "images", json=body).startswith("dataset_id: there is no dataset 'x'")
