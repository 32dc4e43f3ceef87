"""What real exports of Hasty, and files of other writers, have beyond the format's description."""

from __future__ import annotations

import io
import json

import pytest
from pandas.testing import assert_frame_equal

import hastyframe as hf
import hastyframe.io as hio

POLYGON = [[0, 0], [4, 0], [4, 4]]


def export(*labels: dict, **further) -> dict:
    usual = {"class_name": "cat", "bbox": [0, 0, 4, 4]}
    return {
        "project_name": "p",
        "create_date": "2024-05-06T07:08:09.123Z",
        "export_date": "2024-05-06T07:08:09+00:00",
        "export_format_version": "1.1",
        "attributes": [],
        "label_classes": [{"class_name": "cat", "norder": None}, {"class_name": "dog", "norder": 10}],
        "images": [{"image_name": "a.jpg", "width": 8, "height": 6, "labels": [{**usual, **each} for each in labels]}],
    } | further


def again(label_set: hio.LabelSet) -> dict:
    file = io.BytesIO()
    label_set.to_hasty_json(file)
    return json.loads(file.getvalue())


def test_newer_keys_and_dates():
    data = export({}, keypoint_schemas=[], tag_groups=[{"name": "g"}])
    data["label_classes"][0] |= {
        "parent_class_id": None, "icon_url": None, "description": "x", "use_description_as_prompt": True,
        "attributes": ["age"],
    }  # fmt: skip
    data["images"][0]["image_mode"] = "RGB"
    label_set = hio.read_hasty_json(data)
    assert label_set.info["create_date"] == "2024-05-06T07:08:09.123Z"
    assert label_set.label_classes["norder"].tolist() == [1, 10]
    written = again(label_set)
    assert written["create_date"] == data["create_date"] and written["images"][0]["image_mode"] == "RGB"
    assert written["label_classes"][0]["attributes"] == ["age"]


def test_labels_with_key_points_alone_are_kept():
    points = [{"id": "k1", "x": 1, "y": 2, "visible": True}]
    label_set = hio.read_hasty_json(export({}, {"bbox": None, "polygon": None, "mask": None, "keypoints": points}))
    assert repr(label_set).startswith("LabelSet: 1 image, 2 labels (1 box, 1 without place)")
    assert label_set.labels["keypoints"].tolist() == [None, points]
    assert again(label_set)["images"][0]["labels"][1]["keypoints"] == points
    assert "keypoints" not in hio.read_hasty_json(export({})).labels


@pytest.mark.parametrize(
    "value, kind", [("old", "TEXT"), (3, "INT"), (2.5, "FLOAT"), (True, "BOOL"), (["a", "b"], "MULTIPLE-SELECTION")]
)
def test_attributes_that_are_not_declared(value, kind):
    data = export({"attributes": {"age": value}}, {"attributes": {"known": "x", "age": value}})
    data["attributes"] = [{"name": "known", "type": "TEXT"}]
    label_set = hio.read_hasty_json(data)
    assert label_set.attributes.set_index("name")["attribute_type"].to_dict() == {"known": "TEXT", "age": kind}
    assert label_set.label_attributes["value"].tolist() == [value, "x", value]
    assert_frame_equal(hio.read_hasty_json(again(label_set)).label_attributes, label_set.label_attributes)
    del data["attributes"]
    assert sorted(hio.read_hasty_json(data).attributes["name"]) == ["age", "known"]


def test_an_empty_mask_beside_a_polygon_is_none():
    label_set = hio.read_hasty_json(export({"mask": [], "polygon": POLYGON}, {"mask": [1, 2], "polygon": POLYGON}))
    assert label_set.labels["mask"].notna().tolist() == [False, True]
    assert hf.add_area(label_set.labels)["area"].tolist() == [8, 2]


def test_an_image_that_a_list_names_twice_has_the_labels_of_both():
    rows = [{"image_name": name, "labels": [{"class_name": name, "bbox": [0, 0, 1, 1]}]} for name in "aba"]
    label_set = hio.read_hasty_json(rows)
    assert label_set.images["name"].tolist() == ["a", "b"]
    assert label_set.labels["image_id"].tolist() == ["default/a", "default/a", "default/b"]
    assert [len(row["labels"]) for row in rows] == [1, 1, 1]
    apart = [row | {"dataset_name": f"d{place}"} for place, row in enumerate(rows)]
    assert len(hio.read_hasty_json(apart).images) == 3
    with pytest.raises(hio.FormatError, match="already"):
        hio.read_hasty_json({"images": rows})


def bad_file() -> dict:
    data = export(
        {}, {"class_name": "cow"}, {"bbox": [1]}, {"mask": [1, 99]}, {"polygon": [[0, 0]]}, {"attributes": [1]}, {}
    )
    data["images"][0]["labels"].insert(0, 7)
    data["images"] += [{"image_name": "a.jpg", "labels": []}, 5, {"image_name": "b.jpg", "labels": 3}]
    data["images"] += [{"image_name": "c.jpg", "tags": ["good"], "labels": []}]
    data["label_classes"].append({"class_name": "dog"})
    return data


def test_all_bad_rows_are_named_at_once():
    with pytest.raises(hio.FormatError, match="10 problems, and nothing was read") as caught:
        hio.read_hasty_json(bad_file())
    places = caught.value.problems["place"].str.replace(r" \(id [^)]*\)", "", regex=True)
    assert set(places) == {
        *(f"images[0].labels[{place}]" for place in (0, 2, 3, 4, 5, 6)),
        "images[1]", "images[2]", "images[3]", "label_classes[2]",
    }  # fmt: skip


def test_bad_rows_are_left_out_and_listed():
    label_set = hio.read_hasty_json(io.BytesIO(json.dumps(bad_file()).encode()), errors="skip")
    assert len(label_set.skipped) == 10 and len(label_set.labels) == 2
    assert label_set.images["name"].tolist() == ["a.jpg", "c.jpg"]
    assert label_set.tags["image_id"].tolist() == ["default/c.jpg"]
