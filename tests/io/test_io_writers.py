from __future__ import annotations

import io
import json
import zipfile

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

import hastyframe.io as hio
from hastyframe.errors import ValidationException


def written(label_set: hio.LabelSet, method: str, **options):
    buffer = io.BytesIO()
    getattr(label_set, method)(buffer, **options)
    return json.loads(buffer.getvalue())


def test_hasty_json_has_the_layout_of_an_export(small):
    data = written(small, "to_hasty_json", project_name="pets")
    assert list(data) == [
        "project_name",
        "create_date",
        "export_format_version",
        "export_date",
        "attributes",
        "label_classes",
        "images",
    ]
    assert data["project_name"] == "pets" and data["export_format_version"] == "1.1"
    image = data["images"][0]
    assert (image["image_name"], image["dataset_name"], image["image_status"]) == ("a.jpg", "train", "DONE")
    assert image["labels"][0] == {
        "id": "l1",
        "class_name": "cat",
        "bbox": [1, 1, 5, 3],
        "polygon": None,
        "mask": [1, 2, 7, 2],
        "z_index": 1,
        "attributes": {},
    }
    assert data["images"][2]["labels"] == []


def test_hasty_json_in_an_archive(small, tmp_path):
    small.to_hasty_json(tmp_path / "export.zip", project_name="pets")
    with zipfile.ZipFile(tmp_path / "export.zip") as archive:
        assert archive.namelist() == ["pets.json"]


@pytest.mark.filterwarnings("ignore:__array__ implementation")  # of pycocotools
def test_coco_as_hasty_exports_it(small):
    data = written(small, "to_coco", segmentation="rle")
    mask, polygon, box = data["annotations"]
    assert mask["bbox"] == [1, 1, 4, 2] and mask["area"] == 4 and mask["iscrowd"] == 0
    pixels = coco_mask.decode(mask["segmentation"])
    assert pixels.shape == (6, 8) and pixels.sum() == 4 and pixels[1, 1:3].all() and pixels[2, 3:5].all()
    assert coco_mask.area(polygon["segmentation"]) == polygon["area"]
    assert box["segmentation"] == [] and box["area"] == 12
    assert [c["name"] for c in data["categories"]] == ["cat", "dog"]


def test_coco_keeps_polygons(small):
    polygon = written(small, "to_coco")["annotations"][1]
    assert polygon["segmentation"] == [[0, 0, 4, 0, 4, 4]] and polygon["area"] == 8


def test_semantic_png(small, tmp_path):
    with pytest.warns(hio.FormatWarning, match="status of images"):
        small.to_semantic_png(tmp_path / "out.zip")
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        classes = json.loads(archive.read("label_classes.json"))
        assert [(c["png_index"], c["class_name"]) for c in classes] == [(1, "cat"), (2, "dog")]
        assert set(archive.namelist()) == {"label_classes.json", "train/a.png", "train/b.png", "test/ü 1.png"}
        picture = np.asarray(Image.open(archive.open("train/a.png")))
    assert picture.dtype == np.uint8 and picture.shape == (6, 8)
    assert picture[1, 1:3].tolist() == [1, 1], "the mask has the greater z_index"
    assert picture[1, 3] == 2 and picture[5].sum() == 0


def test_semantic_png_formats(small, tmp_path):
    for semantic_format, value in (("gs_desc", 2), ("class_color", [255, 0, 0])):
        folder = tmp_path / semantic_format
        small.to_semantic_png(folder, semantic_format=semantic_format, on_loss="ignore")
        assert np.asarray(Image.open(folder / "train" / "a.png"))[1, 1].tolist() == value


def test_labels_order_decides_what_lies_on_top(small, tmp_path):
    small.to_semantic_png(tmp_path, labels_order=("class_order",), on_loss="ignore")
    assert np.asarray(Image.open(tmp_path / "train" / "a.png"))[1, 2] == 2, "dog comes later than cat"


def test_more_classes_than_a_channel_has_values(small, tmp_path):
    classes = pd.DataFrame({"name": [f"c{i}" for i in range(256)]})
    many = hio.LabelSet(small.images, small.labels.iloc[:0], classes)
    with pytest.raises(ValidationException, match=r"256 classes do not fit.*class_color"):
        many.to_semantic_png(tmp_path)


def test_a_mask_that_does_not_fit_is_named(small):
    labels = small.labels.copy()
    labels.loc["l1", "x_max"] = 3.0
    with pytest.raises(hio.FormatError, match="label 'l1'"):
        written(hio.LabelSet(small.images, labels, small.label_classes), "to_coco")


def test_names_cannot_leave_the_folder(small, tmp_path):
    images = small.images.assign(name=["../a.jpg", "b.jpg", "c.jpg"])
    bad = hio.LabelSet(images, small.labels, small.label_classes)
    with pytest.raises(hio.FormatError, match=r"\.\./a.png"):
        bad.to_semantic_png(tmp_path / "out", on_loss="ignore")
