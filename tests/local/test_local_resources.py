"""Workspaces, projects, datasets, classes, attributes: made, listed, edited, deleted."""

from __future__ import annotations

import pytest
import requests

NOBODY = "00000000-0000-4000-8000-000000000000"


def test_one_workspace(api):
    page = api.get("/v1/workspaces")
    assert page["meta"] == {"total": 1}
    assert set(page["items"][0]) == {"id", "name"}


def test_project_lives_and_dies(api):
    shown = api.get("")
    assert shown == {
        "id": api.project["id"],
        "name": "project",
        "description": None,
        "workspace_id": api.workspace_id,
        "content_type": "IMAGES",
    }
    edited = api.put("", {"name": "renamed", "description": "why"})
    assert edited == {**shown, "name": "renamed", "description": "why"}
    assert edited in api.get("/v1/projects", limit=1000)["items"]
    api.delete("")
    assert api.refused(404, "GET", "") == f"there is no Project with id {shown['id']!r}"


@pytest.mark.parametrize("kind", ["datasets", "label_classes", "tag_classes"])
def test_things_of_a_project(api, kind):
    one, two = (api.post(kind, {"name": name}) for name in ("one", "two"))
    assert (one["norder"], two["norder"]) == (10, 11)
    assert one["project_id"] == api.project["id"]
    assert api.get(kind)["items"] == [one, two]
    assert api.get(f"{kind}/{two['id']}") == two
    assert api.put(f"{kind}/{one['id']}", {"name": "first", "norder": 2.5}) == {**one, "name": "first", "norder": 2.5}
    assert api.put(f"{kind}/{one['id']}", {"name": "first", "norder": None})["norder"] == 2.5
    api.delete(f"{kind}/{one['id']}")
    assert "there is no" in api.refused(404, "GET", f"{kind}/{one['id']}")
    assert "there is no" in api.refused(404, "DELETE", f"{kind}/{one['id']}")
    assert api.get(kind) == {"meta": {"total": 1}, "items": [two]}


def test_things_of_another_project_are_not_there(api):
    dataset = api.dataset()
    other = api.post("/v1/projects", {"workspace_id": api.workspace_id, "name": "other"})["id"]
    assert "Dataset" in api.refused(404, "GET", f"/v1/projects/{other}/datasets/{dataset}")
    assert "Project" in api.refused(404, "GET", f"/v1/projects/{NOBODY}/datasets/{dataset}")
    assert "Project" in api.refused(404, "GET", "/v1/projects/not-an-id/datasets")


def test_paging_keeps_the_order_of_creation(api):
    names = [f"{number:03}" for number in range(25, 0, -1)]
    for name in names:
        api.dataset(name)
    pages = [api.get("datasets", offset=offset, limit=10) for offset in (0, 10, 20, 30)]
    assert [page["meta"]["total"] for page in pages] == [25] * 4
    assert [len(page["items"]) for page in pages] == [10, 10, 5, 0]
    assert [item["name"] for page in pages for item in page["items"]] == names


@pytest.mark.parametrize("query", [{"limit": -1}, {"offset": -1}, {"offset": "x"}, {"limit": 2**70}])
def test_paging_is_checked(api, query):
    assert next(iter(query)) in api.refused(400, "GET", "datasets", params=query)


def test_label_class(api):
    one = api.post("label_classes", {"name": "cat", "color": None, "type": "object", "norder": None})
    assert one["color"].startswith("#")
    assert one["type"] == "object"
    given = {"name": "sky", "color": "#0f0f0faa", "type": "background", "norder": 7, "external_id": "s"}
    two = api.post("label_classes", given)
    assert {key: two[key] for key in given} == given
    edited = api.put(
        f"label_classes/{two['id']}", {"name": "sky", "color": None, "type": "object", "external_id": None}
    )
    assert (edited["color"], edited["type"], edited["external_id"]) == ("#0f0f0faa", "object", None)
    assert one["color"] != api.post("label_classes", {"name": "dog"})["color"]


def test_attribute_keeps_the_ids_of_values_that_stay(api):
    body = {"name": "size", "type": "SELECTION", "values": [{"value": "S"}, {"value": "L"}]}
    made = api.post("attributes", body)
    assert made["subject_type"] == "LABEL"
    small, large = made["values"]
    edited = api.put(f"attributes/{made['id']}", {**body, "values": [{"value": "L"}, {"value": "M"}]})
    assert [value["value"] for value in edited["values"]] == ["L", "M"]
    assert edited["values"][0] == large
    assert edited["values"][1]["id"] not in {small["id"], large["id"]}
    assert api.put(f"attributes/{made['id']}", {"name": "extent", "type": "SELECTION"})["values"] == edited["values"]
    assert api.get("attributes")["items"][0]["name"] == "extent"
    api.delete(f"attributes/{made['id']}")


def test_attribute_without_values(api):
    made = api.post("attributes", {"name": "note", "type": "TEXT", "subject_type": "IMAGE", "norder": None})
    assert (made["values"], made["subject_type"]) == ([], "IMAGE")


def test_attribute_classes_add_up(api):
    classes = [api.label_class(name) for name in "ab"]
    attribute = api.post("attributes", {"name": "n", "type": "INT"})["id"]
    pairs = [
        {"attribute_id": attribute, "class_id": id_, "attribute_order": 0, "class_order": order}
        for order, id_ in enumerate(classes)
    ]
    assert api.post("attributes_classes", pairs[:1]) == pairs[:1]
    assert api.post("attributes_classes", [{"attribute_id": attribute, "class_id": classes[1]}])[0]["class_order"] == 0
    assert api.post("attributes_classes", pairs[1:]) == pairs[1:]
    assert api.get("attributes_classes") == pairs
    api.delete("attributes_classes", pairs[:1])
    assert "[0]" in api.refused(404, "DELETE", "attributes_classes", json=pairs)
    assert api.get("attributes_classes") == pairs[1:]
    api.delete(f"label_classes/{classes[1]}")
    assert api.get("attributes_classes") == []


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("/v1/projects", {"name": "x", "workspace_id": NOBODY}, "workspace_id: there is no workspace"),
        ("/v1/projects", {"name": "", "workspace_id": NOBODY}, "name: "),
        ("/v1/projects", {"name": "x", "workspace_id": NOBODY, "content_type": "VIDEOS"}, "content_type: "),
        ("datasets", {}, "name: Field required"),
        ("datasets", {"name": 5}, "name: "),
        ("datasets", {"name": "x", "norder": "1"}, "norder: "),
        ("datasets", [], "valid dictionary"),
        ("label_classes", {"name": "x", "color": "red"}, "color: "),
        ("label_classes", {"name": "x", "type": "thing"}, "type: "),
        ("attributes", {"name": "x", "type": "DATE"}, "type: "),
        ("attributes", {"name": "x", "type": "INT", "subject_type": "DOG"}, "subject_type: "),
        ("attributes", {"name": "x", "type": "INT", "values": [{"value": "a"}]}, "values: only selections"),
        ("attributes", {"name": "x", "type": "SELECTION", "values": [{"value": "a"}] * 2}, "values: the same value"),
        ("attributes", {"name": "x", "type": "SELECTION", "values": [{}]}, "values[0].value: "),
        ("attributes_classes", [{"attribute_id": NOBODY, "class_id": NOBODY}], "[0].attribute_id: there is no"),
        ("attributes_classes", [{"attribute_id": NOBODY}], "[0].class_id: Field required"),
    ],
)
def test_what_is_wrong_is_named(api, path, body, said):
    assert said in api.refused(400, "POST", path, json=body)


@pytest.mark.parametrize("key", [None, "", "wrong", "é", "x" * 10_000])
def test_wrong_key(server, api, key):
    headers = {} if key is None else {"X-Api-Key": key.encode()}
    for path in ("/v1/projects", "/v1/nothing", f"/v1/projects/{api.project['id']}/images"):
        response = requests.get(server.base_url + path, headers=headers, timeout=10)
        assert response.status_code == 401
        assert "X-Api-Key" in response.json()["message"]
        assert server.api_key not in response.text


def test_nothing_there(api):
    assert "/v1/dogs" in api.refused(404, "GET", "/v1/dogs")
    response = api.request("PATCH", "datasets")
    assert (response.status_code, response.headers["allow"]) == (405, "GET, POST")
