"""Labels, the values of their attributes, tags."""

from __future__ import annotations

import pytest

from hastyframe.entities import BATCH_LIMIT

NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def class_id(api):
    return api.label_class("cat")


@pytest.fixture
def path(api):
    return f"images/{api.image(api.dataset())['id']}/labels"


def test_what_comes_back(api, class_id, path):
    sent = [
        {"bbox": [10, 10, 14, 12], "mask": [1, 2, 7, 2], "external_id": "e", "z_index": 1.5},
        {"polygon": [[0, 0], [3.5, 0], [0, 4]], "z_index": None},
        {"bbox": [0.0, -2, 5, 2.0], "polygon": None, "mask": None, "tool_used": "api", "unknown": {"key": 1}},
        {"bbox": [0, 0, 2, 2], "mask": []},
    ]
    made = api.post(path, [{"class_id": class_id, **label} for label in sent])["items"]
    image_id = path.split("/")[1]
    for label in made:
        assert (label["image_id"], label["project_id"]) == (image_id, api.project["id"])
    geometry = [[label[key] for key in ("bbox", "polygon", "mask", "z_index", "external_id")] for label in made]
    assert geometry == [
        [[10, 10, 14, 12], None, [1, 2, 7, 2], 1.5, "e"],
        [None, [[0, 0], [3.5, 0], [0, 4]], None, 0, None],
        [[0, -2, 5, 2], None, None, 0, None],
        [[0, 0, 2, 2], None, [], 0, None],
    ]
    assert api.get(path) == {"meta": {"total": 4}, "items": made}
    assert api.get(path, offset=1, limit=2) == {"meta": {"total": 4}, "items": made[1:3]}


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ({}, "[1].polygon: a label needs a bbox or a polygon"),
        ({"bbox": [7, 0, 5, 2]}, "[1].bbox: x_max 5 must be greater than x_min 7"),
        ({"bbox": [0, 2, 5, 2]}, "[1].bbox: y_max 2 must be greater than y_min 2"),
        ({"bbox": [0, 0, 1]}, "[1].bbox: "),
        ({"bbox": [0, 0, 1, 1, 1]}, "[1].bbox: "),
        ({"bbox": [0, 0, 1.5, 1]}, "[1].bbox: x_max 1.5 must be a whole number"),
        ({"bbox": [0, 0, 2**31, 1]}, "[1].bbox: x_max"),
        ({"bbox": [0, 0, 10**300, 1]}, "[1].bbox: x_max"),
        ({"bbox": ["0", 0, 1, 1]}, "[1].bbox[0]: "),
        ({"bbox": [True, 0, 2, 2]}, "[1].bbox[0]: "),
        ({"bbox": {"x": 1}}, "[1].bbox: "),
        ({"bbox": "0,0,1,1"}, "[1].bbox: "),
        ({"polygon": [[0, 0], [1, 1]]}, "[1].polygon: "),
        ({"polygon": []}, "[1].polygon: "),
        ({"polygon": [[0, 0], [1, 1], [2]]}, "[1].polygon[2]: "),
        ({"polygon": [[0, 0], [1, 1], ["a", 2]]}, "[1].polygon[2][0]: "),
        ({"mask": [1, 1]}, "[1].mask: a mask needs a bbox"),
        ({"polygon": [[0, 0], [1, 1], [2, 0]], "mask": [1, 1]}, "[1].mask: a mask needs a bbox"),
        ({"bbox": [0, 0, 4, 2], "mask": [1]}, "[1].mask: runs are pairs"),
        ({"bbox": [0, 0, 4, 2], "mask": [0, 1]}, "[1].mask: start 0 must be at least 1"),
        ({"bbox": [0, 0, 4, 2], "mask": [1, 3, 3, 1]}, "[1].mask: start 3 must be at least 4"),
        ({"bbox": [0, 0, 4, 2], "mask": [5, 1, 1, 1]}, "[1].mask: start 1 must be at least 6"),
        ({"bbox": [0, 0, 4, 2], "mask": [1, 0]}, "[1].mask: length 0"),
        ({"bbox": [0, 0, 4, 2], "mask": [1, 9]}, "[1].mask: the last run ends at 9, behind the 8 pixels"),
        ({"bbox": [0, 0, 4, 2], "mask": [-1, 2]}, "[1].mask[0]: "),
        ({"bbox": [0, 0, 4, 2], "mask": ["1", 2]}, "[1].mask[0]: "),
        ({"bbox": [0, 0, 4, 2], "mask": [1.5, 2]}, "[1].mask[0]: "),
        ({"bbox": [0, 0, 1, 1], "class_id": NOBODY}, f"[1].class_id: there is no label class '{NOBODY}'"),
        ({"bbox": [0, 0, 1, 1], "class_id": None}, "[1].class_id: "),
        ({"bbox": [0, 0, 1, 1], "z_index": "1"}, "[1].z_index: "),
        ({"bbox": [0, 0, 1, 1], "external_id": 5}, "[1].external_id: "),
    ],
)
def test_all_or_nothing(api, class_id, path, label, said):
    good = {"class_id": class_id, "bbox": [0, 0, 1, 1]}
    assert said in api.refused(400, "POST", path, json=[good, {"class_id": class_id, **label}, good])
    assert api.get(path)["meta"]["total"] == 0


def test_classes_of_other_projects_are_unknown(api, path):
    other = api.post("/v1/projects", {"workspace_id": api.workspace_id, "name": "other"})["id"]
    foreign = api.post(f"/v1/projects/{other}/label_classes", {"name": "cat"})["id"]
    assert "[0].class_id" in api.refused(400, "POST", path, json=[{"class_id": foreign, "bbox": [0, 0, 1, 1]}])


def test_batch_limit(api, class_id, path):
    label = {"class_id": class_id, "bbox": [0, 0, 1, 1]}
    made = api.post(path, [label] * BATCH_LIMIT)["items"]
    assert "100" in api.refused(400, "POST", path, json=[label] * (BATCH_LIMIT + 1))
    edits = [{**label, "label_id": one["id"]} for one in made]
    assert "100" in api.refused(400, "PUT", path, json=[*edits, edits[0]])
    assert api.get(path)["meta"]["total"] == BATCH_LIMIT
    assert api.post(path, []) == api.put(path, []) == {"items": []}


def test_edit_replaces_geometry(api, class_id, path):
    other = api.label_class("dog")
    body = {"class_id": class_id, "bbox": [0, 0, 2, 2], "mask": [1, 1], "z_index": 3, "external_id": "e"}
    one, two = api.post(path, [body, body])["items"]
    edited = api.put(path, [{"label_id": two["id"], "class_id": other, "bbox": [0, 0, 4, 4], "z_index": None}])["items"]
    assert edited == [{**two, "class_id": other, "bbox": [0, 0, 4, 4], "mask": None}]
    edits = [
        {"label_id": two["id"], "polygon": [[0, 0], [1, 0], [1, 1]], "external_id": None},
        {"label_id": one["id"], "bbox": [1, 1, 2, 2], "z_index": 0},
    ]
    two_now, one_now = api.put(path, edits)["items"]  # in the order sent
    assert two_now == {**edited[0], "bbox": None, "polygon": [[0, 0], [1, 0], [1, 1]], "external_id": None}
    assert one_now == {**one, "bbox": [1, 1, 2, 2], "mask": None, "z_index": 0}
    assert api.get(path)["items"] == [one_now, two_now]


def test_edits_are_all_or_nothing(api, class_id, path):
    one, two = api.post(path, [{"class_id": class_id, "bbox": [0, 0, 2, 2]}] * 2)["items"]
    good = {"label_id": one["id"], "class_id": class_id, "bbox": [0, 0, 9, 9]}
    for bad, status, said in (
        ({**good, "label_id": NOBODY}, 404, "[1].label_id: there is no Label"),
        ({**good, "label_id": one["id"]}, 400, "stands there twice"),
        ({**good, "label_id": two["id"], "class_id": NOBODY}, 400, "[1].class_id"),
        ({**good, "label_id": two["id"], "bbox": None}, 400, "[1].polygon: a label needs"),
        ({"class_id": class_id, "bbox": [0, 0, 1, 1]}, 400, "[1].label_id: Field required"),
    ):
        assert said in api.refused(status, "PUT", path, json=[good, bad])
    assert api.get(path)["items"] == [one, two]


def test_deletes_are_all_or_nothing(api, class_id, path):
    made = api.post(path, [{"class_id": class_id, "bbox": [0, 0, 2, 2]}] * 3)["items"]
    ids = [{"id": label["id"]} for label in made]
    assert "[1].id" in api.refused(404, "DELETE", path, json=[ids[0], {"id": NOBODY}])
    assert api.get(path)["meta"]["total"] == 3
    api.delete(path, [ids[0], ids[2], ids[0]])
    assert api.get(path)["items"] == [made[1]]
    assert "[0].id" in api.refused(400, "DELETE", path, json=[{}])


def test_labels_of_another_image_are_not_there(api, class_id, path):
    other = api.image(api.dataset("other"))["id"]
    label = api.post(path, [{"class_id": class_id, "bbox": [0, 0, 2, 2]}])["items"][0]
    api.refused(404, "DELETE", f"images/{other}/labels", json=[{"id": label["id"]}])
    api.refused(404, "PUT", f"images/{other}/labels", json=[{"label_id": label["id"], "bbox": [0, 0, 2, 2]}])


def test_deleting_a_class_deletes_its_labels(api, class_id, path):
    other = api.label_class("dog")
    made = api.post(path, [{"class_id": id_, "bbox": [0, 0, 2, 2]} for id_ in (class_id, other, class_id)])["items"]
    api.delete(f"label_classes/{class_id}")
    assert api.get(path)["items"] == [made[1]]


# Attributes -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def label(api, class_id, path):
    return api.post(path, [{"class_id": class_id, "bbox": [0, 0, 2, 2]}])["items"][0]


def attribute(api, type_, subject_type="LABEL"):
    values = [{"value": "S"}, {"value": "L"}] if type_.endswith("SELECTION") else None
    body = {"name": f"the {type_}", "type": type_, "subject_type": subject_type, "values": values}
    made = api.post("attributes", body)
    return f"attributes/{made['id']}", made


@pytest.mark.parametrize(
    ("type_", "good", "bad"),
    [
        ("TEXT", ["", "é"], [1, True, ["x"]]),
        ("INT", [0, -5], [1.5, "1", True]),
        ("FLOAT", [0.5, 3], ["1", False]),
        ("BOOL", [True, False], [0, "true"]),
    ],
)
def test_values_have_their_type(api, label, type_, good, bad):
    path, made = attribute(api, type_, "IMAGE")
    for value in good:
        answer = api.post(f"labels/{label['id']}/{path}", {"value": value})
        assert (answer["label_id"], answer["attribute_id"], answer["value"]) == (label["id"], made["id"], value)
        assert api.get(f"labels/{label['id']}/attributes") == {"meta": {"total": 1}, "items": [answer]}
    for value in [*bad, {}, [None]]:
        assert "value: " in api.refused(400, "POST", f"labels/{label['id']}/{path}", json={"value": value})
    assert "value: Field required" in api.refused(400, "POST", f"labels/{label['id']}/{path}", json={})
    assert api.post(f"labels/{label['id']}/{path}", {"value": None})["value"] is None
    assert api.get(f"labels/{label['id']}/attributes")["items"] == []


def test_selections_take_ids(api, label):
    one, made = attribute(api, "SELECTION")
    many, several = attribute(api, "MULTIPLE-SELECTION")
    id_, ids = made["values"][1]["id"], [value["id"] for value in several["values"]]
    assert api.post(f"labels/{label['id']}/{one}", {"value": id_})["value"] == id_
    assert api.post(f"labels/{label['id']}/{many}", {"value": ids})["value"] == ids
    for path, values in ((one, ["L", [id_], 5]), (many, [ids[0], ["L"], [ids[0], ids[0]], [id_]])):
        for value in values:
            assert "value: " in api.refused(400, "POST", f"labels/{label['id']}/{path}", json={"value": value})


def test_an_attribute_in_use_keeps_what_is_used(api, label):
    path, made = attribute(api, "SELECTION")
    small, large = made["values"]
    api.post(f"labels/{label['id']}/{path}", {"value": small["id"]})
    body = {"name": "size", "type": "SELECTION"}
    assert "'S'" in api.refused(400, "PUT", path, json={**body, "values": [{"value": "L"}]})
    assert "type: " in api.refused(400, "PUT", path, json={"name": "size", "type": "TEXT"})
    assert api.put(path, {**body, "values": [{"value": "S"}]})["values"] == [small]
    assert large not in api.get("attributes")["items"][0]["values"]
    api.delete(path)
    assert api.get(f"labels/{label['id']}/attributes")["items"] == []


def test_attributes_of_what_is_not_there(api, label):
    path, _ = attribute(api, "INT")
    assert "Label" in api.refused(404, "POST", f"labels/{NOBODY}/{path}", json={"value": 1})
    assert "Label" in api.refused(404, "GET", f"labels/{NOBODY}/attributes")
    assert "Attribute" in api.refused(404, "POST", f"labels/{label['id']}/attributes/{NOBODY}", json={"value": 1})


# Tags -----------------------------------------------------------------------------------------------------------------


def test_tags(api):
    path = f"images/{api.image(api.dataset())['id']}/tags"
    classes = [api.post("tag_classes", {"name": name}) for name in ("blurred", "dark", "wet")]
    wanted = [{"tag_class_id": class_["id"]} for class_ in classes]
    made = api.post(path, wanted[:2])
    assert [tag["tag_class_name"] for tag in made] == ["blurred", "dark"]
    assert set(made[0]) == {"id", "tag_class_id", "tag_class_name", "project_id", "image_id"}
    assert api.post(path, wanted[1:])[0] == made[1]  # it had that one
    assert api.get(path)["meta"]["total"] == 3
    api.delete(path, [{"tag_id": NOBODY}, {"tag_class_id": NOBODY}])
    api.delete(path, [{"tag_id": made[0]["id"], "tag_class_id": classes[1]["id"]}])  # there is no such tag
    assert api.get(path)["meta"]["total"] == 3
    twice = {"tag_id": made[0]["id"]}
    api.delete(path, [twice, twice, {"tag_id": None, "tag_class_id": classes[1]["id"]}])
    assert [tag["tag_class_name"] for tag in api.get(path)["items"]] == ["wet"]
    api.delete(f"tag_classes/{classes[2]['id']}")
    assert api.get(path)["items"] == []


def test_tags_are_checked(api):
    path = f"images/{api.image(api.dataset())['id']}/tags"
    class_ = api.post("tag_classes", {"name": "wet"})["id"]
    assert "[1].tag_class_id" in api.refused(
        400, "POST", path, json=[{"tag_class_id": class_}, {"tag_class_id": NOBODY}]
    )
    assert api.get(path)["items"] == []
    assert "100" in api.refused(400, "POST", path, json=[{"tag_class_id": class_}] * 101)
    assert "give a tag_id or a tag_class_id" in api.refused(400, "DELETE", path, json=[{}])
