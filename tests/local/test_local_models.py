"""Models: the default ones on real pictures, others as callables, automated labeling."""

from __future__ import annotations

import io

import numpy as np
import pytest
import skimage.data
from PIL import Image

from hastyframe import masks
from hastyframe.local import LocalServer

from .helpers import Api, png


@pytest.fixture(scope="module")
def coins() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(skimage.data.coins()).save(buffer, "png")
    return buffer.getvalue()


def covered(box: list[int], by: list[int]) -> float:
    width = min(box[2], by[2]) - max(box[0], by[0])
    height = min(box[3], by[3]) - max(box[1], by[1])
    return max(width, 0) * max(height, 0) / ((box[2] - box[0]) * (box[3] - box[1]))


def test_the_coins_are_found(api, coins):
    class_id = api.label_class("coin")
    upload_id = api.upload(coins)
    found = api.post("instance_segmentation", {"upload_id": upload_id, "confidence_threshold": 0.5})
    assert len(found) == 24
    assert {one["class_id"] for one in found} == {class_id}
    scores = [one["score"] for one in found]
    assert scores == sorted(scores, reverse=True)
    assert all(0.5 <= score <= 1 for score in scores)
    for one in found:
        pixels = masks.decode(one["mask"], one["bbox"])
        assert 500 < pixels.sum() < 4000
        assert pixels[:, 0].any()
        assert pixels[-1].any()
    for row, y in enumerate((50, 125, 200, 270)):  # four rows of six
        in_row = [one for one in found if one["bbox"][1] < y < one["bbox"][3]]
        assert len(in_row) >= 5, row
    boxes = api.post("object_detection", {"upload_id": upload_id, "max_detections_per_image": 7})
    assert [(one["bbox"], one["score"]) for one in boxes] == [(one["bbox"], one["score"]) for one in found[:7]]
    assert set(boxes[0]) == {"bbox", "score", "class_id"}
    (region,) = api.post("semantic_segmentation", {"upload_id": upload_id, "min_size": 0})
    assert set(region) == {"bbox", "mask", "class_id"}
    assert masks.decode(region["mask"], region["bbox"]).sum() >= sum(sum(one["mask"][1::2]) for one in found)
    assert api.post("semantic_segmentation", {"upload_id": upload_id, "min_size": 1e6}) == []
    # Uploaded bytes serve several models.
    assert api.post("instance_segmentation", {"upload_id": upload_id, "confidence_threshold": 1.0})[0]["score"] == 1


@pytest.mark.parametrize("name", ["camera", "page", "moon", "coffee", "clock", "text"])
def test_photographs(api, name):
    api.label_class()
    picture = np.asarray(getattr(skimage.data, name)())
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "png")
    upload_id = api.upload(buffer.getvalue())
    for one in api.post("instance_segmentation", {"upload_id": upload_id, "confidence_threshold": 0}):
        left, top, right, bottom = one["bbox"]
        assert 0 <= left < right <= picture.shape[1]
        assert 0 <= top < bottom <= picture.shape[0]
        assert masks.decode(one["mask"], one["bbox"]).any()


@pytest.mark.parametrize(
    "picture",
    [
        Image.new("L", (64, 48), 7),
        Image.new("1", (64, 48)),
        Image.new("RGBA", (64, 48)),
        Image.new("P", (64, 48)),
        Image.new("L", (1, 1)),
        Image.new("L", (2000, 1)),
        Image.fromarray(np.arange(64 * 48, dtype=np.uint16).reshape(48, 64)),
    ],
    ids=["plain", "bits", "transparent", "palette", "pixel", "line", "16 bits"],
)
def test_odd_pictures(api, picture):
    api.label_class()
    buffer = io.BytesIO()
    picture.save(buffer, "png")
    assert isinstance(api.post("instance_segmentation", {"upload_id": api.upload(buffer.getvalue())}), list)


def test_discovery(api):
    for kind in ("object_detector", "instance_segmentor", "semantic_segmentor"):
        model = api.get(kind)
        assert (model["status"], model["project_id"]) == ("LOADED", api.project["id"])
    assert api.get("attributer")["status"] == "NOT LOADED"
    body = {"upload_id": api.upload(png()), "bboxes": [[0, 0, 5, 5]]}
    assert "models=" in api.refused(400, "POST", "attribute_prediction", json=body)


def test_predictions_are_refused(api):
    upload_id = api.upload(png())
    said = api.refused(400, "POST", "object_detection", json={"upload_id": upload_id})
    assert "no label class" in said
    api.label_class()
    for body, said in (
        ({}, "give an image_url or an upload_id"),
        ({"upload_id": "nothing"}, "upload_id"),
        ({"upload_id": upload_id, "confidence_threshold": 2}, "confidence_threshold"),
        ({"upload_id": upload_id, "max_detections_per_image": -1}, "max_detections_per_image"),
        ({"upload_id": upload_id, "model_id": "x"}, "model_id"),
        ({"upload_id": api.upload(b"text")}, "not a picture"),
        ({"upload_id": api.upload(png()[:-700])}, "cannot be read"),
        ({"image_url": "http://127.0.0.1:1/x"}, "image_url: http://127.0.0.1:1/x could not be fetched"),
    ):
        assert said in api.refused(400, "POST", "object_detection", json=body)


def detector(picture):
    assert picture.dtype == np.uint8
    assert picture.shape == (30, 40, 3)
    return [
        {"bbox": np.array([0, 0, 4, 4]), "score": np.float32(0.75), "class_name": "dog"},
        {"bbox": [1, 1, 9, 9], "class_id": None},
    ]


def segmentor(picture):
    probability = np.zeros((2, 4))
    probability[0, :2], probability[1, 2:] = 0.9, 0.6
    return [
        {"bbox": [10, 10, 14, 12], "mask": probability, "score": 0.9},
        {"bbox": [0, 0, 4, 2], "mask": [1, 2, 7, 2], "score": 0.85},
        {"bbox": [0, 0, 4, 2], "mask": probability > 0.5, "score": 0.3},
    ]


def attributer(picture, boxes):
    return [[{"attribute_name": "size", "values": ["L"]}] if box[0] else [] for box in boxes]


@pytest.fixture(scope="module")
def custom():
    def broken(picture):
        raise RuntimeError("out of memory")

    models = {
        "detector": detector,
        "instance_segmentor": segmentor,
        "semantic_segmentor": broken,
        "attributer": attributer,
    }
    with LocalServer(models=models) as server:
        yield server


def test_models_of_ones_own(custom):
    api = Api(custom)
    background = api.post("label_classes", {"name": "sky", "type": "background", "norder": 0})["id"]
    cat, dog = api.label_class("cat", norder=2), api.label_class("dog", norder=1)
    upload_id = api.upload(png())
    assert api.post("object_detection", {"upload_id": upload_id}) == [
        {"bbox": [1, 1, 9, 9], "score": 1.0, "class_id": dog},  # the first object class by its place
        {"bbox": [0, 0, 4, 4], "score": 0.75, "class_id": dog},
    ]
    found = api.post("instance_segmentation", {"upload_id": upload_id})
    assert [one["mask"] for one in found] == [[1, 2, 7, 2]] * 2
    said = api.refused(400, "POST", "semantic_segmentation", json={"upload_id": upload_id})
    assert said == "the semantic_segmentor failed with RuntimeError: out of memory"
    size = api.post("attributes", {"name": "size", "type": "SELECTION", "values": [{"value": "L"}]})
    boxes = [[0, 0, 2, 2], [1, 0, 2, 2]]
    model_id = api.get("attributer")["model_id"]
    body = {"upload_id": upload_id, "bboxes": boxes, "model_id": model_id, "confidence_threshold": 0.5}
    assert api.post("attribute_prediction", body) == [
        [],
        [{"bbox": boxes[1], "attribute_id": size["id"], "lov_ids": [size["values"][0]["id"]]}],
    ]
    assert {background, cat}
    api.session.close()


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ([{"bbox": [5, 0, 1, 1]}], "x_max 1 must be greater"),
        ([{"bbox": [0, 0, 2, 2], "mask": np.ones((3, 3))}], "shape"),
        ([{"bbox": [0, 0, 2, 2], "mask": [1, 5]}], "the last run ends"),
        ([{"bbox": [0, 0, 2, 2], "score": 7}], "score 7"),
        ([{"bbox": [0, 0, 2, 2], "score": float("nan")}], "score nan"),
        ([{"bbox": [0, 0, 2, 2], "class_name": "dragon"}], "dragon"),
        ([{}], "bbox"),
        ([None], "TypeError"),
        (None, "TypeError"),
    ],
)
def test_what_a_model_gets_wrong_is_said(found, said):
    with LocalServer(models={"instance_segmentor": lambda picture: found}) as server:
        api = Api(server)
        api.label_class()
        message = api.refused(400, "POST", "instance_segmentation", json={"upload_id": api.upload(png())})
        assert said in message
        assert "instance_segmentor" in message
        api.session.close()


def test_automated_labeling(api, coins):
    class_id = api.label_class("coin")
    one, two = api.dataset("one"), api.dataset("two")
    images = [api.image(dataset, f"{n}.png", coins)["id"] for dataset in (one, two) for n in range(2)]
    api.put(f"images/{images[0]}/status", {"status": "DONE"})
    body = {
        "experiment_id": "any text",
        "confidence_threshold": 0.5,
        "max_detections_per_image": 20,
        "num_images": 0,
        "masker_threshold": 0.5,
        "dataset_id": one,
    }
    job = api.post("automated_labeling", body)
    assert (job["experiment_id"], job["project_id"]) == ("any text", api.project["id"])
    ended = api.wait(f"automated_labeling/{job['id']}")
    assert (ended["status"], ended["progress"]) == ("DONE", 100)
    assert ended["started_on"] <= ended["completed_on"]
    assert api.get(f"images/{images[0]}/labels")["meta"]["total"] == 0  # it was not new
    labels = api.get(f"images/{images[1]}/labels")["items"]
    assert len(labels) == 20
    assert {label["class_id"] for label in labels} == {class_id}
    assert all(label["mask"] for label in labels)
    assert [image["status"] for image in api.get("images")["items"]] == ["DONE", "AUTO-LABELLED", "NEW", "NEW"]
    again = api.post("automated_labeling", {"experiment_id": "x", "num_images": 1})
    assert api.wait(f"automated_labeling/{again['id']}")["status"] == "DONE"
    assert [image["status"] for image in api.get("images")["items"]][2:] == ["AUTO-LABELLED", "NEW"]
    page = api.get("automated_labeling")
    assert [item["id"] for item in page["items"]] == [job["id"], again["id"]]
    api.refused(404, "GET", "automated_labeling/x")
    assert "dataset_id" in api.refused(400, "POST", "automated_labeling", json={**body, "dataset_id": "x"})


def test_automated_labeling_needs_a_class(api):
    said = api.refused(400, "POST", "automated_labeling", json={"experiment_id": "x"})
    assert "no label class" in said


def test_automated_labeling_with_the_threshold_for_masks(custom):
    api = Api(custom)
    api.label_class("cat")
    image = api.image(api.dataset())["id"]
    job = api.post("automated_labeling", {"experiment_id": "x", "masker_threshold": 0.7})
    assert api.wait(f"automated_labeling/{job['id']}")["status"] == "DONE"
    assert [label["mask"] for label in api.get(f"images/{image}/labels")["items"]] == [[1, 2], [1, 2, 7, 2]]
    api.session.close()


def test_automated_labeling_that_fails(api):
    api.label_class()
    image = api.image(api.dataset())["id"]
    (api.server.folder / "images" / api.project["id"] / image).write_bytes(b"broken")
    job = api.post("automated_labeling", {"experiment_id": "x"})
    ended = api.wait(f"automated_labeling/{job['id']}")
    assert ended["status"] == "FAILED"
    assert ended["completed_on"]


def test_default_models_are_bounded_in_memory(api, monkeypatch):
    monkeypatch.setattr("hastyframe.local.models.DEFAULT_PIXELS", 1000)
    api.label_class()
    for path in ("object_detection", "instance_segmentation", "semantic_segmentation"):
        said = api.refused(400, "POST", path, json={"upload_id": api.upload(png(50, 50))})
        assert "looks at 1,000 pixels at most, not at 2,500" in said
