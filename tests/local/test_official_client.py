"""The official client, unchanged, drives every documented call against the embedded server."""

from __future__ import annotations

import io
import warnings
import zipfile

import numpy as np
import pytest
from PIL import Image

from hastyframe.local import LocalServer

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its dependencies use what Python is about to drop
    import hasty

pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # urlretrieve of the client


def attributer(picture, boxes):
    return [[{"attribute_name": "size", "lov_ids": []}] for _ in boxes]


@pytest.fixture(scope="module")
def local():
    with LocalServer(models={"attributer": attributer}) as server:
        yield server


@pytest.fixture(autouse=True)
def no_repeats(monkeypatch, local):
    """Let an answer that the client repeats (2 s, seven times) fail at once."""
    import requests

    def request(method, url, _request=requests.request, **options):
        response = _request(method, url, **options)
        assert response.status_code < 500, response.text
        assert response.status_code in {200, 201, 204, 400, 401, 404}, response.text
        return response

    monkeypatch.setattr("hasty.requester.requests.request", request)


@pytest.fixture
def client(local):
    return hasty.Client(local.api_key, local.base_url)


@pytest.fixture
def project(client):
    workspaces = client.get_workspaces()
    assert len(workspaces) == 1
    return client.create_project(workspaces[0], "a project", "what for")


@pytest.fixture
def photograph(tmp_path):
    path = tmp_path / "photograph.jpg"
    pixels = np.full((120, 160, 3), 40, np.uint8)
    pixels[30:70, 40:90] = 220
    Image.fromarray(pixels).save(path)
    return path


def test_projects(client, project):
    assert client.get_project(project.id).description == "what for"
    assert project.id in [item.id for item in client.get_projects()]
    project.edit("renamed", None)
    assert (project.name, client.get_project(project.id).name) == ("renamed", "renamed")
    project.delete()
    with pytest.raises(hasty.exception.NotFound):
        client.get_project(project.id)


def test_wrong_key(local):
    with pytest.raises(hasty.exception.AuthenticationException):
        hasty.Client("wrong", local.base_url).get_projects()


def test_datasets(project):
    made = [project.create_dataset(name, norder) for name, norder in (("one", 0), ("two", 1.5))]
    assert [(d.name, d.norder) for d in project.get_datasets()] == [("one", 0), ("two", 1.5)]
    made[0].edit("first", 3)
    there = project.get_dataset(made[0].id)
    assert (there.name, there.norder, there.project_id) == ("first", 3, project.id)
    made[1].delete()
    assert len(project.get_datasets()) == 1


def test_label_classes(project):
    cat = project.create_label_class("cat")
    sky = project.create_label_class("sky", "#0f0f0faa", "background", 5, "external")
    assert (cat.class_type, cat.norder) == ("object", 10)
    there = project.get_label_class(sky.id)
    assert (there.name, there.color, there.class_type, there.norder, there.external_id) == (
        "sky",
        "#0f0f0faa",
        "background",
        5,
        "external",
    )
    cat.edit("tiger", "#ffffffff", "object", 2)
    assert [c.name for c in project.get_label_classes()] == ["tiger", "sky"]
    cat.delete()
    assert len(project.get_label_classes()) == 1


def test_tag_classes(project):
    one, two = project.create_tag_class("one"), project.create_tag_class("two", 7)
    one.edit("first")
    one.edit("first", 3)
    assert (project.get_tag_class(one.id).name, project.get_tag_class(one.id).norder) == ("first", 3)
    two.delete()
    assert [c.name for c in project.get_tag_classes()] == ["first"]


def test_attributes(project):
    label_class = project.create_label_class("cat")
    note = project.create_attribute("note", "TEXT", values=[])
    subject = {"subject_type": "LABEL"} if hasty.VERSION > (0, 3, 6) else {}  # the documented client has none
    size = project.create_attribute("size", "SELECTION", description="how big", norder=2, values=["S", "L"], **subject)
    assert [value["value"] for value in size.values] == ["S", "L"]
    size.edit("extent", "SELECTION", values=["S", "M"], **subject)
    assert [a.name for a in project.get_attributes()] == ["note", "extent"]
    project.set_attribute_classes([{"attribute_id": size.id, "class_id": label_class.id, "class_order": 1}])
    expected = {"attribute_id": size.id, "class_id": label_class.id, "attribute_order": 0, "class_order": 1}
    assert project.get_attribute_classes() == [expected]
    project.delete_attribute_classes([expected])
    assert project.get_attribute_classes() == []
    note.delete()
    assert len(project.get_attributes()) == 1


def test_images(project, photograph, tmp_path):
    one, two = project.create_dataset("one"), project.create_dataset("two")
    image = project.upload_from_file(one, str(photograph), external_id="e")
    assert (image.name, image.width, image.height, image.status) == ("photograph.jpg", 160, 120, "NEW")
    assert (image.dataset_name, image.external_id) == ("one", "e")
    copy = project.upload_from_url(two, "copy.jpg", image.public_url)
    linked = project.upload_from_url(two.id, "linked.jpg", image.public_url, copy_original=False)
    assert (copy.width, linked.public_url) == (160, image.public_url)
    copy.download(str(tmp_path / "again.jpg"))
    assert (tmp_path / "again.jpg").read_bytes() == photograph.read_bytes()
    image.set_status("DONE")
    image.rename("renamed.jpg")
    image.move(two)
    there = project.get_image(image.id)
    assert (there.name, there.dataset_id, there.dataset_name, there.status) == ("renamed.jpg", two.id, "two", "DONE")
    assert [i.name for i in project.get_images(two, ["NEW", "TO REVIEW"])] == ["copy.jpg", "linked.jpg"]
    assert len(project.get_images([one, two], "DONE")) == 1
    assert len(project.get_images(one)) == 0
    with pytest.raises(hasty.exception.ValidationException, match="already"):
        project.upload_from_url(two, "copy.jpg", image.public_url)
    image.delete()
    with pytest.raises(hasty.exception.NotFound):
        project.get_image(image.id)


def test_labels(project, photograph):
    image = project.upload_from_file(project.create_dataset("d"), str(photograph))
    cat, dog = project.create_label_class("cat"), project.create_label_class("dog")
    box = image.create_label(cat, bbox=[0, 0, 4, 2], mask=[1, 2, 7, 2], external_id="e")
    assert (box.class_id, box.bbox, box.mask, box.z_index, box.external_id) == (
        cat.id,
        [0, 0, 4, 2],
        [1, 2, 7, 2],
        0,
        "e",
    )
    more = image.create_labels(
        [
            {"class_id": cat.id, "polygon": [[0, 0], [5, 0], [5, 5]]},
            {"class_id": dog.id, "bbox": [1, 1, 3, 3], "z_index": 2},
        ]
    )
    assert [label.z_index for label in more] == [0, 2]  # it sends null from here
    box.edit(dog, bbox=[0, 0, 9, 9])
    assert (box.class_id, box.mask, box.z_index) == (dog.id, None, 0)
    edits = [{"label_id": label.id, "class_id": cat.id, "bbox": [2, 2, 4, 4]} for label in reversed(more)]
    assert [label.id for label in image.edit_labels(edits)] == [more[1].id, more[0].id]
    assert [label.bbox for label in image.get_labels()] == [[0, 0, 9, 9], [2, 2, 4, 4], [2, 2, 4, 4]]
    box.delete()
    image.delete_labels([label.id for label in more])
    assert len(image.get_labels()) == 0


def test_pages(project, photograph):
    image = project.upload_from_file(project.create_dataset("d"), str(photograph))
    cat = project.create_label_class("cat")
    boxes = [[n, 0, n + 1, 1] for n in range(250)]
    for first in range(0, 250, 100):
        image.create_labels([{"class_id": cat.id, "bbox": box} for box in boxes[first : first + 100]])
    labels = image.get_labels()
    assert [labels[n].bbox for n in range(len(labels))] == boxes
    image.delete_labels([labels[n].id for n in range(250)])


def test_label_attributes(project, photograph):
    image = project.upload_from_file(project.create_dataset("d"), str(photograph))
    label = image.create_label(project.create_label_class("cat"), bbox=[0, 0, 4, 2])
    size = project.create_attribute("size", "SELECTION", values=["S", "L"])
    legs = project.create_attribute("legs", "INT", "IMAGE", values=[])
    label.set_attribute(size, size.values[1]["id"])
    label.set_attribute(legs.id, 4)
    label.set_attribute(legs.id, 3)
    found = label.get_attributes()
    assert [(a.attribute_id, a.value) for a in found] == [(size.id, size.values[1]["id"]), (legs.id, 3)]


def test_tags(project, photograph):
    image = project.upload_from_file(project.create_dataset("d"), str(photograph))
    one, two, three = (project.create_tag_class(name) for name in ("one", "two", "three"))
    tags = image.add_tags([one, {"tag_class_id": two.id}, three])
    assert [tag.tag_class_name for tag in image.get_tags()] == ["one", "two", "three"]
    image.delete_tags([one, tags[1], {"tag_class_id": three.id}])
    assert len(image.get_tags()) == 0


@pytest.mark.parametrize("export_format", ["json_v1.1", "semantic_png", "json_coco", "images"])
def test_exports(project, photograph, tmp_path, export_format):
    dataset = project.create_dataset("d")
    image = project.upload_from_file(dataset, str(photograph))
    image.create_label(project.create_label_class("cat"), bbox=[0, 0, 4, 2])
    image.set_status("DONE")
    job = project.export("the export", export_format, dataset, labels_order=["z_index"], sign_urls=True)
    for _ in range(500):
        job._last_check = None  # it looks again after ten seconds only
        if job.check_status() == "DONE":
            break
    assert job.meta["export_name"] == "the export"
    job._last_check = None
    job.download(str(tmp_path))
    with zipfile.ZipFile(io.BytesIO((tmp_path / "the export.zip").read_bytes())) as archive:
        assert archive.testzip() is None
        assert archive.namelist()


def test_predictions(project, photograph):
    cat = project.create_label_class("cat")
    (found,) = project.get_instance_segmentor().predict(image_path=str(photograph))
    assert found["class_id"] == cat.id
    assert 0.5 <= found["score"] <= 1
    assert abs(np.array(found["bbox"]) - [40, 30, 90, 70]).max() <= 2
    (boxed,) = project.get_detector().predict(image_path=str(photograph), confidence_threshold=0.1)
    assert boxed["bbox"] == found["bbox"]
    image = project.upload_from_file(project.create_dataset("d"), str(photograph))
    (region,) = project.get_semantic_segmentor().predict(image_url=image.public_url, min_size=10)
    assert region["mask"] == found["mask"]
    size = project.create_attribute("size", "SELECTION", values=["S", "L"])
    seen = project.get_attributer().predict(image_path=str(photograph), bboxes=[[0, 0, 5, 5]])
    assert seen == [[{"bbox": [0, 0, 5, 5], "attribute_id": size.id, "lov_ids": []}]]


def test_automated_labeling(project, photograph):
    project.create_label_class("cat")
    image = project.upload_from_file(project.create_dataset("d"), str(photograph))
    job = project.create_automated_labeling_job("experiment", confidence_threshold=0.5)
    for _ in range(500):
        job._last_check = None
        if job.check_status()["status"] == "DONE":
            break
    assert job.check_status()["progress"] == 100
    assert len(image.get_labels()) == 1
    assert project.get_image(image.id).status == "AUTO-LABELLED"
    assert [j.experiment_id for j in project.get_automated_labeling_jobs()] == ["experiment"]
    assert project.get_automated_labeling_job(job._job_id or job._id).status == "DONE"
