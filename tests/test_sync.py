"""Whole projects there and back."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import hastyframe as hf

GEOMETRY = ["class_name", "x_min", "y_min", "x_max", "y_max", "mask", "polygon", "z_index"]


@pytest.fixture(scope="module")
def server():
    with hf.Client.local(progress=False) as client:
        yield client


def new_project(client, name):
    return client.create_project(client.get_workspaces(), name)


def small_set():
    images = pd.DataFrame(
        {
            "name": ["a.png", "a.png", "b.png"],
            "dataset_name": ["one", "two", "two"],
            "width": 20,
            "height": 10,
            "status": ["DONE", "NEW", "TO REVIEW"],
        },
        index=["i1", "i2", "i3"],
    )
    labels = pd.DataFrame(
        {
            "image_id": ["i3", "i1", "i1"],
            "class_name": ["dog", "cat", "dog"],
            "x_min": [0, 1, 2],
            "y_min": [0, 1, 2],
            "x_max": [4, 5, 6],
            "y_max": [2, 3, 4],
            "mask": [[1, 2, 7, 2], None, [1, 8]],
            "polygon": [None, [[1, 1], [5, 1], [5, 3]], None],
            "z_index": [0, 2, 1],
        },
        index=["l1", "l2", "l3"],
    )
    classes = pd.DataFrame(
        {"name": ["dog", "cat"], "color": ["#ff0000ff", "#00ff00ff"], "class_type": "object", "norder": [2.0, 1.0]},
        index=["c1", "c2"],
    )
    attributes = pd.DataFrame(
        {
            "name": ["breed", "age"],
            "attribute_type": ["SELECTION", "INT"],
            "subject_type": "LABEL",
            "values": [[{"id": "v1", "value": "pug"}, {"id": "v2", "value": "collie"}], None],
        },
        index=["a1", "a2"],
    )
    values = pd.DataFrame(
        {"label_id": ["l1", "l3", "l2"], "attribute_name": ["breed", "breed", "age"], "value": ["pug", "collie", 3]},
        index=["v1", "v2", "v3"],
    )
    tags = pd.DataFrame({"image_id": ["i1", "i3"], "tag_class_name": ["blurry", "night"]}, index=["t1", "t2"])
    tags["tag_class_id"] = tags["tag_class_name"]
    return hf.LabelSet(images, labels, classes, attributes=attributes, label_attributes=values, tags=tags)


def blank_pictures(folder: Path, images: pd.DataFrame) -> Path:
    for dataset, name, width, height in images[["dataset_name", "name", "width", "height"]].itertuples(index=False):
        path = folder / str(dataset) / name
        path.parent.mkdir(exist_ok=True)
        Image.new("L", (int(width), int(height))).save(path)
    return folder


def comparable(label_set):
    """Everything but ids, which a project gives anew."""
    keys = label_set.images[["dataset_name", "name"]].astype(str).agg("/".join, axis=1)
    labels = label_set.labels[GEOMETRY].astype({"class_name": str}).assign(image=label_set.labels["image_id"].map(keys))
    return labels.sort_values(["image", "x_min", "y_min", "x_max", "y_max", "z_index"]).reset_index(drop=True)


def test_push_and_pull_give_the_same_frames(server, tmp_path):
    wanted = small_set()
    project = new_project(server, "there and back")
    report = project.push(wanted, blank_pictures(tmp_path, wanted.images))
    assert report.groupby("kind").size().to_dict() == {
        "attribute": 2,
        "dataset": 2,
        "image": 3,
        "label": 3,
        "label class": 2,
        "tag class": 2,
    }
    assert (report["outcome"] == "created").all()

    found = project.pull()
    pd.testing.assert_frame_equal(comparable(found), comparable(wanted))
    columns = ["name", "color", "class_type", "norder"]
    by_name = [s.label_classes[columns].sort_values("name").reset_index(drop=True) for s in (found, wanted)]
    pd.testing.assert_frame_equal(*by_name)
    ids = report.set_index("source_id")["id"]
    assert found.images["status"].astype(str).loc[ids[["i1", "i2", "i3"]]].tolist() == ["DONE", "NEW", "TO REVIEW"]
    values = found.label_attributes.set_index(["label_id", "attribute_name"])["value"]
    assert [values[ids[label], name] for label, name in (("l1", "breed"), ("l3", "breed"), ("l2", "age"))] == [
        "pug",
        "collie",
        3,
    ]
    tags = found.tags.set_index("image_id")["tag_class_name"].astype(str)
    assert tags.to_dict() == {ids["i1"]: "blurry", ids["i3"]: "night"}


def test_exports_read_back_are_the_project(server, tmp_path):
    wanted = small_set()
    project = new_project(server, "by export")
    project.push(wanted, blank_pictures(tmp_path, wanted.images))
    found = project.read_export()
    pd.testing.assert_frame_equal(comparable(found), comparable(project.pull()))
    coco = project.read_export("json_coco", image_status="DONE")
    assert coco.label_attributes is None
    assert sorted(coco.labels["class_name"].astype(str)) == ["cat", "dog"]
    with pytest.raises(hf.ValidationException, match="'images' cannot be read back"):
        project.read_export("images")


def test_what_is_there_is_not_created_again(server, tmp_path):
    wanted = small_set()
    project = new_project(server, "twice")
    project.push(wanted, blank_pictures(tmp_path, wanted.images))
    again = project.push(wanted)  # no pictures needed: all are there
    outcomes = again.groupby("kind")["outcome"].unique().map(list).to_dict()
    assert outcomes.pop("label") == ["created"]
    assert all(outcome == ["there already"] for outcome in outcomes.values())
    assert len(project.get_images()) == 3
    assert len(project.get_labels()) == 6


def test_missing_pictures_are_named_before_anything_is_uploaded(server, tmp_path):
    wanted = small_set()
    project = new_project(server, "missing")
    with pytest.raises(hf.ValidationException, match="images_folder="):
        project.push(wanted)
    (blank_pictures(tmp_path, wanted.images) / "two" / "b.png").unlink()
    with pytest.raises(hf.FrameError) as caught:
        project.push(wanted, tmp_path)
    assert caught.value.problems[["row", "value"]].values.tolist() == [["i3", "b.png"]]
    assert len(project.get_images()) == 0


def test_real_annotations_there_and_back(server, tmp_path, data_folder):
    path = data_folder / "coco" / "instances_val2014_100.json"
    with pytest.warns(hf.FormatWarning, match="several parts"):
        wanted = hf.read_coco(path)
    project = new_project(server, "coco")
    with pytest.warns(hf.FormatWarning, match="rounded outwards"):
        project.push(wanted, blank_pictures(tmp_path, wanted.images.assign(dataset_name="default")))
    found = project.pull()
    assert len(found.labels) == len(json.loads(path.read_bytes())["annotations"])
    whole = wanted.labels.copy()
    whole[["x_min", "y_min"]] = np.floor(whole[["x_min", "y_min"]])
    whole[["x_max", "y_max"]] = np.ceil(whole[["x_max", "y_max"]])
    images = wanted.images.assign(dataset_name="default")
    expected = comparable(hf.LabelSet(images, whole.assign(z_index=0.0), wanted.label_classes))
    pd.testing.assert_frame_equal(comparable(found), expected)
    pd.testing.assert_frame_equal(comparable(project.read_export()), comparable(found))


def test_objects_of_several_parts_are_pushed_as_masks(server, tmp_path):
    data = {
        "images": [{"id": 1, "file_name": "a.png", "width": 8, "height": 4}],
        "categories": [{"id": 1, "name": "cat"}],
        "annotations": [
            {
                "id": 1,
                "image_id": 1,
                "category_id": 1,
                "segmentation": [[0, 0, 2, 0, 2, 2, 0, 2], [4, 0, 8, 0, 8, 4, 4, 4]],
            },
            {"id": 2, "image_id": 1, "category_id": 1, "segmentation": [[0, 0, 2, 0, 2, 2, 0, 2]]},
        ],
    }
    wanted = hf.read_coco(data, masks=None)
    project = new_project(server, "in parts")
    project.push(wanted, blank_pictures(tmp_path, wanted.images))
    found = project.pull().labels
    assert hf.add_area(found)["area"].tolist() == hf.add_area(wanted.labels)["area"].tolist() == [20, 4]
    assert found["mask"].notna().tolist() == [True, False]
