from __future__ import annotations

import itertools
import uuid
from decimal import Decimal

import pandas as pd
import pytest

import hastyframe.io as hio
from hastyframe.errors import ValidationException


def test_frames_are_completed(small):
    assert list(small.images) == [
        "name",
        "project_id",
        "dataset_id",
        "dataset_name",
        "width",
        "height",
        "status",
        "public_url",
        "external_id",
    ]
    assert small.labels["class_id"].tolist() == ["c1", "c2", "c1"]
    assert small.labels["class_name"].cat.categories.tolist() == ["cat", "dog"]
    assert repr(small) == "LabelSet: 3 images in 2 datasets, 3 labels (1 box, 1 polygon, 1 mask), 2 classes"
    by_id = hio.LabelSet(small.images, small.labels.drop(columns="class_name"), small.label_classes)
    assert by_id.labels["class_name"].tolist() == ["cat", "dog", "cat"]


@pytest.mark.parametrize(
    "change, says",
    [
        (
            lambda s: (s.images, s.labels.assign(image_id="nowhere"), s.label_classes),
            "3 rows have an image_id.*'nowhere'",
        ),
        (lambda s: (s.images, s.labels.assign(class_id="c2"), s.label_classes), "2 rows .*'l1' with 'c2' and 'cat'"),
        (lambda s: (s.images, s.labels, s.label_classes.iloc[:1]), "1 row .*'l2'"),
        (lambda s: (s.images, s.labels, s.label_classes.assign(name="cat")), "Two label classes are called 'cat'"),
        (lambda s: (s.images, s.labels, s.label_classes.assign(name=None)), "'c1' has no name"),
        (lambda s: (s.images, pd.concat([s.labels, s.labels]), s.label_classes), "Two labels have the id 'l1'"),
        (lambda s: (s.images.assign(width="wide"), s.labels, s.label_classes), "images have a column"),
        (lambda s: (None, s.labels, s.label_classes), "a label set has images"),
    ],
)
def test_frames_that_do_not_belong_together(small, change, says):
    with pytest.raises(ValidationException, match=f"(?i){says}"):
        hio.LabelSet(*change(small))


AS_IDS = {
    "int64": [0, 1],
    "float64": [0.0, 1.0],
    "str": ["0", "1"],
    "text of floats": ["0.0", "1.0"],
    "string[pyarrow]": pd.array(["0", "1"], dtype="string[pyarrow]"),
    "category": pd.Categorical([0, 1]),
    "category of texts": pd.Categorical(["0.0", "1.0"]),
    "int64[pyarrow]": pd.array([0, 1], dtype="int64[pyarrow]"),
    "Decimal": [Decimal(0), Decimal("1.0")],
}
AS_UUIDS = {
    "UUID": [uuid.UUID(int=n + (0xABCDEF << 60)) for n in (0, 1)],
    "str": [str(uuid.UUID(int=n + (0xABCDEF << 60))) for n in (0, 1)],
    "capitals": pd.array([str(uuid.UUID(int=n + (0xABCDEF << 60))).upper() for n in (0, 1)], dtype="string[pyarrow]"),
}


@pytest.mark.parametrize("forms", [AS_IDS, AS_UUIDS], ids=["numbers", "uuids"])
def test_ids_are_found_by_value_whatever_their_dtype(forms):
    for ids, refs in itertools.product(forms.values(), repeat=2):
        boxes = {"x_min": 1, "y_min": 1, "x_max": 3, "y_max": 3}
        label_set = hio.LabelSet(
            pd.DataFrame({"name": ["a", "b"]}, index=pd.Index(ids)),
            pd.DataFrame({"image_id": refs[::-1], "class_id": refs[::-1], **boxes}, index=pd.Index(ids)),
            pd.DataFrame({"name": ["x", "y"]}, index=pd.Index(ids)),
            tags=pd.DataFrame({"image_id": refs[::-1], "tag_class_name": "t"}),
            attributes=pd.DataFrame({"name": ["k"], "attribute_type": ["INT"]}, index=["k"]),
            label_attributes=pd.DataFrame({"label_id": refs[::-1], "attribute_name": "k", "value": [1, 2]}),
        )
        backwards = label_set.images.index[::-1].tolist()
        assert label_set.labels["image_id"].tolist() == label_set.labels["class_id"].tolist() == backwards
        assert label_set.tags["image_id"].tolist() == label_set.label_attributes["label_id"].tolist() == backwards
        assert label_set.labels["class_name"].tolist() == ["y", "x"]
        for choice in (refs[:1], pd.Series([True, False], index=pd.Index(refs))):
            assert label_set.filter(images=choice).labels["class_name"].tolist() == ["x"]


def test_ids_that_differ_as_texts_are_two():
    images = pd.DataFrame({"name": ["a", "b"]}, index=["1", "1.0"])
    labels = pd.DataFrame({"image_id": ["1.0", "1"], "class_name": "x"}, index=["p", "q"])
    label_set = hio.LabelSet(images, labels, pd.DataFrame({"name": ["x"]}, index=["x"]))
    assert label_set.labels["image_id"].tolist() == ["1.0", "1"]
    assert label_set.filter(images=["1.0"]).labels.index.tolist() == ["p"]


def test_classes_of_a_category_of_numbers_keep_their_names():
    labels = pd.DataFrame({"image_id": "1", "class_name": pd.Categorical([7, 3, 7])}, index=["a", "b", "c"])
    images, classes = (
        pd.DataFrame({"name": ["a.jpg"]}, index=["1"]),
        pd.DataFrame({"name": ["3", "7"]}, index=["x", "y"]),
    )
    assert hio.LabelSet(images, labels, classes).labels["class_name"].tolist() == ["7", "3", "7"]
    labels["class_name"] = pd.Categorical([7, None, 7])
    labels["class_id"] = ["y", "x", None]
    assert hio.LabelSet(images, labels, classes).labels["class_name"].tolist() == ["7", "3", "7"]


def test_later_changes_of_frames_are_not_changes_of_the_label_set(small):
    images, labels, classes = (small.frames()[name].copy() for name in ("images", "labels", "label_classes"))
    label_set, before = hio.LabelSet(images, labels, classes), labels.copy()
    labels.iloc[0, labels.columns.get_loc("x_min")] = -100.0
    images.iloc[0, images.columns.get_loc("name")] = "another"
    pd.testing.assert_frame_equal(label_set.labels, before)
    assert label_set.images["name"].tolist() == small.images["name"].tolist()
    label_set.labels.iloc[0, label_set.labels.columns.get_loc("x_max")] = -100.0
    assert labels["x_max"].tolist() == before["x_max"].tolist()


def test_filter(small):
    assert small.filter(datasets="test").labels.empty
    assert small.filter(statuses=["DONE"]).images["name"].tolist() == ["a.jpg"]
    assert small.filter(images=["i2"]).labels.index.tolist() == ["l3"]
    assert small.filter(images=small.images["width"] > 6).images.index.tolist() == ["i1", "i2"]
    assert small.filter(classes="dog", drop_empty=True).images.index.tolist() == ["i1"]
    for options in ({"datasets": "x"}, {"images": ["x"]}, {"statuses": "DONE "}):
        with pytest.raises(ValidationException, match="There is no"):
            small.filter(**options)


def many(images: int = 200) -> hio.LabelSet:
    """One in ten images has a rare class besides the common one."""
    frame = pd.DataFrame({"name": [f"{i}.jpg" for i in range(images)], "dataset_name": ["a", "b"] * (images // 2)})
    rows = [(str(i), "common") for i in range(images)] + [(str(i), "rare") for i in range(0, images, 10)]
    labels = pd.DataFrame(rows, columns=["image_id", "class_name"]).assign(x_min=0, y_min=0, x_max=2, y_max=2)
    return hio.LabelSet(frame, labels, pd.DataFrame({"name": ["common", "rare"]}))


def test_sample_and_split():
    label_set = many()
    assert label_set.sample(5).images.index.tolist() == label_set.sample(5).images.index.tolist()
    assert len(label_set.sample(share=0.1, seed=1).images) == 20
    parts = label_set.split({"train": 8, "val": 1, "test": 1})
    assert [len(part.images) for part in parts.values()] == [160, 20, 20]
    assert sum(len(part.labels) for part in parts.values()) == len(label_set.labels)
    stratified = label_set.split({"train": 0.8, "val": 0.1, "test": 0.1}, stratify=True)
    assert [len(part.images) for part in stratified.values()] == [160, 20, 20]
    rare = [(part.labels["class_name"] == "rare").sum() for part in stratified.values()]
    assert rare == [16, 2, 2]
    assert {name: len(part.images) for name, part in label_set.split("dataset_name").items()} == {"a": 100, "b": 100}
    for bad in ({}, {"a": -1.0}, "nothing"):
        with pytest.raises(ValidationException):
            label_set.split(bad)
    with pytest.raises(ValidationException, match="n or share"):
        label_set.sample()


def test_merge(small):
    with pytest.warns(hio.FormatWarning, match="3 labels are equal to one of an earlier label set"):
        twice = small.merge(small)
    assert repr(twice) == "LabelSet: 3 images in 2 datasets, 6 labels (2 boxes, 2 polygons, 2 masks), 2 classes"
    assert twice.labels.index.tolist() == ["l1", "l2", "l3", "l1-2", "l2-2", "l3-2"]
    parts = list(small.split("dataset_name").values())
    together = parts[0].merge(parts[1])
    pd.testing.assert_frame_equal(together.images, small.images)
    pd.testing.assert_frame_equal(together.labels, small.labels)
    other = hio.LabelSet(small.images.assign(width=99), small.labels, small.label_classes)
    with pytest.raises(ValidationException, match=r"'a.jpg' is there twice, with two sizes"):
        small.merge(other)


@pytest.mark.parametrize(
    "column, value", [("parts", "x"), ("parts", [[1.0]]), ("file_bbox", [1.0, 2.0]), ("as_read", "x"), ("as_read", 1.5)]
)
def test_columns_that_readers_add_are_checked(small, column, value):
    labels = small.labels.assign(**{column: [value] * 3})
    with pytest.raises(ValidationException, match=f"'{column}' of another kind.*Drop it"):
        hio.LabelSet(small.images, labels, small.label_classes)


IDS = {
    "whole numbers": [7, 8],
    "floats": [7.0, 8.0],
    "texts": ["7", "8"],
    "texts of floats": pd.Index(["7.0", "8.0"], dtype=object),
    "pandas texts": pd.array(["7", "8"], dtype="string"),
    "Arrow texts": pd.array(["7", "8"], dtype="string[pyarrow]"),
    "Arrow numbers": pd.array([7, 8], dtype="int64[pyarrow]"),
    "categories": pd.Categorical([7, 8]),
    "objects": pd.Index([7, "8"], dtype=object),
}


@pytest.mark.parametrize("of_labels", IDS)
@pytest.mark.parametrize("of_images", IDS)
def test_ids_are_compared_by_value(of_images, of_labels):
    images = pd.DataFrame({"name": ["a.png", "b.png"], "width": 9, "height": 9}, index=pd.Index(IDS[of_images]))
    labels = pd.DataFrame(
        {"image_id": IDS[of_labels], "class_id": [1.0, 2.0], "x_min": 1, "y_min": 1, "x_max": 3, "y_max": 3}
    )
    found = hio.LabelSet(images, labels, pd.DataFrame({"name": ["cat", "dog"]}, index=[1, 2]))
    assert found.labels["class_name"].tolist() == ["cat", "dog"]
    assert found.filter(images=IDS[of_labels][:1]).images["name"].tolist() == ["a.png"]
    chosen = pd.Series([True, False], index=pd.Index(IDS[of_labels]))
    assert found.filter(images=chosen).labels["class_name"].tolist() == ["cat"]
