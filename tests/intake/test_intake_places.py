"""Which image and which class is meant, however it is said; what cannot be told is an error that names every row."""

from __future__ import annotations

import uuid
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import stand_ins

import hastyframe as hf

IDS = [str(uuid.UUID(int=number)) for number in range(5)]
IMAGES = pd.DataFrame(
    {
        "name": ["a.jpg", "a.jpg", "caf\u00e9.png", "cam1/0001.png", "b.JPG"],
        "dataset_name": ["train", "val", "train", "val", "train/day"],
        "width": 100,
        "height": 50,
    },
    index=pd.Index(IDS, name="image_id"),
)
CLASSES = pd.DataFrame({"name": ["cat", "Traffic light"]}, index=["c1", "c2"])


def placed(images, column="image", table=IMAGES, **options):
    rows = pd.DataFrame({column: images, "x1": 0, "y1": 0, "x2": 9, "y2": 9, "score": 0.5, "label": "cat"})
    return hf.as_predictions(rows, images=table, **options)


@pytest.mark.parametrize(
    ("said", "row"),
    [
        (IDS[0], 0),
        (IDS[0].upper(), 0),
        ("train/a.jpg", 0),
        ("/data/coins/val/a.jpg", 1),
        ("C:\\data\\val\\a.jpg", 1),
        ("cafe\u0301.png", 2),
        ("caf\u00e9", 2),
        ("0001.png", 3),
        ("cam1/0001.png", 3),
        ("/x/val/cam1/0001.png", 3),
        ("train/day/b.JPG", 4),
        ("somewhere/b.JPG", 4),
        ("b", 4),
    ],
)
@pytest.mark.parametrize("column", ["image", "path", "image_id"])
def test_images_are_found(said, row, column):
    if column == "path" and said.lower() == IDS[0]:
        pytest.skip("an id is no path")
    found = placed([said], column)
    assert found["image_id"].tolist() == [IDS[row]]
    assert found["image_name"].tolist() == [IMAGES["name"].iloc[row]]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("a.jpg", "Several images have this name: 'train/a.jpg', 'val/a.jpg'"),
        ("/data/train2/a.jpg", "Several images have this name"),
        ("a", "Several images have this name"),
        ("cam2/0001.png", "No image has this id or name"),  # another folder in the name is another image
        ("train/cam1/0001.png", "No image has this id or name"),  # and so is another dataset
        ("b.png", "No image has this id or name.*Nearest: 'b.JPG'"),
        ("0002.png", "Nearest: 'cam1/0001.png'"),
        ("", "No image has this id or name"),
    ],
)
def test_images_that_are_not_found(said, why):
    with pytest.raises(hf.FrameError, match=why):
        placed([said])


def test_all_rows_are_named_in_one_error():
    rows = pd.DataFrame(
        {
            "file_name": ["cam1/0001.png", "c.jpg", "c.jpg", "a.jpg", None],
            **{"x1": 0, "y1": 0, "x2": [9, 9, 9, 9, -1], "y2": 9, "score": 0.5},
            "label": ["cat", "cat", "dgo", "Cat", "cat"],
        }
    )
    with pytest.raises(hf.FrameError, match="nothing was read") as caught:
        hf.as_predictions(rows, images=IMAGES, classes=CLASSES)
    found = caught.value.problems
    assert sorted(found[["column", "row"]].to_numpy().tolist()) == [
        ["bbox", 4],
        ["class", 2],
        ["class", 3],
        ["image", 1],
        ["image", 2],
        ["image", 3],
        ["image", 4],
    ]
    assert "'cat'" in found.set_index("row").loc[3].query("column == 'class'")["remedy"].iloc[0]
    assert "c.jpg" in str(caught.value)
    assert "dgo" in str(caught.value)  # each kind of problem before the second of any


def test_an_id_and_a_name_that_disagree():
    rows = pd.DataFrame({"image_id": [IDS[2]], "file_name": ["b.JPG"], "x1": 0, "y1": 0, "x2": 9, "y2": 9})
    with pytest.raises(hf.FrameError, match="As an id it is 'train/caf\u00e9"):
        hf.as_labels(rows.assign(label="cat"), images=IMAGES)
    rows["file_name"] = "caf\u00e9.png"
    assert hf.as_labels(rows.assign(label="cat"), images=IMAGES)["image_id"].tolist() == [IDS[2]]


def test_an_id_that_is_none_gives_way_to_a_name():
    """The way from the ids of a file to those of a project: by the names that the first step found."""
    by_number = placed(["b.JPG"], table=IMAGES.set_axis(range(5)))
    assert by_number["image_id"].tolist() == ["4"]
    assert hf.as_predictions(by_number, images=IMAGES)["image_id"].tolist() == [IDS[4]]


def test_ids_by_value():
    table = IMAGES.set_axis([1, 2, 3, 4, 5])
    for said in ([1.0], ["1"], [1], pd.array([1], "Int64"), ["1.0"]):
        assert placed(said, table=table)["image_id"].tolist() == ["1"]


def test_without_images_what_is_said_stands():
    found = placed(["train/a.jpg", "x"], table=None)
    assert found["image_id"].tolist() == ["train/a.jpg", "x"]
    assert found["image_name"].isna().tolist() == [False, True]
    with pytest.raises(hf.FrameError, match="Say which image"):
        placed(["a.jpg", None], table=None)


BOXES, SCORES = np.array([[0, 0, 9, 9], [1, 1, 5, 5]]), np.array([0.5, 0.25])


def classed(labels, **options):
    result = {"boxes": BOXES[: len(labels)], "scores": SCORES[: len(labels)], "labels": labels}
    return hf.as_predictions(result, images="a.jpg", **options)


@pytest.mark.parametrize(
    ("labels", "classes", "ids", "names"),
    [
        ([1, 0], ["cat", "Traffic light"], [None, None], ["Traffic light", "cat"]),
        ([1, 0], {0: "cat", 1: "dog"}, [None, None], ["dog", "cat"]),
        ([1.0, 0.0], {"0": "cat", "1": "dog"}, [None, None], ["dog", "cat"]),
        (["c2", "cat"], CLASSES, ["c2", "c1"], ["Traffic light", "cat"]),
        (["cat", "dog"], None, [None, None], ["cat", "dog"]),
        ([7, 3], None, ["7", "3"], [None, None]),
        ([18, 1], pd.DataFrame({"name": ["dog", "cat"]}, index=[18, 1]), ["18", "1"], ["dog", "cat"]),
    ],
)
def test_classes_are_found(labels, classes, ids, names):
    found = classed(labels, classes=classes)
    assert found["class_id"].astype(object).where(found["class_id"].notna(), None).tolist() == ids
    assert found["class_name"].astype(object).where(found["class_name"].notna(), None).tolist() == names


def test_numbers_of_a_model_become_classes_of_the_project():
    sets = hf.io.LabelSet(IMAGES, pd.DataFrame({"image_id": [], "class_name": []}), CLASSES)
    result = {"boxes": BOXES, "scores": SCORES, "labels": np.array([1, 0])}
    found = hf.as_predictions({"b.JPG": result}, images=sets, classes=["cat", "Traffic light"])
    assert found["class_id"].tolist() == ["c2", "c1"]
    renamed = hf.as_predictions(
        stand_ins.ultralytics(BOXES, SCORES, [1, 0], path="b.JPG", names={0: "cat", 1: "traffic light"}),
        images=sets,
        classes={"traffic light": "Traffic light"},
    )
    assert renamed["class_id"].tolist() == ["c2", "c1"]
    assert renamed["class_name"].cat.categories.tolist() == ["cat", "Traffic light"]


@pytest.mark.parametrize(
    ("labels", "classes", "why"),
    [
        ([2, 0], ["cat", "dog"], "not one of the numbers"),
        (["Cat", "cat"], ["cat", "dog"], "not one of the names in classes=. Nearest: 'cat'"),
        (["traffic-light", "cat"], CLASSES, "Nearest: 'Traffic light'"),
        ([1, 0], CLASSES, r"no id of the 2 classes.*classes=\[...\]"),
    ],
)
def test_classes_that_are_not_found(labels, classes, why):
    with pytest.raises(hf.FrameError, match=why):
        classed(labels, classes=classes)


@pytest.mark.parametrize("classes", [3, "cat", [1, 2], [None]])
def test_classes_that_are_none(classes):
    with pytest.raises(hf.ValidationException, match="classes is"):
        classed([0], classes=classes)


def test_results_that_do_not_say_which_image_they_are_of():
    result = stand_ins.torchvision(BOXES, SCORES, [0, 1])
    classes = ["cat", "dog"]
    assert hf.as_predictions([result] * 5, images=IMAGES, classes=classes)["image_id"].unique().tolist() == IDS
    with pytest.raises(hf.ValidationException, match=r"2 results that do not say .* images= has 5"):
        hf.as_predictions([result] * 2, images=IMAGES, classes=classes)
    with pytest.raises(hf.ValidationException, match="do not say which image"):
        hf.as_predictions([result], classes=classes)
    with pytest.raises(hf.ValidationException, match="There are 2 results, and images= names 1"):
        hf.as_predictions([result] * 2, images=["a"], classes=classes)
    with pytest.raises(hf.ValidationException, match="leave out the list"):
        hf.as_predictions({"a": result}, images=["a"], classes=classes)
    for which in (["x", "y"], pd.Series(["x", "y"]), np.array(["x", "y"]), ("x", "y"), pd.Index(["x", "y"])):
        found = hf.as_predictions([result] * 2, images=which, classes=classes)
        assert found["image_id"].tolist() == ["x", "x", "y", "y"]


def test_a_path_of_ultralytics_is_used_and_a_list_goes_before_it():
    result = stand_ins.ultralytics(BOXES, SCORES, [0, 1], path="/x/b.JPG", names={0: "cat", 1: "dog"})
    assert hf.as_predictions(result, images=IMAGES)["image_id"].unique().tolist() == [IDS[4]]
    assert hf.as_predictions([result], images=["z"])["image_id"].unique().tolist() == ["z"]


def test_paths_are_names():
    result = stand_ins.torchvision(BOXES, SCORES, [0, 1])
    options = {"images": IMAGES, "classes": ["cat", "dog"]}
    for source in ({Path("/x/b.JPG"): result}, pd.DataFrame({"path": [Path("b.JPG")] * 2, "bbox": BOXES.tolist(),
                                                            "conf": SCORES, "label": [0, 1]})):  # fmt: skip
        assert hf.as_predictions(source, **options)["image_id"].unique().tolist() == [IDS[4]]
    found = hf.as_predictions([result], images=[Path("x/b.JPG")], classes=["cat", "dog"])
    assert found["image_id"].unique().tolist() == [str(Path("x/b.JPG"))]


def test_images_that_cannot_be_told_apart():
    with pytest.raises(hf.ValidationException, match="images has the id 'i' twice"):
        placed(["b.JPG"], table=IMAGES.set_axis(["i"] * 5))
    with pytest.raises(hf.FrameError, match="no column 'name' of images"):
        placed(["b.JPG"], table=IMAGES.drop(columns="name"))


@pytest.mark.parametrize("which", ["a.jpg", ["a.jpg"], pd.Series(["a.jpg"])])
def test_a_list_of_images_for_a_table_that_says_them(which, tmp_path):
    frame = pd.DataFrame({"image": ["b.JPG"], "bbox": [[0, 0, 9, 9]], "conf": 0.5, "label": "cat"})
    frame.to_csv(tmp_path / "a.csv")
    for source in (frame, frame.to_dict("records"), frame.to_dict("list"), tmp_path / "a.csv"):
        with pytest.raises(hf.ValidationException, match="says itself which image"):
            hf.as_predictions(source, images=which)
