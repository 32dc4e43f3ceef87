"""Servers that answer otherwise than the documentation says, as real ones were seen to do."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from making import make_project
from servers import Answer, page, serve

import hastyframe as hf
from hastyframe import transport
from hastyframe.local import LocalServer

P = "/v1/projects/p"
POINTS = {"nose": {"x": 3, "y": 4, "visible": True}}


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(transport, "_FIRST_PAUSE", 0.001)


def project_of(server) -> hf.Project:
    client = hf.Client("key", server.url, progress=False)
    return hf.Project(client._transport, {"id": "p", "name": "Coins", "workspace_id": "w"})


def lists(**things):
    """Answer lists as a server would that has these things, by the end of the path."""

    def handle(seen):
        found = things.get(seen.path.rpartition("/")[2])
        if callable(found):
            return found(seen)
        return page(seen, [dict(one) for one in found or []]) if seen.method == "GET" else Answer(404)

    return handle


# Errors say which request it was --------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 409, 500])
def test_errors_have_the_id_of_the_request(quick, status):
    body = {"message": "no", "code": "some.code"}
    answer = Answer(status, body, {"X-Request-ID": "7f3a-11"})
    with serve(lambda seen: answer) as server, pytest.raises(hf.HastyError) as caught:
        project_of(server).get_datasets()
    assert caught.value.request_id == "7f3a-11"
    assert f"The server said: no (code some.code) [GET {P}/datasets] (request ID 7f3a-11)" in str(caught.value)


def test_errors_of_answers_that_are_none_have_it_too(quick):
    with serve(lambda seen: Answer(200, b"<html>", {"X-Request-ID": "7f3a-12"})) as server:
        project = project_of(server)
        for call in (project.get_images, lambda: project.create_tag_class("t")):
            with pytest.raises(hf.HastyError, match="7f3a-12") as caught:
                call()
            assert caught.value.request_id == "7f3a-12"


@pytest.mark.parametrize(
    "said", [b'{"message": "no", "code": null}', b'{"message": "no"}', b'{"code": 3}', b"[1]", b"3"]
)
def test_errors_without_a_code_or_an_id(quick, said):
    with serve(lambda seen: Answer(400, said)) as server, pytest.raises(hf.ValidationException) as caught:
        project_of(server).get_datasets()
    assert caught.value.request_id is None
    assert "code" not in str(caught.value)
    assert "request ID" not in str(caught.value)


def test_the_key_does_not_come_back_in_it(quick):
    with serve(lambda seen: Answer(400, {"message": "no"}, {"X-Request-ID": seen.headers["x-api-key"]})) as server:
        client = hf.Client("the-very-secret-key", server.url, progress=False)
        with pytest.raises(hf.ValidationException) as caught:
            client.get_projects()
    assert "the-very-secret-key" not in str(caught.value) + str(caught.value.request_id)


def test_the_embedded_server_gives_one():
    with LocalServer() as server, hf.Client(server.api_key, server.base_url, progress=False) as client:
        project = client.create_project(client.get_workspaces(), "Things")
        project.delete()
        with pytest.raises(hf.NotFound, match=r"request ID [0-9a-f]{16}"):
            project.create_dataset("new")


@pytest.mark.parametrize("status", [200, 201, 202])
def test_accepted_is_success(status):
    made = {"id": "d", "name": "new", "norder": None}
    with serve(lists(datasets=lambda seen: Answer(status, made))) as server:
        assert project_of(server).create_dataset("new").id == "d"


# What answers leave out -----------------------------------------------------------------------------------------------

TAG_CLASSES = [{"id": "t", "name": "dark", "norder": None}]


def test_tags_may_leave_out_their_image():
    def tags(seen):
        found = [{"id": f"{seen.path.split('/')[-2]} t", "tag_class_id": "t", "tag_class_name": "dark"}]
        return page(seen, found) if seen.method == "GET" else found

    images = [{"id": key, "name": key, "dataset_id": "d"} for key in ("i", "j")]
    with serve(lists(tags=tags, tag_classes=TAG_CLASSES, images=images, datasets=[])) as server:
        project = project_of(server)
        assert project.get_tags(["i", "j"])["image_id"].tolist() == ["i", "j"]
        image = hf.Image(project._requester, {**images[1], "project_id": "p"})
        assert image.get_tags()["image_id"].tolist() == ["j"]
        assert image.add_tags(["dark"])["image_id"].tolist() == ["j"]
        rows = pd.DataFrame({"image_id": ["j", "i"], "tag_class_name": "dark"})
        assert project.add_tags(rows)["image_id"].tolist() == ["j", "i"]


def test_values_may_have_the_ids_of_their_attributes():
    attributes = [
        {"id": "a", "name": "size", "type": "INT", "norder": None},
        {"id": "b", "name": "color", "type": "SELECTION", "values": [{"id": "r", "value": "red"}]},
    ]
    values = [{"id": "a", "value": 3}, {"id": "b", "value": "r"}]
    with serve(lambda seen: page(seen, values if "/labels/" in seen.path else attributes)) as server:
        project = project_of(server)
        found = project.get_label_attributes(["l", "m"])
        assert found.index.is_unique
        assert found[["label_id", "attribute_name", "value"]].to_numpy().tolist() == [
            ["l", "size", 3],
            ["l", "color", "red"],
            ["m", "size", 3],
            ["m", "color", "red"],
        ]
        wide = project.get_label_attributes(["l", "m"], wide=True)
        assert wide.to_numpy().tolist() == [[3, "red"], [3, "red"]]
        label = hf.Label(project._requester, {"id": "l", "image_id": "i", "class_id": "c", "project_id": "p"})
        assert label.get_attributes()["attribute_id"].tolist() == ["a", "b"]


def test_new_images_may_leave_out_the_name_of_their_dataset():
    made = {"id": "i", "dataset_id": "d", "width": 4, "height": 3, "format": "PNG", "mode": "RGB", "thumbnail_url": "x"}
    create = lambda seen: Answer(202, {**made, "name": seen.json().get("filename", "a.png")})  # noqa: E731
    with serve(lists(images=create, datasets=[{"id": "d", "name": "train", "norder": None}])) as server:
        project = project_of(server)
        named = project.upload_from_url("train", "b.png", "http://127.0.0.1:9/a.png")
        plain = project.upload_from_url("train", None, "http://127.0.0.1:9/a.png", copy_original=False)
        assert [(image.name, image.dataset_name) for image in (named, plain)] == [
            ("b.png", "train"),
            ("a.png", "train"),
        ]
        sent = [seen.json() for seen in server.seen if seen.method == "POST"]
    assert [body.get("filename", "none") for body in sent] == ["b.png", "none"]
    assert [body["copy_original"] for body in sent] == [True, False]


def test_what_is_not_declared_is_passed_over():
    image = {"id": "i", "name": "a.png", "dataset_id": "d", "format": "PNG", "mode": "L", "thumbnail_url": "http://x"}
    classes = [{"id": "c", "name": "cat", "type": "object", "norder": None, "icon_url": None}]
    handle = lists(images=[image], datasets=[{"id": "d", "name": "train", "norder": None}], label_classes=classes)
    with serve(handle) as server:
        project = project_of(server)
        assert project.get_images()["dataset_id"].tolist() == ["d"]
        assert np.isnan(project.get_label_classes()["norder"]).tolist() == [True]
        assert np.isnan(project.get_datasets()["norder"]).tolist() == [True]


# Key points -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def pointed(pictures):
    """A project with a label of key points and one with a box, on one image."""
    with LocalServer() as server, hf.Client(server.api_key, server.base_url, progress=False) as client:
        project = make_project(client)
        project.upload_images(pictures / "ramp.png", "train")
        image_id = project.get_images().index[0]
        class_id = project.get_label_classes().index[0]
        path = f"/v1/projects/{project.id}/images/{image_id}/labels"
        rows = [{"class_id": class_id, "keypoints": POINTS}, {"class_id": class_id, "bbox": [0, 0, 2, 2]}]
        project._requester.post(path, rows)
        yield project, image_id, lambda: project._requester.listing(path)


def test_labels_of_key_points_are_read(pointed):
    project, image_id, _ = pointed
    for labels in (project.get_labels(), project.get_image(image_id).get_labels(), project.pull().labels):
        assert labels["x_min"].isna().tolist() == [True, False]
        assert labels[["polygon", "mask"]].isna().all(axis=None)


def test_plans_leave_key_points_alone(pointed, tmp_path):
    project, _, read = pointed
    other = project.create_label_class("other")
    labels = project.get_labels()
    after = labels.copy()
    after["class_name"] = "other"
    after = after.drop(columns="class_id")
    assert len(project.plan_labels(labels, labels)) == 0
    report = project.plan_labels(labels, after).apply(tmp_path / "journal")
    assert report.counts["edited"] == 2
    assert [(label.get("keypoints"), label["class_id"]) for label in read()] == [(POINTS, other.id), (None, other.id)]
    report.undo().apply()
    assert [label.get("keypoints") for label in read()] == [POINTS, None]
    assert other.id not in {label["class_id"] for label in read()}


def test_edits_leave_key_points_alone(pointed):
    project, image_id, read = pointed
    other = project.create_label_class("other")
    first, image = project.get_labels().index[0], project.get_image(image_id)
    whole = project.get_labels().drop(columns="class_name").assign(class_id=other.id)
    old = whole["class_id"]
    calls = [
        lambda: project.edit_labels([{"label_id": first, "class_name": "other"}]),
        lambda: image.edit_labels([{"label_id": first, "z_index": 3}]),
        lambda: project.edit_labels(whole),
        lambda: image.edit_labels(whole),
        lambda: project.edit_labels([{"label_id": first, "bbox": [1, 1, 3, 3]}]),
        lambda: project.edit_labels([{"label_id": first, "bbox": None}]),
    ]
    for number, call in enumerate(calls):
        if number == len(calls) - 1:  # from here a box would be lost
            with pytest.raises(hf.FrameError, match="A label needs a box or a polygon"):
                call()
        else:
            call()
        assert read()[0]["keypoints"] == POINTS
    assert read()[0]["class_id"] == old.iloc[0] == other.id
    assert read()[0]["bbox"] == [1, 1, 3, 3]


def test_a_handle_leaves_key_points_alone(pointed):
    project, _, read = pointed
    other = project.create_label_class("other")
    record = read()[0]
    label = hf.Label(project._requester, {**record, "project_id": project.id})
    label.edit(other)
    label.edit(z_index=5)
    assert (read()[0]["keypoints"], read()[0]["class_id"], read()[0]["z_index"]) == (POINTS, other.id, 5)
    boxed = hf.Label(project._requester, {**read()[1], "project_id": project.id})
    with pytest.raises(hf.FrameError, match="A label needs a box or a polygon"):
        boxed.edit(bbox=None)


def test_a_box_cannot_be_taken_from_a_label_that_has_nothing_else(pointed):
    project, _, read = pointed
    labels = project.get_labels()
    after = labels.assign(x_min=np.nan, y_min=np.nan, x_max=np.nan, y_max=np.nan)
    before = read()
    with pytest.raises(hf.FrameError, match="A label needs a box or a polygon"):
        project.plan_labels(labels, after)
    with pytest.raises(hf.FrameError, match=f"row '{labels.index[1]}'.*A label needs a box or a polygon"):
        project.edit_labels(after)
    assert read() == before


# Ids of another system ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ids",
    [
        [3, np.nan, 12],
        pd.array([3, None, 12], dtype="Int64"),
        pd.array([3.0, None, 12.0], dtype="Float64"),
        np.array([3.0, np.nan, 12.0], dtype="float32"),
        [3.0, None, "12"],
        [np.int64(3), None, np.float64(12)],
        ["3", None, "12"],
        pd.array([3, None, 12], dtype="int64[pyarrow]"),
        pd.array([3.0, None, 12.0], dtype="double[pyarrow]"),
    ],
    ids=str,
)
def test_ids_of_another_system_are_taken_by_value(pointed, pictures, ids):
    project, image_id, _ = pointed
    boxes = {"x_min": 0, "y_min": 0, "x_max": 1, "y_max": 1}
    name = project.get_label_classes()["name"].iloc[0]
    rows = pd.DataFrame({"image_id": image_id, "class_name": name, **boxes, "external_id": pd.Series(ids)})
    assert project.create_labels(rows)["external_id"].astype(object).fillna("none").tolist() == ["3", "none", "12"]
    files = pd.DataFrame({"path": [pictures / "ramp.png"] * 3, "external_id": pd.Series(ids)})
    dataset = project.create_dataset("ids").id
    project.upload_images(files.assign(name=["a.png", "b.png", "c.png"]), dataset)
    images = project.get_images(dataset).sort_values("name")
    assert images["external_id"].astype(object).fillna("none").tolist() == ["3", "none", "12"]


@pytest.mark.parametrize("wrong", [3.5, 2.0**60, True, [1], np.inf])
def test_other_numbers_are_no_ids_of_another_system(pointed, pictures, wrong):
    project, image_id, _ = pointed
    name = project.get_label_classes()["name"].iloc[0]
    row = {"image_id": image_id, "class_name": name, "bbox": [0, 0, 1, 1], "external_id": wrong}
    with pytest.raises(hf.FrameError, match="external_id, row 0"):
        project.create_labels([row])
    files = pd.DataFrame({"path": [pictures / "ramp.png"], "external_id": pd.Series([wrong])})
    with pytest.raises(hf.FrameError, match="external_id, row 0"):
        project.upload_images(files, project.create_dataset("ids").id)


# Whole projects -------------------------------------------------------------------------------------------------------


@pytest.fixture
def two():
    with LocalServer() as server, hf.Client(server.api_key, server.base_url, progress=False) as client:
        yield [client.create_project(client.get_workspaces(), name) for name in ("one", "two")]


def fill(project, pictures):
    """Two classes, of which one has both attributes, and one label of the other has a value."""
    project.create_dataset("train")
    project.upload_images(pictures / "ramp.png", "train")
    classes = [project.create_label_class(name) for name in ("cat", "dog")]
    attributes = [project.create_attribute(name, "INT") for name in ("size", "age")]
    pairs = [{"attribute_id": one.id, "class_id": classes[0].id} for one in attributes]
    project.set_attribute_classes(pairs)
    image = project.get_image(project.get_images().index[0])
    image.create_label("dog", [0, 0, 4, 4]).set_attribute("age", 3)


def pairs_of(project) -> list[tuple[str, str]]:
    classes, attributes = project.get_label_classes()["name"], project.get_attributes()["name"]
    found = project.get_attribute_classes()
    return sorted(zip(found["class_id"].map(classes), found["attribute_id"].map(attributes), strict=True))


def test_push_carries_which_classes_have_which_attributes(two, pictures, tmp_path):
    one, other = two
    fill(one, pictures)
    label_set = one.pull()
    assert label_set.label_classes["attributes"].tolist() == [["size", "age"], []]
    other.push(label_set, pictures)
    assert pairs_of(other) == [("cat", "age"), ("cat", "size"), ("dog", "age")]  # a dog has an age
    other.push(label_set, pictures)
    assert pairs_of(other) == [("cat", "age"), ("cat", "size"), ("dog", "age")]
    label_set.to_hasty_json(tmp_path / "a.json")
    again = hf.read_hasty_json(tmp_path / "a.json")
    assert again.label_classes["attributes"].tolist() == [["size", "age"], []]


def test_push_leaves_the_orders_of_pairs_alone(two, pictures):
    one, other = two
    fill(one, pictures)
    label_set = one.pull()
    fill(other, pictures)
    mapped = other.get_attribute_classes().assign(class_order=7.0)
    other.set_attribute_classes(mapped)
    other.push(label_set)
    assert other.get_attribute_classes()["class_order"].tolist() == [7.0, 7.0, 0.0]


def test_a_project_without_pairs_has_no_column_of_them(two, pictures):
    one, _ = two
    one.create_label_class("cat")
    one.create_attribute("size", "INT")
    assert "attributes" not in one.pull().label_classes


def test_push_carries_places_in_lists_that_are_null(two):
    _, other = two
    classes = pd.DataFrame({"name": ["a", "b"], "norder": [np.nan, 4.0], "class_type": "object"}, index=["c", "d"])
    attributes = pd.DataFrame({"name": ["x"], "attribute_type": ["INT"], "norder": [np.nan]}, index=["e"])
    images = pd.DataFrame({"name": [], "dataset_name": [], "width": [], "height": []})
    other.push(hf.LabelSet(images, pd.DataFrame({"image_id": [], "class_id": []}), classes, attributes=attributes))
    assert other.get_label_classes()["norder"].tolist() == [10, 4]
    assert other.get_attributes()["norder"].tolist() == [10]


def test_labels_without_a_shape_do_not_refuse_a_push(two, pictures):
    one, other = two
    fill(one, pictures)
    labels = one.pull()
    frame = labels.labels
    more = frame.assign(x_min=np.nan, y_min=np.nan, x_max=np.nan, y_max=np.nan).set_axis(["bare"])
    both = hf.LabelSet(labels.images, pd.concat([more, frame]), labels.label_classes)
    with pytest.warns(hf.FormatWarning, match="1 of 2 labels have neither a box nor an outline.*'bare'"):
        report = other.push(both, pictures)
    report = report[report["kind"] == "label"]
    assert report["outcome"].tolist() == ["skipped", "created"]
    assert report["id"].isna().tolist() == [True, False]
    assert report["id"].iloc[1] == other.get_labels().index[0]
