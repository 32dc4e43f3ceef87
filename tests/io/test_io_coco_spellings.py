"""Odd ways to write a COCO file that have one meaning."""

from __future__ import annotations

import io
import json

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

import hastyframe as hf
import hastyframe.io as hio

SQUARE = [0, 0, 4, 0, 4, 4, 0, 4]


def coco(*annotations: dict, **further) -> dict:
    usual = {"image_id": 1, "category_id": 1, "bbox": [0, 0, 4, 4]}
    return {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 32, "height": 30}],
        "categories": [{"id": 1, "name": "cell"}],
        "annotations": [{"id": 1 + place, **usual, **each} for place, each in enumerate(annotations)],
    } | further


def text(data: dict, encoding: str = "utf-8") -> io.BytesIO:
    return io.BytesIO(json.dumps(data).encode(encoding))


def both(data: dict):
    """Read data as it is and as text, which has to be the same."""
    found, other = (hio.read_coco(source, on_loss="ignore") for source in (data, text(data)))
    assert_frame_equal(found.labels, other.labels)
    assert_frame_equal(found.images, other.images)
    return found


# Parts ----------------------------------------------------------------------------------------------------------------


def pixels(labels: pd.DataFrame) -> list[int]:
    return hf.add_area(labels)["area"].tolist()


@pytest.mark.parametrize("masks", ["center", "coco", None])
def test_parts_that_overlap_unite(masks):
    parts = [[5, 5, 20, 5, 20, 20, 5, 20], [10, 10, 25, 10, 25, 25, 10, 25]]
    labels = hio.read_coco(coco({"segmentation": parts}), masks=masks, on_loss="ignore")
    assert pixels(labels.labels) == [350]
    for segmentation in ("keep", "rle"):
        file = io.BytesIO()
        labels.to_coco(file, segmentation=segmentation, on_loss="ignore")
        again = hio.read_coco(io.BytesIO(file.getvalue()), on_loss="ignore")
        assert pixels(again.labels) == [350]
    file = io.BytesIO()
    labels.to_hasty_json(file)
    assert pixels(hio.read_hasty_json(io.BytesIO(file.getvalue())).labels) == [350]


def test_overlapping_parts_are_evaluated_as_their_union():
    parts = [[5, 5, 20, 5, 20, 20, 5, 20], [10, 10, 25, 10, 25, 25, 10, 25]]
    rows = [{"image_id": 1, "category_id": 1, "segmentation": parts, "score": 0.9}]
    image = np.zeros((30, 32), np.uint8, order="F")
    image[5:20, 5:20] = image[10:25, 10:25] = 1
    runs, boxes = hf.masks.encode([image]), [[0, 0, 32, 30]]
    whole = [rows[0] | {"segmentation": hf.masks.to_coco_rle(runs, boxes, (30, 32), counts="str")[0]}]
    for masks in ("center", "coco", None):
        label_set = hio.read_coco(coco({"segmentation": parts}), masks=masks, on_loss="ignore")
        for found in (rows, whole):
            predictions = hio.read_coco_detections(found, label_set, on_loss="ignore")
            evaluation = hf.evaluate(label_set.labels, predictions, images=label_set.images, iou="mask")
            assert evaluation.matches["iou"].tolist() == [1]


# Values ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [float, np.int64, np.int32, np.float64, np.uint8, str])
def test_ids_of_all_types(number):
    data = coco({"segmentation": [SQUARE]})
    data["annotations"][0] |= {"id": number(7), "image_id": number(1), "category_id": number(1)}
    data["images"][0]["id"] = data["categories"][0]["id"] = number(1)
    label = hio.read_coco(data).labels
    name = (lambda value: f"{value}") if number is not str else str
    assert label.index.tolist() == [name(7)] and label["image_id"].tolist() == [name(1)]
    if number is float:
        assert_frame_equal(hio.read_coco(text(data)).labels, label)


def test_ids_of_mixed_types_are_one_id():
    data = coco({}, {"image_id": 1.0}, {"image_id": np.int8(1), "category_id": np.float32(1)})
    assert hio.read_coco(data).labels["image_id"].tolist() == ["1"] * 3
    with pytest.raises(hio.FormatError, match="whole number"):
        hio.read_coco(coco({"image_id": 1.5}))
    with pytest.raises(hio.FormatError, match="twice"):
        hio.read_coco(coco({"id": 5}, {"id": 5.0}))


def test_values_of_numpy():
    plain = coco({"segmentation": [SQUARE], "iscrowd": 0, "area": 16.0, "mine": "x", "flag": True})
    row = plain["annotations"][0]
    odd = coco(
        row
        | {
            "bbox": np.array(row["bbox"], np.float32),
            "segmentation": [np.array(SQUARE, np.float64)],
            "iscrowd": np.int64(0),
            "area": np.float32(16),
            "mine": np.str_("x"),
            "flag": np.True_,
        }
    )
    odd["images"][0] |= {"file_name": np.str_("a.jpg"), "width": np.int64(32), "height": np.float64(30)}
    odd["categories"][0]["name"] = np.str_("cell")
    expected, found = hio.read_coco(plain), hio.read_coco(odd)
    assert_frame_equal(found.labels, expected.labels)
    assert_frame_equal(found.images, expected.images)
    odd["annotations"][0]["segmentation"] = np.array([SQUARE])
    assert_frame_equal(hio.read_coco(odd).labels, expected.labels)


def test_detections_of_numpy():
    label_set = hio.read_coco(coco())
    mask = {"size": np.array([30, 32]), "counts": np.array([60, 4, 896])}
    rows = [
        {"image_id": np.int64(1), "category_id": 1.0, "bbox": np.array([0, 0, 4, 4.5]), "score": np.float32(0.5)},
        {"image_id": 1.0, "category_id": np.float64(1), "segmentation": mask, "score": np.float64(1)},
    ]
    found = hio.read_coco_detections(rows, label_set)
    assert found["score"].tolist() == [0.5, 1] and found["y_max"].tolist() == [4.5, 4]


@pytest.mark.parametrize("key", ["area", "segmentation", "mine", "bbox", "iscrowd"])
def test_the_bare_word_nan_is_missing(key):
    data = coco({"segmentation": [SQUARE], "area": 16, "mine": 1.5, "iscrowd": 0}, {"mine": 2.5, "area": 1})
    data["annotations"][0][key] = float("nan")
    missing = coco({"segmentation": [SQUARE], "area": 16, "mine": 1.5, "iscrowd": 0}, {"mine": 2.5, "area": 1})
    missing["annotations"][0][key] = None
    assert b"NaN" in text(data).getvalue()
    assert_frame_equal(both(data).labels, both(missing).labels)


def test_infinity_is_no_place():
    with pytest.raises(hio.FormatError, match="finite"):
        hio.read_coco(text(coco({"bbox": [0, 0, float("inf"), 1]})))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_other_encodings(encoding):
    data = coco({}, info={"description": "Zellkörper"})
    data["categories"][0]["name"] = "Zelle ü"
    for read, content in ((hio.read_coco, data), (hio.read_hasty_json, [{"image_name": "ü.jpg", "labels": []}])):
        file = io.BytesIO(json.dumps(content, ensure_ascii=False).encode(encoding))
        assert_frame_equal(read(file).images, read(content).images)
    with pytest.raises(hio.FormatError, match="not text in UTF-16"):
        hio.read_coco(io.BytesIO(b"\xff\xfe{\x00\x00\xd8{\x00"))


# Categories and images ------------------------------------------------------------------------------------------------


def test_an_unused_category_of_a_used_name_goes_with_a_word():
    root = {"id": 0, "name": "cells", "supercategory": "none"}
    data = coco({"category_id": 2}, categories=[root, {"id": 2, "name": "cells"}, {"id": 3, "name": "dust"}])
    with pytest.warns(hio.FormatWarning, match="categories without annotations called as another is: 'cells' \\(1\\)"):
        label_set = hio.read_coco(data)
    assert label_set.label_classes.index.tolist() == ["2", "3"]
    assert label_set.labels["class_id"].tolist() == ["2"]
    data["categories"].reverse()
    assert both(data).label_classes.index.tolist() == ["3", "2"]


def test_of_unused_categories_of_one_name_the_first_stays():
    label_set = both(coco(categories=[{"id": 1, "name": "a"}, {"id": 2, "name": "a"}]))
    assert label_set.label_classes.index.tolist() == ["1"]


def test_used_categories_of_one_name_are_refused():
    with pytest.raises(hio.FormatError, match=r"categories\[1\].*twice"):
        hio.read_coco(coco({}, {"category_id": 2}, categories=[{"id": 1, "name": "a"}, {"id": 2, "name": "a"}]))


@pytest.mark.parametrize(
    "address, name",
    [
        ("http://images.cocodataset.org/train2017/000000391895.jpg", "000000391895.jpg"),
        ("https://host/a%20b%C3%BC.png?size=1#x", "a bü.png"),
        ("s3://bucket/a.png", "a.png"),
    ],
)
def test_an_image_is_called_as_its_address_ends(address, name):
    data = coco({})
    del data["images"][0]["file_name"]
    data["images"][0]["coco_url"] = address
    label_set = both(data)
    assert label_set.images["name"].tolist() == [name] and label_set.images["coco_url"].tolist() == [address]
    data["images"][0]["coco_url"] = None
    with pytest.raises(hio.FormatError, match="'file_name' is missing"):
        hio.read_coco(data)


def test_an_image_without_sizes_has_those_of_its_run_lengths():
    rle = {"size": [30, 32], "counts": [60, 4, 896]}
    data = coco({"segmentation": rle}, {"segmentation": [SQUARE, [8, 8, 12, 8, 12, 12]]}, {"segmentation": [SQUARE]})
    expected = both(data)
    del data["images"][0]["height"], data["images"][0]["width"]
    found = both(data)
    assert_frame_equal(found.labels, expected.labels)
    assert_frame_equal(found.images, expected.images)
    data["annotations"][1]["segmentation"] = rle | {"size": [32, 30]}
    with pytest.raises(hio.FormatError, match=r"annotations\[1\].*size"):
        hio.read_coco(data)
    detections = [{"image_id": 1, "category_id": 1, "segmentation": rle, "score": 1}]
    unknown = coco(images=[{"id": 1, "file_name": "a.jpg"}])
    assert len(hio.read_coco_detections(detections, hio.read_coco(unknown))) == 1


def test_parts_on_an_image_without_sizes():
    data = coco({"segmentation": [SQUARE, [8, 8, 12, 8, 12, 12, 8, 12]]}, images=[{"id": 1, "file_name": "a.jpg"}])
    for masks in ("center", "coco", None):
        assert pixels(hio.read_coco(data, masks=masks, on_loss="ignore").labels) == [32]


# Segmentations --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("odd", [[[]], {}, [[0, 0, 4, 4]], [[1, 1]], [[], [0, 0, 4, 4]]])
def test_a_segmentation_that_encloses_nothing_leaves_the_box(odd):
    data = coco({"segmentation": [SQUARE]}, {"segmentation": odd, "bbox": [1, 1, 2, 2.5]})
    for source in (data, text(data)):
        with pytest.warns(hio.FormatWarning, match="fewer than three vertices"):
            labels = hio.read_coco(source).labels
        assert labels.loc["2", ["x_min", "y_min", "x_max", "y_max"]].tolist() == [1, 1, 3, 3.5]
        assert labels["polygon"].notna().tolist() == [True, False] and labels["mask"].isna().all()


@pytest.mark.parametrize("odd", [[[], SQUARE], [SQUARE, [0, 0, 4, 4]], [SQUARE, []]])
def test_parts_that_enclose_nothing_go(odd):
    whole, found = both(coco({"segmentation": [SQUARE]})), both(coco({"segmentation": odd}))
    assert_frame_equal(found.labels, whole.labels)
    with pytest.warns(hio.FormatWarning, match=r"three vertices.*\(1\)"):
        hio.read_coco(coco({"segmentation": odd}))


def test_degenerate_parts_beside_several_good_ones():
    found = both(coco({"segmentation": [SQUARE, [1, 1], [8, 8, 12, 8, 12, 12, 8, 12]]}))
    assert pixels(found.labels) == [32]


# Foreign keys ---------------------------------------------------------------------------------------------------------


def test_keys_of_other_writers():
    data = coco({"external_id": 7, "z_index": "2"})
    data["images"][0] |= {"external_id": 5, "status": 1, "dataset_name": 3}
    data["categories"][0] |= {"color": [70, 130, 180], "external_id": 5, "class_type": 0}
    with pytest.warns(hio.FormatWarning, match="values of key 'status' of images that mean something else"):
        label_set = hio.read_coco(data)
    assert label_set.label_classes["color"].tolist() == ["#4682b4"]
    assert label_set.label_classes["external_id"].tolist() == ["5"]
    assert label_set.images[["external_id", "dataset_name"]].astype(str).iloc[0].tolist() == ["5", "3"]
    assert label_set.labels[["external_id", "z_index"]].iloc[0].tolist() == ["7", 2]
    assert label_set.images["status"].isna().all() and label_set.label_classes["class_type"].tolist() == ["object"]
    assert_frame_equal(both(data).label_classes, label_set.label_classes)


@pytest.mark.parametrize(
    "color, kept",
    [([70, 130, 180, 255], "#4682b4ff"), ([0.5, 0.1, 1], None), ([1, 2], None), (7, None), ("red", "red")],
)
def test_colors_of_other_writers(color, kept):
    data = coco(categories=[{"id": 1, "name": "a", "color": color}, {"id": 2, "name": "b", "color": "#ff0000"}])
    assert both(data).label_classes["color"].astype(object).where(lambda c: c.notna(), None).tolist() == [
        kept,
        "#ff0000",
    ]


# Detections of other categories ---------------------------------------------------------------------------------------


def test_detections_of_other_categories_leave_the_figures_of_the_rest():
    label_set = hio.read_coco(coco({}))
    known = {"image_id": 1, "category_id": 1, "bbox": [0, 0, 4, 4], "score": 0.5}
    with pytest.warns(hio.FormatWarning, match=r"categories that the label set lacks \(2\)"):
        found = hio.read_coco_detections([known | {"category_id": 9}, known, known | {"category_id": "x"}], label_set)
    assert found.index.tolist() == ["1"]
    assert hf.evaluate(label_set.labels, found).summary()["AP"] == pytest.approx(1)


# Bad rows -------------------------------------------------------------------------------------------------------------


def bad_file() -> dict:
    data = coco(
        {},
        {"bbox": [1, 2, 3]},
        {"image_id": 9},
        {"segmentation": [[0, 0, 1, 1, 2, 2, 3]]},
        {"segmentation": {"size": [4, 8], "counts": [32]}},
        {"segmentation": [SQUARE]},
        {"bbox": [0, 0, -1, 1]},
        {"bbox": "x"},
        {"id": 6},
        {"category_id": None},
        {"bbox": [0, 0, 1]},
        {"segmentation": {"size": [30, 32], "counts": "x"}},
    )
    data["annotations"].insert(1, 5)
    data["images"].append({"id": 2})
    return data


BAD = [1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12]


@pytest.mark.parametrize("wrap", [text, dict])
def test_all_bad_rows_are_named_at_once(wrap):
    with pytest.raises(hio.FormatError) as caught:
        hio.read_coco(wrap(bad_file()))
    problems = caught.value.problems
    assert str(caught.value).startswith("12 problems, and nothing was read:\n") and "and 7 more" in str(caught.value)
    places = problems["place"].str.extract(r"^(\w+)\[(\d+)\]")
    assert places[places[0] == "images"][1].tolist() == ["1"]
    assert sorted(places[places[0] == "annotations"][1].astype(int)) == BAD


@pytest.mark.parametrize("wrap", [text, dict])
@pytest.mark.parametrize("masks", ["center", "coco", None])
def test_bad_rows_are_left_out_and_listed(wrap, masks):
    label_set = hio.read_coco(wrap(bad_file()), errors="skip", masks=masks)
    named = label_set.skipped["place"].str.extract(r"^annotations\[(\d+)\]")[0].dropna().astype(int)
    assert set(named) >= set(BAD) - ({5, 12} if masks is None else set())
    assert {"1", "6"} <= set(label_set.labels.index) and label_set.labels.loc["6", "polygon"] is not None
    assert label_set.skipped["file"].nunique() == 1 and "skipped" in repr(label_set)


def test_a_long_file_with_many_bad_rows():
    good = {"segmentation": [SQUARE, [8, 8, 12, 8, 12, 12]]}
    rows = [good if place % 3 else {"segmentation": {"size": [1, 1], "counts": [1]}} for place in range(300)]
    label_set = hio.read_coco(coco(*rows), errors="skip", on_loss="ignore")
    expected = hio.read_coco(
        coco(*rows) | {"annotations": [a for a in coco(*rows)["annotations"] if "id" in a and (a["id"] - 1) % 3]},
        on_loss="ignore",
    )
    assert_frame_equal(label_set.labels, expected.labels)
    assert len(label_set.skipped) == 100


def test_bad_detections_are_left_out_and_listed():
    label_set = hio.read_coco(coco())
    good = {"image_id": 1, "category_id": 1, "bbox": [0, 0, 4, 4], "score": 0.5}
    rows = [good, good | {"image_id": 7}, 3, good | {"score": "x"}, good | {"bbox": [1]}, good]
    with pytest.raises(hio.FormatError) as caught:
        hio.read_coco_detections(rows, label_set)
    assert len(caught.value.problems) == 4
    found = hio.read_coco_detections(text(rows), label_set, errors="skip")
    assert found.index.tolist() == ["0", "5"] and len(found.attrs["skipped"]) == 4
