"""What a format can carry, it carries there and back; what it cannot, it says."""

from __future__ import annotations

import io
import string
import tempfile
import warnings
import zipfile
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

import hastyframe.io as hio
from hastyframe import frames, masks
from hastyframe.errors import ValidationException

BOX = list(frames.BOX)
NAMES = st.text(string.ascii_letters + "äß語 _-😀", min_size=1, max_size=8).map(str.strip).filter(bool)


@st.composite
def label_sets(draw, kinds=("box", "polygon", "mask"), least_classes=0):
    """A label set with images in several datasets, labels of some kinds, all within their images."""
    count = draw(st.integers(0, 4))
    stems = draw(st.lists(NAMES, min_size=count, max_size=count, unique_by=str.lower))
    images = pd.DataFrame(
        {
            "name": [f"{stem}.jpg" for stem in stems],
            "dataset_name": [draw(st.sampled_from(["train", "val", "größe"])) for _ in stems],
            "width": [draw(st.integers(1, 20)) for _ in stems],
            "height": [draw(st.integers(1, 20)) for _ in stems],
        },
        index=pd.Index([f"i{i}" for i in range(count)], dtype="str"),
    ).astype({"name": "str", "dataset_name": "str"})
    names = draw(st.lists(NAMES, min_size=least_classes, max_size=4, unique=True))
    classes = pd.DataFrame({"name": names}, index=[f"c{i}" for i in range(len(names))])
    classes = classes.assign(class_type="object", norder=np.arange(1.0, len(names) + 1))
    rows = []
    for _ in range(draw(st.integers(0, 6)) if count and names else 0):
        image = draw(st.sampled_from(images.index.tolist()))
        rows.append(
            {"image_id": image, "class_name": draw(st.sampled_from(names)), "z_index": draw(st.integers(-2, 2))}
        )
        rows[-1] |= draw(shapes(draw(st.sampled_from(kinds)), *images.loc[image, ["width", "height"]].tolist()))
    labels = pd.DataFrame(rows, columns=["image_id", "class_name", *BOX, "polygon", "mask", "z_index"])
    labels.index = pd.Index([f"l{i}" for i in range(len(rows))], dtype="str")
    return hio.LabelSet(images, labels, classes)


@st.composite
def shapes(draw, kind, width, height):
    left, top = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    right, bottom = draw(st.integers(left + 1, width)), draw(st.integers(top + 1, height))
    out = {**dict(zip(BOX, (left, top, right, bottom), strict=True)), "polygon": None, "mask": None}
    if kind == "polygon":
        x, y = st.floats(left, right, width=32), st.floats(top, bottom, width=32)
        out["polygon"] = draw(st.lists(st.tuples(x, y), min_size=3, max_size=6))
        corners = np.array(out["polygon"])
        out |= dict(zip(BOX, [*corners.min(axis=0), *corners.max(axis=0)], strict=True))
    if kind == "mask":
        size = (bottom - top) * (right - left)
        pixels = np.array(draw(st.lists(st.booleans(), min_size=size, max_size=size)), bool)
        pixels = pixels.reshape(bottom - top, right - left)
        pixels[0, 0] = pixels[-1, -1] = True  # the box is tight, as files that have none would give it back
        out["mask"] = masks.encode(pixels).row(0).tolist()
    return out


def by_name(label_set: hio.LabelSet, *columns: str) -> list[tuple]:
    """Labels with names in place of ids, as Python objects in an order that does not depend on ids."""
    images = label_set.images
    stems = images["dataset_name"].astype("str") + "/" + images["name"].str.rsplit(".", n=1).str[0].astype("str")
    labels = label_set.labels
    rows = [
        (stem, name, [*map(float, box)], polygon_of(polygon), None if mask is pd.NA else list(mask), *rest)
        for stem, name, box, polygon, mask, *rest in zip(
            labels["image_id"].map(stems),
            labels["class_name"].astype("str"),
            labels[BOX].to_numpy().tolist(),
            *(labels[column].tolist() for column in ["polygon", "mask", *columns]),
            strict=True,
        )
    ]
    return sorted(rows, key=lambda row: repr((row[:2], rounded(row[2]), row[4], row[3] and rounded(row[3]))))


def rounded(numbers: list[float]) -> list[float]:
    """Numbers that formats with few digits agree on; minus nought is nought."""
    return (np.round(numbers, 3) + 0.0).tolist()


def polygon_of(ring) -> list[float] | None:
    return None if ring is pd.NA else [float(number) for vertex in ring for number in vertex]


def assert_same_labels(one: hio.LabelSet, other: hio.LabelSet, *columns: str) -> None:
    left, right = by_name(one, *columns), by_name(other, *columns)
    assert len(left) == len(right)
    for expected, found in zip(left, right, strict=True):
        for value, again in zip(expected, found, strict=True):
            assert again == (pytest.approx(value, abs=1e-6) if isinstance(value, list) else value)
    stems = [sorted(s.images["name"].str.rsplit(".", n=1).str[0]) for s in (one, other)]
    assert stems[0] == stems[1]


def through_bytes(label_set, to, read, **options):
    buffer = io.BytesIO()
    getattr(label_set, to)(buffer, **options)
    buffer.seek(0)
    return read(buffer)


def through_archive(label_set, to, read, *args, **options):
    with zipfile.ZipFile(io.BytesIO(), "w") as archive:
        getattr(label_set, to)(archive, **options)
        return read(archive, *args)


@settings(max_examples=20, deadline=None)
@given(label_sets())
def test_hasty_json_carries_everything(label_set):
    again = through_bytes(label_set, "to_hasty_json", hio.read_hasty_json)
    order = label_set.images.index.get_indexer(label_set.labels["image_id"]).argsort(kind="stable")
    assert_frame_equal(again.labels, label_set.labels.iloc[order])
    assert_frame_equal(again.images, label_set.images)
    assert_frame_equal(again.label_classes, label_set.label_classes)


@settings(max_examples=20, deadline=None)
@given(label_sets())
def test_parquet_carries_everything(label_set):
    again = through_archive(label_set, "to_parquet", hio.read_parquet)
    for name, frame in label_set.frames().items():
        assert_frame_equal(frame, getattr(again, name))


@settings(max_examples=20, deadline=None)
@given(label_sets())
def test_coco_carries_every_kind(label_set):
    again = through_bytes(label_set, "to_coco", hio.read_coco)
    again = hio.LabelSet(again.images, again.labels.fillna({"z_index": 0}), again.label_classes)
    assert_same_labels(label_set, again, "z_index")
    assert again.label_classes["name"].tolist() == label_set.label_classes["name"].tolist()


@settings(max_examples=20, deadline=None)
@given(label_sets(kinds=("box", "polygon")))
def test_yolo_carries_boxes_and_polygons(label_set):
    again = through_archive(
        label_set, "to_yolo", hio.read_yolo, label_set, task="segment", on_loss="ignore", progress=False
    )
    labels = label_set.labels.copy()
    beside = labels["polygon"].isna() & labels["polygon"].notna().any()
    corners = labels.loc[beside, BOX].to_numpy()[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 4, 2).tolist()
    labels["polygon"] = labels["polygon"].astype(object)
    for row, ring in zip(labels.index[beside], corners, strict=True):
        labels.at[row, "polygon"] = ring
    assert_same_labels(hio.LabelSet(label_set.images, labels, label_set.label_classes), again)


@settings(max_examples=20, deadline=None)
@given(label_sets(kinds=("box",)))
def test_voc_carries_boxes(label_set):
    told = [] if len(label_set.images) else [label_set]  # a folder without annotations is refused, unless told so
    again = through_archive(label_set, "to_voc", hio.read_voc, *told, on_loss="ignore", progress=False)
    assert_same_labels(label_set, again)


@settings(max_examples=20, deadline=None)
@given(label_sets(kinds=("mask",)), st.sampled_from(["gs_asc", "gs_desc", "class_color"]))
def test_semantic_png_carries_masks_that_do_not_meet(label_set, semantic_format):
    labels = label_set.labels[~label_set.labels.duplicated("image_id")]
    label_set = hio.LabelSet(label_set.images, labels, label_set.label_classes)
    again = through_archive(
        label_set,
        "to_semantic_png",
        partial(hio.read_semantic_png, on_loss="ignore"),
        semantic_format=semantic_format,
        on_loss="ignore",
        progress=False,
    )
    assert_same_labels(label_set, again)


CARRIED = {
    "box": ("hasty_json", "coco", "parquet", "yolo", "voc"),
    "polygon": ("hasty_json", "coco", "parquet", "yolo"),
    "mask": ("hasty_json", "coco", "parquet"),
}


@pytest.mark.parametrize(
    "kind, first, second",
    [
        (kind, first, second)
        for kind, names in CARRIED.items()
        for first in names
        for second in names
        if first != second
    ],
)
def test_every_pair_of_formats(small, tmp_path, kind, first, second):
    row = {"box": "l3", "polygon": "l2", "mask": "l1"}[kind]
    one = small.filter(labels=[row])
    again = one
    for name in (first, second):
        again = there_and_back(again, one, name, tmp_path / name)
    assert_same_labels(one, again)


def there_and_back(label_set, images, name, path):
    options = {"task": "segment"} if name == "yolo" else {}
    path = path.with_suffix(".json") if name in ("hasty_json", "coco") else path
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", hio.FormatWarning)
        getattr(label_set, f"to_{name}")(path, **options)
        return getattr(hio, f"read_{name}")(
            path, *([images] if name == "yolo" or (name == "voc" and not len(images.images)) else [])
        )


def test_attributes_and_tags(small, tmp_path):
    attributes = pd.DataFrame(
        {
            "name": ["colour", "age", "spots"],
            "attribute_type": ["SELECTION", "FLOAT", "MULTIPLE-SELECTION"],
            "subject_type": "LABEL",
            "values": [[{"id": None, "value": "red"}], None, [{"id": None, "value": "a"}, {"id": None, "value": "b"}]],
        },
        index=["colour", "age", "spots"],
    )
    values = pd.DataFrame(
        {
            "label_id": ["l1", "l1", "l2"],
            "attribute_name": ["colour", "age", "spots"],
            "value": ["red", 2.5, ["a", "b"]],
        },
        index=["1", "2", "3"],
    )
    tags = pd.DataFrame({"image_id": ["i1", "i3"], "tag_class_id": ["good", "bad"], "tag_class_name": ["good", "bad"]})
    tags.index = ["1", "2"]
    full = hio.LabelSet(
        small.images, small.labels, small.label_classes, attributes=attributes, label_attributes=values, tags=tags
    )
    assert repr(full).endswith("2 classes, 3 attribute values, 2 tags")
    by_json = through_bytes(full, "to_hasty_json", hio.read_hasty_json)
    by_parquet = through_archive(full, "to_parquet", hio.read_parquet)
    for name, frame in full.frames().items():
        assert_frame_equal(frame, getattr(by_parquet, name))
        if name != "attributes":
            assert_frame_equal(frame, getattr(by_json, name))
    assert by_json.attributes["name"].tolist() == ["colour", "age", "spots"]
    assert by_json.attributes["values"].iloc[2] == attributes["values"].iloc[2]
    with pytest.warns(hio.FormatWarning, match=r"COCO cannot carry: attribute values \(3\); tags \(2\)\."):
        full.to_coco(io.BytesIO())


def test_own_columns_are_carried_or_named(small, tmp_path):
    labels = small.labels.assign(difficult=[True, False, True], note=["a", None, "b"], depth=[1.0, 2.5, np.nan])
    own = hio.LabelSet(small.images, labels, small.label_classes, info={"project_name": "pets"})
    for to, read in (("to_hasty_json", hio.read_hasty_json), ("to_coco", hio.read_coco)):
        again = through_bytes(own, to, read).labels
        for column in ("difficult", "note", "depth"):
            assert again[column].dtype == labels[column].dtype
            assert again[column].isna().tolist() == labels[column].isna().tolist()
    assert through_archive(own, "to_parquet", hio.read_parquet).info == {"project_name": "pets"}
    with pytest.warns(hio.FormatWarning) as caught:
        own.to_yolo(tmp_path / "yolo")
    assert len(caught) == 1, "once"
    assert str(caught[0].message) == (
        "YOLO cannot carry: masks and polygons, which become their boxes (2); status of images (1); z_index of labels "
        "(1); difficult of labels (3); note of labels (2); depth of labels (2)."
    )
    assert caught[0].filename == __file__
    with pytest.raises(ValidationException, match="cannot carry"):
        own.to_voc(tmp_path / "voc", on_loss="raise")


def test_formats_on_disk(small, tmp_path):
    small.to_yolo(tmp_path / "yolo", on_loss="ignore")
    assert (tmp_path / "yolo" / "labels" / "train" / "b.txt").read_text() == "0 0.4 0.5 0.4 0.6\n"
    assert "names:\n  0: cat\n  1: dog\n" in (tmp_path / "yolo" / "data.yaml").read_text()
    small.to_voc(tmp_path / "voc", on_loss="ignore")
    xml = (tmp_path / "voc" / "train" / "b.xml").read_text()
    assert "<bndbox><xmin>3</xmin><ymin>2</ymin><xmax>6</xmax><ymax>4</ymax></bndbox>" in xml


def test_yolo_with_pictures_beside_the_labels(small, tmp_path):
    from PIL import Image

    small.to_yolo(tmp_path, on_loss="ignore")
    for name, width, height in zip(small.images["name"], small.images["width"], small.images["height"], strict=True):
        dataset = small.images.loc[small.images["name"] == name, "dataset_name"].iloc[0]
        (tmp_path / "images" / dataset).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (width, height)).save(tmp_path / "images" / dataset / name)
    again = hio.read_yolo(tmp_path, progress=False)
    assert sorted(again.images.index) == ["test/ü 1.png", "train/a.jpg", "train/b.jpg"]
    assert len(again.labels) == 3
    scored = tmp_path / "labels" / "train" / "b.txt"
    scored.write_text("1 0.5 0.5 0.2 0.2 0.75\n1 0 0 1 0 1 1 0.5\n")
    assert hio.read_yolo(tmp_path, progress=False).labels["score"].dropna().tolist() == [0.75, 0.5]


def test_older_hasty_json_and_import_lists():
    old = {
        "export_format_version": "1.0",
        "label_classes": [{"class_name": "cat", "color": "#ff0000ff"}],
        "images": [
            {"image_name": "a.jpg", "dataset_name": "d", "labels": [{"class_name": "cat", "bbox": [0, 0, 2, 2]}]}
        ],
    }
    label_set = hio.read_hasty_json(old)
    assert label_set.labels.index.tolist() == ["1"] and label_set.images.index.tolist() == ["d/a.jpg"]
    polygons = [{"image_name": "a.jpg", "labels": [{"class_name": "cat", "polygon": [[0, 0], [2, 0], [2, 2]]}]}]
    assert repr(hio.read_hasty_json(polygons)) == "LabelSet: 1 image, 1 label (1 polygon), 1 class"


def test_empty_label_sets_of_every_format():
    empty = hio.LabelSet(
        pd.DataFrame({"name": []}), pd.DataFrame({"image_id": [], "class_name": []}), pd.DataFrame({"name": []})
    )
    assert repr(empty) == "LabelSet: 0 images, 0 labels, 0 classes"
    with tempfile.TemporaryDirectory() as folder:
        for name in ("hasty_json", "coco", "parquet", "yolo", "voc", "semantic_png"):
            again = there_and_back(empty, empty, name, Path(folder, name))
            for frame in ("images", "labels", "label_classes"):
                expected, found = getattr(empty, frame), getattr(again, frame)
                assert found[list(expected)].dtypes.tolist() == expected.dtypes.tolist()
