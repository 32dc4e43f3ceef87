"""Exports: all four formats with their options, opened and checked."""

from __future__ import annotations

import io
import json
import zipfile

import numpy as np
import pytest
import requests
from PIL import Image
from pycocotools import mask as coco_mask

from hastyframe.entities import EXPORT_FORMATS
from hastyframe.paths import inside

from .helpers import Api, png


@pytest.fixture(scope="module")
def there(server):
    """Two datasets; in the first a labelled image that is done, and one that is not."""
    api = Api(server)
    one, two = api.dataset("one"), api.dataset("two")
    sky = api.label_class("sky", type="background", color="#0000ffff", norder=0)
    cat = api.label_class("cat", color="#ff0000ff", norder=1)
    dog = api.label_class("dog", color="#00ff00ff", norder=2)
    done = api.image(one, "a.png", png(40, 30))
    new = api.image(one, "b.jpg", png(16, 16, format="jpeg"))
    other = api.image(two, "a.png", png(8, 8, seed=1))
    for image in (done, other):
        api.put(f"images/{image['id']}/status", {"status": "DONE"})
    labels = api.post(
        f"images/{done['id']}/labels",
        [
            {"class_id": dog, "bbox": [10, 10, 14, 12], "mask": [1, 2, 7, 2], "z_index": 1, "external_id": "7"},
            {"class_id": cat, "bbox": [8, 8, 16, 16], "z_index": 0},
            {"class_id": sky, "bbox": [0, 0, 40, 12], "z_index": 2},
            {"class_id": cat, "polygon": [[20, 20], [30, 20], [30, 28], [20, 28]]},
        ],
    )["items"]
    size = api.post("attributes", {"name": "size", "type": "SELECTION", "values": [{"value": "S"}, {"value": "L"}]})
    legs = api.post("attributes", {"name": "legs", "type": "INT"})
    api.post(f"labels/{labels[0]['id']}/attributes/{size['id']}", {"value": size["values"][1]["id"]})
    api.post(f"labels/{labels[0]['id']}/attributes/{legs['id']}", {"value": 4})
    tag = api.post("tag_classes", {"name": "indoors"})["id"]
    api.post(f"images/{done['id']}/tags", [{"tag_class_id": tag}])
    yield api, {"one": one, "two": two, "done": done, "new": new, "other": other, "labels": labels}
    api.session.close()


def export(api, format, name="my export", **options):
    body = {"export_name": name, "format": format, "dataset_id": [], "image_status": [], "sign_urls": False}
    body |= {"semantic_format": "gs_asc", "labels_order": None, **options}
    started = api.post("exports", body)
    assert started["status"] == "NEW"
    assert started["started_on"]
    assert started["meta"]["export_name"] == name
    ended = api.wait(f"exports/{started['id']}")
    assert ended["status"] == "DONE", ended
    assert ended["started_on"] <= ended["completed_on"]
    assert set(ended["meta"]) == {"url", "export_name"}
    response = requests.get(ended["meta"]["url"], timeout=10)  # no key
    assert response.headers["content-type"] == "application/zip"
    assert requests.get(ended["meta"]["url"][:-1], timeout=10).status_code == 403
    archive = zipfile.ZipFile(io.BytesIO(response.content))
    assert archive.testzip() is None
    return archive


def only_json(archive):
    (name,) = archive.namelist()
    assert name == "my export.json"
    return json.loads(archive.read(name))


def test_hasty_json(there):
    api, ids = there
    data = only_json(export(api, "json_v1.1", dataset_id=[ids["one"]], image_status=["DONE"]))
    assert (data["project_name"], data["export_format_version"]) == ("project", "1.1")
    assert [(c["class_name"], c["class_type"], c["color"]) for c in data["label_classes"]] == [
        ("sky", "background", "#0000ffff"),
        ("cat", "object", "#ff0000ff"),
        ("dog", "object", "#00ff00ff"),
    ]
    assert [(a["name"], a["type"], a["values"]) for a in data["attributes"]] == [
        ("size", "SELECTION", ["S", "L"]),
        ("legs", "INT", []),
    ]
    (image,) = data["images"]
    keys = ("image_name", "dataset_name", "width", "height", "image_status", "tags")
    assert [image[key] for key in keys] == ["a.png", "one", 40, 30, "DONE", ["indoors"]]
    assert "public_url" not in image
    first, *_, last = image["labels"]
    assert first["id"] == ids["labels"][0]["id"]
    assert (first["class_name"], first["bbox"], first["mask"]) == ("dog", [10, 10, 14, 12], [1, 2, 7, 2])
    assert first["attributes"] == {"size": "L", "legs": 4}
    assert last["polygon"] == [[20, 20], [30, 20], [30, 28], [20, 28]]


def names(data):
    return [(image["dataset_name"], image["image_name"]) for image in data["images"]]


@pytest.mark.parametrize(
    ("datasets", "statuses", "found"),
    [
        ([], [], ["one/a.png", "one/b.jpg", "two/a.png"]),
        ([], ["DONE"], ["one/a.png", "two/a.png"]),
        (["two"], [], ["two/a.png"]),
        (["one", "two"], ["NEW", "SKIPPED"], ["one/b.jpg"]),
        (["two"], ["NEW"], []),
    ],
)
def test_filters(there, datasets, statuses, found):
    api, ids = there
    options = {"dataset_id": [ids[name] for name in datasets], "image_status": statuses}
    data = only_json(export(api, "json_v1.1", **options))
    assert [f"{image['dataset_name']}/{image['image_name']}" for image in data["images"]] == found
    archive = export(api, "images", **options)
    assert archive.namelist() == found
    assert len(only_json(export(api, "json_coco", **options))["images"]) == len(found)
    pictures = [name for name in export(api, "semantic_png", **options).namelist() if name.endswith(".png")]
    assert len(pictures) == len(found)


def test_signed_addresses(there):
    api, ids = there
    data = only_json(export(api, "json_v1.1", sign_urls=True, dataset_id=[ids["two"]]))
    url = data["images"][0]["public_url"]
    assert "expires=" in url
    assert requests.get(url, timeout=10).content == png(8, 8, seed=1)


# pycocotools is not ready for the way NumPy 2 makes copies.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_coco(there):
    api, ids = there
    data = only_json(export(api, "json_coco", dataset_id=[ids["one"]], image_status=["DONE"]))
    assert [(image["file_name"], image["width"], image["height"]) for image in data["images"]] == [("a.png", 40, 30)]
    assert [category["name"] for category in data["categories"]] == ["sky", "cat", "dog"]
    category = {category["id"]: category["name"] for category in data["categories"]}
    found = [(category[a["category_id"]], a["bbox"], a["area"], a["iscrowd"]) for a in data["annotations"]]
    assert found == [
        ("dog", [10, 10, 4, 2], 4, 0),
        ("cat", [8, 8, 8, 8], 64, 0),
        ("sky", [0, 0, 40, 12], 480, 0),
        ("cat", [20, 20, 10, 8], 80, 0),
    ]
    pixels = coco_mask.decode(data["annotations"][0]["segmentation"])
    assert sorted(map(list, np.argwhere(pixels))) == [[10, 10], [10, 11], [11, 12], [11, 13]]


def picture(archive, name="one/a.png"):
    return np.asarray(Image.open(io.BytesIO(archive.read(name))))


def test_semantic_png(there):
    api, _ = there
    archive = export(api, "semantic_png", image_status=["DONE"])
    classes = json.loads(archive.read("label_classes.json"))
    assert [(c["png_index"], c["class_name"], c["class_type"]) for c in classes] == [
        (1, "sky", "background"),
        (2, "cat", "object"),
        (3, "dog", "object"),
    ]
    pixels = picture(archive)
    assert (pixels.shape, pixels.dtype) == ((30, 40), np.uint8)
    assert pixels[10, 10] == 1  # the sky lies in front by its z_index
    assert (pixels[14, 10], pixels[24, 25], pixels[29, 39]) == (2, 2, 0)
    assert not picture(archive, "two/a.png").any()


def test_semantic_png_options(there):
    api, _ = there
    descending = export(api, "semantic_png", semantic_format="gs_desc")
    names = {c["class_name"]: c["png_index"] for c in json.loads(descending.read("label_classes.json"))}
    assert names == {"sky": 3, "cat": 2, "dog": 1}
    assert picture(descending)[0, 0] == 3
    ordered = export(api, "semantic_png", labels_order=["class_type", "class_order"])
    assert picture(ordered)[10, 10] == 3  # objects over background, the dog over the cat
    assert picture(ordered)[8, 8] == 2
    colours = export(api, "semantic_png", semantic_format="class_color", labels_order=["z_index"])
    assert picture(colours)[0, 0].tolist() == [0, 0, 255]
    assert picture(colours)[29, 39].tolist() == [0, 0, 0]


def test_images(there):
    api, ids = there
    archive = export(api, "images", dataset_id=[ids["one"]])
    assert {name: archive.read(name) for name in archive.namelist()} == {
        "one/a.png": png(40, 30),
        "one/b.jpg": png(16, 16, format="jpeg"),
    }


@pytest.mark.parametrize("format", EXPORT_FORMATS)
def test_an_empty_project(api, format):
    archive = export(api, format)
    assert archive.namelist() == {"images": [], "semantic_png": ["label_classes.json"]}.get(format, ["my export.json"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"format": "yolo"}, "format: "),
        ({"format": None}, "format: "),
        ({"export_name": "../x"}, "export_name: "),
        ({"export_name": None}, "export_name: "),
        ({"dataset_id": ["x"]}, "dataset_id: there is no dataset 'x'"),
        ({"dataset_id": "x"}, "dataset_id: "),
        ({"image_status": ["GOOD"]}, "image_status[0]: "),
        ({"sign_urls": "yes"}, "sign_urls: "),
        ({"semantic_format": "png"}, "semantic_format: "),
        ({"labels_order": ["size"]}, "labels_order[0]: "),
    ],
)
def test_what_is_wrong_is_named(api, options, said):
    assert said in api.refused(400, "POST", "exports", json={"export_name": "x", "format": "images", **options})


def test_an_export_that_fails_says_why(api):
    image = api.image(api.dataset())
    assert api.label_class("same") != api.label_class("same")
    started = api.post("exports", {"export_name": "x", "format": "json_coco"})
    ended = api.wait(f"exports/{started['id']}")
    assert ended["status"] == "FAILED"
    assert "'same'" in ended["meta"]["message"]
    assert ended["completed_on"]
    assert not list(api.server.folder.rglob("*.part"))
    assert image
    api.refused(404, "GET", "exports/x")


ODD = ["x" * 255, "é" * 255, "a/b", "..", ".", "a\\b", "\0", "a\nb", " a ", "a:b", "-rf", "*", "\u202egnp", "x" * 251]


@pytest.mark.parametrize("format", ["images", "semantic_png", "json_coco", "json_v1.1"])
def test_names_that_no_file_can_have(api, format, tmp_path):
    class_id = api.label_class()
    for name in ODD:
        dataset = api.dataset(name)
        for file in ("a.png", "é" * 120 + ".png", "x" * 251 + ".png", "b ", "a:b", "d."):
            image = api.image(dataset, file)
    api.post(f"images/{image['id']}/labels", [{"class_id": class_id, "bbox": [0, 0, 5, 5], "mask": [1, 5]}])
    export = api.post("exports", {"export_name": "x" * 255, "format": format, "semantic_format": "gs_asc"})
    done = api.wait(f"exports/{export['id']}")
    assert done["status"] == "DONE", done["meta"]
    with zipfile.ZipFile(io.BytesIO(requests.get(done["meta"]["url"], timeout=10).content)) as archive:
        names = archive.namelist()
        assert len(set(names)) == len(names) >= {"images": 84, "semantic_png": 84}.get(format, 1)
        archive.extractall(tmp_path / "out")
    for name in names:
        assert (tmp_path / "out" / inside(name, "the archive")).is_file()


def test_numbers_that_no_export_could_hold_are_refused(api):
    class_id, image = api.label_class(), api.image(api.dataset())["id"]
    for z_index in (2**63, 1e308, -(2**54)):
        label = {"class_id": class_id, "bbox": [0, 0, 1, 1], "z_index": z_index}
        assert "[0].z_index" in api.refused(400, "POST", f"images/{image}/labels", json=[label])
        assert "norder" in api.refused(400, "POST", "datasets", json={"name": "x", "norder": z_index})
    label = api.post(f"images/{image}/labels", [{"class_id": class_id, "bbox": [0, 0, 1, 1], "z_index": 2**53}])
    for type_ in ("INT", "FLOAT"):
        attribute = api.post("attributes", {"name": type_, "type": type_})["id"]
        path = f"labels/{label['items'][0]['id']}/attributes/{attribute}"
        assert "64 bits" in api.refused(400, "POST", path, json={"value": 2**63})
        api.post(path, {"value": 2**63 - 1})
    for kind in ("json_coco", "json_v1.1"):
        export = api.post("exports", {"export_name": "e", "format": kind})
        assert api.wait(f"exports/{export['id']}")["status"] == "DONE"
