"""Bodies and addresses of somebody who means harm: refused with a message, never an error of the server."""

from __future__ import annotations

import http.client
import json

import pytest
import requests

WRITES = [
    ("POST", "/v1/projects"),
    ("PUT", ""),
    ("POST", "datasets"),
    ("PUT", "datasets/{dataset}"),
    ("POST", "label_classes"),
    ("PUT", "label_classes/{class}"),
    ("POST", "tag_classes"),
    ("POST", "attributes"),
    ("PUT", "attributes/{attribute}"),
    ("POST", "attributes_classes"),
    ("DELETE", "attributes_classes"),
    ("POST", "image_uploads"),
    ("POST", "images"),
    ("PATCH", "images/{image}"),
    ("PUT", "images/{image}/status"),
    ("POST", "images/{image}/labels"),
    ("PUT", "images/{image}/labels"),
    ("DELETE", "images/{image}/labels"),
    ("POST", "images/{image}/tags"),
    ("DELETE", "images/{image}/tags"),
    ("POST", "labels/{label}/attributes/{attribute}"),
    ("POST", "exports"),
    ("POST", "automated_labeling"),
    ("POST", "object_detection"),
    ("POST", "instance_segmentation"),
    ("POST", "semantic_segmentation"),
    ("POST", "attribute_prediction"),
]
DEEP = "[" * 100_000 + "]" * 100_000
BODIES = {
    "nothing": b"",
    "no JSON": b"<html>",
    "half": b'{"name": "x"',
    "NaN": b'[{"name": NaN, "bbox": [NaN, 0, 1, 1]}]',
    "Infinity": b'{"name": "x", "norder": Infinity, "type": "INT"}',
    "1e999": b'{"name": "x", "norder": 1e999}',
    "deep list": DEEP.encode(),
    "deep object": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "no UTF-8": b'{"name": "\xff\xfe"}',
    "surrogate": b'{"name": "\\ud800"}',
    "text": b'"name"',
    "number": b"5",
    "null": b"null",
    "list in list": b"[[]]",
    "list of null": b"[null]",
    "long list": b"[" + b",".join([b"{}"] * 200_000) + b"]",
    "many lists": b"[" + b",".join([b"[]"] * 3_000_000) + b"]",
    "other types": json.dumps(
        {
            key: {"a": [1]}
            for key in ["name", "type", "dataset_id", "filename", "count", "status", "export_name", "format", "bboxes"]
        }
    ).encode(),
}


@pytest.fixture(scope="module")
def there(server):
    from .helpers import Api

    api = Api(server)
    dataset, class_ = api.dataset(), api.label_class()
    image = api.image(dataset)["id"]
    label = api.post(f"images/{image}/labels", [{"class_id": class_, "bbox": [0, 0, 1, 1]}])["items"][0]["id"]
    attribute = api.post("attributes", {"name": "a", "type": "INT"})["id"]
    ids = {"dataset": dataset, "class": class_, "image": image, "label": label, "attribute": attribute}
    yield api, ids
    api.session.close()


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_bodies(there, body):
    api, ids = there
    for method, path in WRITES:
        response = api.request(method, path.format(**ids), data=body)
        assert 400 <= response.status_code < 500, (method, path, response.text)
        assert response.json()["message"]


def test_bodies_are_bounded(there):
    api, ids = there
    path = f"images/{ids['image']}/labels"
    for data in (b"[" + b" " * (17 * 2**20), (b" " * 2**20 for _ in range(17))):
        assert "too large" in api.refused(413, "POST", path, data=data)


@pytest.mark.parametrize("wrong", ["[]", '""', "-1", "{}", "null", "[1,2,3]", "1e300"])
@pytest.mark.parametrize("field", ["polygon", "mask", "bbox"])
def test_of_many_wrong_numbers_the_first_is_named(there, field, wrong):
    """An error for each would take minutes and gigabytes."""
    api, ids = there
    box = "" if field == "bbox" else '"bbox": [0, 0, 9, 9], '
    numbers = ",".join([wrong] * 900_000)
    body = f'[{{"class_id": "{ids["class"]}", {box}"{field}": [{numbers}]}}]'
    message = api.refused(400, "POST", f"images/{ids['image']}/labels", data=body)
    assert message.startswith(f"[0].{field}")
    assert " more" not in message


@pytest.mark.parametrize("type_", ["INT", "FLOAT", "TEXT", "BOOL", "SELECTION", "MULTIPLE-SELECTION"])
@pytest.mark.parametrize("depth", [1, 253, 254, 255, 300, 1000])
def test_values_of_any_depth(there, type_, depth):
    api, ids = there
    attribute = api.post("attributes", {"name": "a", "type": type_})["id"]
    body = f'{{"value": {"[" * depth}5{"]" * depth}}}'
    said = api.refused(400, "POST", f"labels/{ids['label']}/attributes/{attribute}", data=body)
    assert said.startswith("value: ")


@pytest.mark.parametrize("value", [2**63, 2**64, -(2**63) - 1, 10**400, "\0", "\ud800", 1e308])
def test_numbers_and_texts_at_the_edge(there, value):
    api, ids = there
    bodies = [
        ("POST", f"images/{ids['image']}/labels", [{"class_id": ids["class"], "bbox": [0, 0, 1, 1], "z_index": value}]),
        ("POST", "datasets", {"name": "x", "norder": value}),
        ("POST", "datasets", {"name": value}),
        ("PUT", f"images/{ids['image']}/labels", [{"label_id": ids["label"], "bbox": [0, 0, value, 1]}]),
        ("POST", f"labels/{ids['label']}/attributes/{ids['attribute']}", {"value": value}),
        ("POST", "exports", {"export_name": value, "format": "json_coco"}),
        ("POST", "image_uploads", {"count": value}),
    ]
    for method, path, body in bodies:
        response = api.request(method, path, data=json.dumps(body))
        assert response.status_code < 500, (path, response.text)


@pytest.mark.parametrize("encoding", ["gzip", "br", "gzip, gzip", "x" * 5000, "é"])
def test_compressed_bodies(there, encoding):
    api, _ = there
    headers = {"Content-Encoding": encoding.encode("latin-1")}
    assert "send it as it is" in api.refused(415, "POST", "datasets", data=b'{"name": "x"}', headers=headers)
    upload = api.get("uploads")["items"][0]["url"]
    assert "send it as it is" in api.refused(415, "PUT", upload, data=b"x", headers=headers)


def test_a_length_that_is_a_lie(there):
    api, _ = there
    host = api.server.base_url.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=10)
    connection.putrequest("POST", "/v1/projects")
    connection.putheader("X-Api-Key", api.server.api_key)
    connection.putheader("Content-Length", str(10**15))
    connection.endheaders()
    connection.send(b"{")
    connection.close()
    api.get("/v1/projects")


@pytest.mark.parametrize("id_", ["x", "..", "%2e%2e", "%00", "' OR 1=1 --", "%ff", "x" * 5000, "*", "null"])
def test_ids(there, id_):
    api, _ = there
    for path in (f"/v1/projects/{id_}/images", f"images/{id_}/labels", f"datasets/{id_}", f"exports/{id_}"):
        url = api.server.base_url + api.path(path)
        request = requests.Request("GET", url).prepare()
        request.url = url.replace(" ", "%20").replace("'", "%27")  # as it stands, without .. taken out
        request.headers["X-Api-Key"] = api.server.api_key
        response = api.session.send(request, timeout=10)
        assert response.status_code == 404, (path, response.text)
        assert response.json()["message"]


@pytest.mark.parametrize("query", ["limit=%00", "limit=1&limit=2", "offset=1e3", "limit=NaN", "offset=" + "9" * 5000])
def test_queries(there, query):
    api, _ = there
    api.refused(400, "GET", f"images?{query}")


@pytest.mark.parametrize("host", ["evil.example/path?x=", "a b", "", "x" * 2000, "é"])
def test_hosts_do_not_get_into_addresses_unseen(there, host):
    api, _ = there
    response = api.request("GET", "uploads", headers={"Host": host.encode()})
    assert response.status_code in {200, 400}
    if response.status_code == 200:
        assert "evil.example/path" not in response.text


def test_storage_knows_no_other_paths(there):
    api, ids = there
    for path in ("/storage/../api_key", "/storage/images/..%2f..%2fapi_key", "/storage/uploads/../secret", "/api_key"):
        url = api.server.base_url + path
        request = requests.Request("GET", url).prepare()
        request.url = url
        response = api.session.send(request, timeout=10)
        assert response.status_code in {403, 404, 405}
    assert api.server.api_key == (api.server.folder / "api_key").read_text()
    assert ids
