"""What the official client's own tests expect of a server, said anew and asked of the embedded one."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from PIL import Image
from servers import Answer, serve

from hastyframe.local import LocalServer

from .helpers import png

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its dependencies use what Python is about to drop
    import hasty

pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # urlretrieve of the client

VALUES = ["round", "square", "flat"]
NEWER = hasty.VERSION > (0, 3, 6)
SUBJECT = {"subject_type": "IMAGE"} if NEWER else {}  # the documented client has none


@pytest.fixture(scope="module")
def local():
    with LocalServer() as server:
        yield server


@pytest.fixture(autouse=True)
def no_repeats(monkeypatch):
    """Let an answer that the client repeats (2 s, seven times) fail at once."""
    import requests

    def request(method, url, _request=requests.request, **options):
        response = _request(method, url, **options)
        assert response.status_code in {200, 201, 204}, response.text
        return response

    monkeypatch.setattr("hasty.requester.requests.request", request)


@pytest.fixture(scope="module")
def address():
    """Where the pictures are: each address has one."""
    with serve(lambda seen: Answer(200, png(90, 60, format="jpeg"), {"Content-Type": "image/jpeg"})) as server:
        yield f"{server.url}/photograph.jpg?w=945&h=494"


@pytest.fixture
def client(local):
    client = hasty.Client(local.api_key, local.base_url)
    yield client
    for project in client.get_projects():
        project.delete()
    assert len(client.get_projects()) == 0


@pytest.fixture
def project(client):
    return client.create_project(client.get_workspaces()[0], "of the tests")


@pytest.fixture
def dataset(project):
    return project.create_dataset("pictures")


@pytest.fixture
def image(project, dataset, address):
    return project.upload_from_url(dataset, "one.jpg", address, True)


@pytest.fixture
def shapes(project):
    """Two selections."""
    further = {"description": "of what", "norder": 2, "values": VALUES, **SUBJECT}
    return [project.create_attribute(f"shape {n}", "SELECTION", **further) for n in (1, 2)]


@pytest.fixture
def classes(project):
    """Two label classes of the same place and color."""
    return [project.create_label_class(f"class {n}", "#12ab34cd", "object", 2) for n in (1, 2)]


# Projects -------------------------------------------------------------------------------------------------------------


def test_an_account_has_one_workspace(client):
    [workspace] = client.get_workspaces()
    assert isinstance(workspace.id, str)
    assert len(workspace.id) == 36
    assert workspace.name


def test_projects_come_change_and_go(client):
    [workspace] = client.get_workspaces()
    assert len(client.get_projects()) == 0
    plain = client.create_project(workspace, "plain")
    said = client.create_project(workspace.id, "said", "what it is for")
    assert len(plain.id) == len(said.id) == 36
    assert (plain.name, said.name, said.description) == ("plain", "said", "what it is for")
    said.edit("said again", "what else it is for")
    assert (said.name, said.description) == ("said again", "what else it is for")
    said.delete()
    assert [project.id for project in client.get_projects()] == [plain.id]
    there = client.get_project(plain.id)
    assert (there.id, there.name) == (plain.id, "plain")


# Datasets and classes -------------------------------------------------------------------------------------------------


def test_datasets_come_change_and_go(project):
    assert len(project.get_datasets()) == 0
    dataset = project.create_dataset("raw", 1)
    assert (len(dataset.id), dataset.name) == (36, "raw")
    dataset.edit("sorted", 2)
    assert (dataset.name, dataset.norder) == ("sorted", 2)
    there = project.get_dataset(dataset.id)
    assert (there.id, there.name, there.norder) == (dataset.id, "sorted", 2)
    assert len(project.get_datasets()) == 1
    dataset.delete()
    assert len(project.get_datasets()) == 0


def test_label_classes_come_change_and_go(project):
    assert len(project.get_label_classes()) == 0
    cell = project.create_label_class("cell", "#12ab34cd", "object", 2)
    assert (len(cell.id), cell.name, cell.color, cell.class_type, cell.norder) == (36, "cell", "#12ab34cd", "object", 2)
    cell.edit("ground", "#00112233", "background", 3)
    assert (cell.name, cell.color, cell.class_type, cell.norder) == ("ground", "#00112233", "background", 3)
    [there] = project.get_label_classes()
    assert (there.name, there.color, there.class_type, there.norder) == ("ground", "#00112233", "background", 3)
    cell.delete()
    assert len(project.get_label_classes()) == 0


def test_tag_classes_come_change_and_go(project):
    assert len(project.get_tag_classes()) == 0
    dark = project.create_tag_class("dark", 2)
    assert (len(dark.id), dark.name, dark.norder) == (36, "dark", 2)
    dark.edit("too dark", 3)
    assert (dark.name, dark.norder) == ("too dark", 3)
    there = project.get_tag_class(dark.id)
    assert (there.id, there.name, there.norder) == (dark.id, "too dark", 3)
    assert len(project.get_tag_classes()) == 1
    dark.delete()
    assert len(project.get_tag_classes()) == 0


# Attributes -----------------------------------------------------------------------------------------------------------


def test_attributes_come_change_and_go(project):
    assert len(project.get_attributes()) == 0
    shape = project.create_attribute("shape", "SELECTION", description="of what", norder=2, values=VALUES, **SUBJECT)
    found = (len(shape.id), shape.name, shape.attribute_type, shape.description, shape.norder)
    assert found == (36, "shape", "SELECTION", "of what", 2)
    assert [value["value"] for value in shape.values] == VALUES
    shape.edit("form", "SELECTION", description="of it", norder=3, values=VALUES[:2], **SUBJECT)
    [there] = project.get_attributes()
    for one in (shape, there):
        found = (one.name, one.attribute_type, one.description, one.norder)
        assert found == ("form", "SELECTION", "of it", 3)
        assert [value["value"] for value in one.values] == VALUES[:2]
    shape.delete()
    assert len(project.get_attributes()) == 0


def test_classes_are_given_attributes(project, shapes, classes):
    pairs = [[{"attribute_id": shape.id, "class_id": class_.id} for class_ in classes] for shape in shapes]
    assert len(project.get_attribute_classes()) == 0
    for given, some in enumerate(pairs, 1):
        project.set_attribute_classes(some)
        assert len(project.get_attribute_classes()) == 2 * given  # what is given adds to what is there
    project.delete_attribute_classes([*pairs[1], *pairs[0]])
    assert len(project.get_attribute_classes()) == 0


def test_labels_are_given_values(project, shapes, classes, image):
    project.set_attribute_classes([{"attribute_id": shape.id, "class_id": classes[0].id} for shape in shapes])
    label = image.create_label(classes[0], [10, 10, 20, 20])
    assert len(label.get_attributes()) == 0
    label.set_attribute(shapes[0], shapes[0].values[0]["id"])
    assert [value.value for value in label.get_attributes()] == [shapes[0].values[0]["id"]]


# Images ---------------------------------------------------------------------------------------------------------------


def test_images_come_from_files_and_addresses(project, dataset, address, tmp_path):
    path = tmp_path / "file.jpg"
    Image.fromarray(np.zeros((40, 50, 3), np.uint8)).save(path)
    project.upload_from_file(dataset, str(path))
    [image] = project.get_images()
    assert image.name == "file.jpg"
    project.upload_from_url(dataset, "address.jpg", address, True)
    images = project.get_images()
    assert {images[0].name, images[1].name} == {"file.jpg", "address.jpg"}
    for image in images:
        image.download(str(tmp_path / f"again {image.name}"))
        with Image.open(tmp_path / f"again {image.name}") as picture:
            assert picture.size == (image.width, image.height)
    dataset.delete()
    assert len(project.get_images()) == 0


def test_images_are_found_by_status_and_dataset(project, address):
    one, two = project.create_dataset("one"), project.create_dataset("two")
    project.upload_from_url(one, "new.jpg", address, True)
    project.upload_from_url(one, "seen.jpg", address, True).set_status("TO REVIEW")
    project.upload_from_url(two, "done.jpg", address, True).set_status("DONE")
    assert len(project.get_images()) == 3
    assert [image.name for image in project.get_images(image_status="DONE")] == ["done.jpg"]
    assert len(project.get_images(image_status=["DONE", "TO REVIEW"])) == 2
    assert len(project.get_images(dataset=two, image_status=["DONE", "TO REVIEW"])) == 1
    assert len(project.get_images(dataset=[one, two])) == 3
    one.delete()
    two.delete()
    assert len(project.get_images()) == 0


def test_images_are_renamed_moved_and_deleted(project, image):
    assert [one.name for one in project.get_images()] == ["one.jpg"]
    image.rename("other.jpg")
    assert image.name == "other.jpg"
    there = project.create_dataset("there")
    image.move(there)
    assert image.dataset_name == "there"
    image.delete()
    assert len(project.get_images()) == 0


# Labels and tags ------------------------------------------------------------------------------------------------------


def test_labels_come_change_and_go(image, classes):
    def told(label):
        return label.class_id, label.bbox, label.polygon, label.mask, label.z_index

    assert len(image.get_labels()) == 0
    polygon = [[10, 20], [20, 44], [10, 15]]
    label = image.create_label(classes[0], [10, 10, 50, 50], polygon, z_index=3)
    assert told(label) == (classes[0].id, [10, 10, 50, 50], polygon, None, 3)
    assert [told(one) for one in image.get_labels()] == [told(label)]
    label.edit(classes[1], [15, 15, 55, 55], None, [1, 10, 20, 3], 4)
    assert told(label) == (classes[1].id, [15, 15, 55, 55], None, [1, 10, 20, 3], 4)
    assert [told(one) for one in image.get_labels()] == [told(label)]
    label.delete()
    assert len(image.get_labels()) == 0


def test_images_are_tagged(project, image):
    dark, wet = project.create_tag_class("dark", 1), project.create_tag_class("wet", 2)
    assert len(image.get_tags()) == 0
    image.add_tags([dark])
    [tag] = image.get_tags()
    assert (tag.tag_class_id, tag.tag_class_name) == (dark.id, "dark")
    image.add_tags([{"tag_class_id": wet.id}])
    assert len(image.get_tags()) == 2
    image.add_tags([dark, wet])  # which it has
    assert len(image.get_tags()) == 2


def test_tags_are_taken_away_whether_they_are_there_or_not(project, image):
    dark, wet = project.create_tag_class("dark", 1), project.create_tag_class("wet", 2)
    image.add_tags([dark, wet])
    tags = image.get_tags()
    image.delete_tags([tags[0]])
    assert len(image.get_tags()) == 1
    image.delete_tags([dark, wet])  # one of them is gone
    assert len(image.get_tags()) == 0
    assert len(image.add_tags([dark, wet])) == 2
    image.delete_tags([{"tag_class_id": dark.id}])
    [left] = image.get_tags()
    image.delete_tags([{"tag_id": left.id}])
    assert len(image.get_tags()) == 0
    image.delete_tags([{"tag_id": left.id}, {"tag_class_id": dark.id}])
    assert len(image.get_tags()) == 0
