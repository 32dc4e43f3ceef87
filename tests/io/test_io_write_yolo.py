"""Folders that a trainer takes as they are: pictures, splits, outlines, everything inside."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image
from yolo_rules import check

import hastyframe.io as hio
from hastyframe import masks
from hastyframe.errors import ValidationException

BOX = ["x_min", "y_min", "x_max", "y_max"]


@pytest.fixture
def pictures(small, tmp_path) -> Path:
    for _, image in small.images.iterrows():
        path = tmp_path / "pictures" / image["dataset_name"] / image["name"]
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (image["width"], image["height"])).save(path)
    return tmp_path / "pictures"


def of(*labels: dict, width: int = 20, height: int = 10, **columns) -> hio.LabelSet:
    images = pd.DataFrame({"name": ["a.jpg"], "dataset_name": "d", "width": width, "height": height}, index=["i"])
    frame = pd.DataFrame(list(labels)).assign(image_id="i", class_name="cat", **columns)
    return hio.LabelSet(images, frame.reindex(columns=frame.columns.union(BOX)), pd.DataFrame({"name": ["cat"]}))


def box(*corners: float) -> dict:
    return dict(zip(BOX, corners, strict=True))


def rows(label_set: hio.LabelSet, root: Path, **options) -> list[list[float]]:
    label_set.to_yolo(root, progress=False, **options)
    return [[float(word) for word in line.split()] for line in (root / "labels/d/a.txt").read_text().splitlines()]


# Folders --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", ["detect", "segment"])
@pytest.mark.parametrize("link", [False, True])
def test_datasets_of_usual_names_are_the_split(small, pictures, tmp_path, task, link):
    images = small.images.assign(dataset_name=["train", "train", "valid"])
    (pictures / "test").rename(pictures / "valid")
    label_set = hio.LabelSet(images, small.labels, small.label_classes)
    root = tmp_path / "images" / "set"
    label_set.to_yolo(root, task=task, images_folder=pictures, link=link, on_loss="ignore", progress=False)
    found = check(root, task)
    assert {part: [path.name for path in paths] for part, paths in found.items()} == {
        "train": ["a.jpg", "b.jpg"],
        "val": ["ü 1.png"],
    }
    assert all(path.is_symlink() == link for paths in found.values() for path in paths)
    again = hio.read_yolo(root, progress=False)
    assert len(again.labels) == 3 and again.label_classes["name"].tolist() == ["cat", "dog"]


def test_a_split_is_listed(small, pictures, tmp_path):
    root = tmp_path / "set"
    small.to_yolo(root, images_folder=pictures, split={"train": 0.67, "val": 0.33}, on_loss="ignore", progress=False)
    found = check(root, "detect")
    assert sorted(map(len, found.values())) == [1, 2] and not set(found["train"]) & set(found["val"])
    assert hio.read_yolo(root, progress=False).images.index.tolist() == ["test/ü 1.png", "train/a.jpg", "train/b.jpg"]
    with pytest.raises(ValidationException, match="split has train, test, and a training takes train and val"):
        small.to_yolo(root, split="dataset_name", progress=False)


def test_datasets_of_other_names(small, pictures, tmp_path):
    for names, train, val in (
        (["train", "train", "test"], "images/train", "images/train"),
        (["a", "b", "val"], ["images/a", "images/b"], "images/val"),
        (["a", "b", "c"], "images", "images"),
        (["val", "val", "val"], "images", "images"),
    ):
        label_set = hio.LabelSet(small.images.assign(dataset_name=names), small.labels, small.label_classes)
        label_set.to_yolo(tmp_path / "set", on_loss="ignore", progress=False)
        data = yaml.safe_load((tmp_path / "set" / "data.yaml").read_text())
        assert (data["train"], data["val"]) == (train, val)
        assert data["names"] == {0: "cat", 1: "dog"}
    with pytest.warns(hio.FormatWarning, match="images to validate with"):
        small.to_yolo(tmp_path / "set", images_folder=pictures, progress=False)


def test_all_missing_pictures_are_named(small, pictures, tmp_path):
    for name in ("a.jpg", "b.jpg"):
        (pictures / "train" / name).unlink()
    with pytest.raises(hio.FormatError, match=r"2 problems[\s\S]*'a\.jpg'[\s\S]*'b\.jpg'"):
        small.to_yolo(tmp_path / "set", images_folder=pictures, on_loss="ignore", progress=False)


def test_archives(small, pictures, tmp_path):
    with zipfile.ZipFile(tmp_path / "pictures.zip", "w") as archive:
        for path in pictures.rglob("*.*"):
            archive.write(path, path.relative_to(pictures))
    for source in (pictures, tmp_path / "pictures.zip"):
        small.to_yolo(tmp_path / "set.zip", images_folder=source, on_loss="ignore", progress=False)
        assert len(hio.read_yolo(tmp_path / "set.zip", progress=False).images) == 3
        with zipfile.ZipFile(tmp_path / "set.zip") as archive:
            archive.extractall(tmp_path / "unpacked")
        check(tmp_path / "unpacked", "detect")
    with pytest.raises(hio.FormatError, match="an archive holds no links"):
        small.to_yolo(tmp_path / "set.zip", images_folder=pictures, link=True, on_loss="ignore", progress=False)


def test_pictures_that_share_a_stem_and_pictures_that_are_there(tmp_path):
    images = pd.DataFrame({"name": ["a.jpg", "a.png"], "width": 20, "height": 10}, index=["1", "2"])
    labels = pd.DataFrame({"image_id": ["1", "2"], "class_name": "cat", **box(0, 0, 4, 2)})
    label_set = hio.LabelSet(images, labels, pd.DataFrame({"name": ["cat"]}))
    for name in images["name"]:
        Image.new("L", (20, 10)).save(tmp_path / name)
    label_set.to_yolo(tmp_path / "set", images_folder=tmp_path, on_loss="ignore", progress=False)
    assert [path.name for path in check(tmp_path / "set", "detect")["train"]] == ["a.jpg.jpg", "a.png.png"]
    one = label_set.filter(images=["1"])
    for _ in range(2):
        one.to_yolo(tmp_path / "again", images_folder=tmp_path, on_loss="ignore", progress=False)
        one.to_yolo(tmp_path / "again", images_folder=tmp_path / "again", link=True, on_loss="ignore", progress=False)
    assert not check(tmp_path / "again", "detect")["train"][0].is_symlink()


# Lines ----------------------------------------------------------------------------------------------------------------


def test_what_reaches_out_is_cut_off_with_a_word(tmp_path):
    label_set = of(box(-4, 2, 4, 20), box(30, 2, 40, 4), box(0, 0, 20, 10))
    with pytest.warns(hio.FormatWarning, match=r"picture, cut off \(1\); labels outside of their pictures.* \(1\)"):
        found = rows(label_set, tmp_path)
    assert found == [[0, 0.1, 0.6, 0.2, 0.8], [0, 0.5, 0.5, 1, 1]]


def test_outlines_are_cut_off_as_well(tmp_path):
    outside = {"polygon": [[30, 2], [40, 2], [40, 4]]}
    label_set = of({"polygon": [[-4, 2], [4, 2], [4, 20], [-4, 20]]}, outside, box(10, 5, 30, 15))
    with pytest.warns(hio.FormatWarning, match=r"four corners \(1\); .*cut off \(2\); labels outside .*\(1\)"):
        found = rows(label_set, tmp_path, task="segment")
    polygon, corners = (np.array(row[1:]).reshape(-1, 2) * [20, 10] for row in found)
    assert {*map(tuple, polygon.tolist())} == {(0, 2), (4, 2), (4, 10), (0, 10)}
    assert {*map(tuple, corners.tolist())} == {(10, 5), (20, 5), (20, 10), (10, 10)}


def test_what_scaling_leaves_is_not_cut(tmp_path):
    rows(of(box(0, 0, 20 + 1e-9, 10)), tmp_path)
    rows(of({"polygon": [[-1e-9, 0], [4, 0], [4, 4]]}), tmp_path, task="segment")


@pytest.mark.parametrize("seed", range(5))
def test_masks_become_outlines_that_enclose_their_pixels(tmp_path, seed):
    pixels = np.random.default_rng(seed).random((10, 20)) < 0.5
    pixels[0, 0] = pixels[-1, -1] = True
    label_set = of(box(0, 0, 20, 10) | {"mask": masks.encode(pixels).row(0).tolist()})
    (row,) = rows(label_set, tmp_path, task="segment", on_loss="ignore")
    again = hio.read_yolo(tmp_path, label_set, progress=False).labels
    runs, boxes = masks.polygon_to_rle(again["polygon"], (10, 20))
    assert (painted(runs, boxes) == pixels).all()
    assert len(row) > 20


def painted(runs, boxes) -> np.ndarray:
    out = np.zeros((10, 20), bool)
    left, top, right, bottom = boxes[0].tolist()
    out[top:bottom, left:right] = masks.decode(runs.row(0), boxes[0]).astype(bool)
    return out


def test_parts_become_one_ring(tmp_path):
    apart = [[[0, 0], [4, 0], [4, 4], [0, 4]], [[6, 0], [9, 0], [9, 4], [6, 4]], [[12, 0], [14, 0], [14, 2]]]
    hole = [[[0, 0], [8, 0], [8, 8], [0, 8]], [[2, 2], [2, 4], [4, 4], [4, 2]]]
    label_set = of({"parts": apart}, {"parts": hole}, {"parts": apart[:1]})
    label_set.to_yolo(tmp_path, task="segment", on_loss="ignore", progress=False)
    again = hio.read_yolo(tmp_path, label_set, progress=False).labels
    assert again["polygon"].notna().all()
    pixels = masks.area(masks.polygon_to_rle(again["polygon"], (10, 20))[0])
    expected = masks.area(masks.polygon_to_rle(label_set.labels["parts"], (10, 20))[0])
    assert pixels.tolist() == expected.tolist()


def test_a_mask_without_pixels_and_a_polygon_of_two_points(tmp_path):
    label_set = of(box(0, 0, 4, 4) | {"mask": []}, box(0, 0, 4, 4) | {"mask": [1, 4]})
    with pytest.warns(hio.FormatWarning, match=r"or without pixels \(1\)"):
        assert len(rows(label_set, tmp_path, task="segment")) == 1


def test_boxes_alone_stay_boxes(tmp_path):
    assert rows(of(box(0, 0, 4, 2)), tmp_path, task="segment") == [[0, 0.1, 0.1, 0.2, 0.2]]


def test_scores_and_tracks(tmp_path):
    label_set = of(box(0, 0, 4, 2), box(0, 0, 4, 2), score=[1.0, 0.5], track_id=pd.array([7, None], "Int64"))
    rows(label_set, tmp_path)
    text = (tmp_path / "labels/d/a.txt").read_text()
    assert text == "0 0.1 0.1 0.2 0.2 1.0 7\n0 0.1 0.1 0.2 0.2 0.5\n"
    labels = hio.read_yolo(tmp_path, label_set, progress=False).labels
    assert labels["score"].tolist() == [1, 0.5] and labels["track_id"].tolist() == [7, pd.NA]
    Image.new("L", (20, 10)).save(tmp_path / "a.jpg")
    with pytest.warns(hio.FormatWarning, match=r"score of labels \(2\); track_id of labels \(1\)"):
        assert rows(label_set, tmp_path, images_folder=tmp_path) == [[0, 0.1, 0.1, 0.2, 0.2]] * 2


def test_triangles_at_the_border_are_read_again(tmp_path):
    label_set = of({"polygon": [[10, 5], [8, 6], [18, 10]]})
    rows(label_set, tmp_path, task="segment")
    assert hio.read_yolo(tmp_path, label_set, progress=False).labels["polygon"].notna().all()
