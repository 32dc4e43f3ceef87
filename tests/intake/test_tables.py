"""Tables by the names that people give their columns, and what contradicts itself in them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pandas.testing import assert_frame_equal

import hastyframe as hf

BOX = ["x_min", "y_min", "x_max", "y_max"]
SIZES = pd.DataFrame({"name": ["a.jpg"], "width": [200], "height": [100]}, index=["i"])


def rows(**columns):
    return pd.DataFrame({"image": ["a.jpg"], "score": [0.5], "label": ["cat"], **{k: [v] for k, v in columns.items()}})


@pytest.mark.parametrize(
    "names",
    [
        *("x_min y_min x_max y_max", "xmin ymin xmax ymax", "XMin YMin XMax YMax", "x1 y1 x2 y2", "x0 y0 x1 y1"),
        *("left top right bottom", "bbox.x1 bbox.y1 bbox.x2 bbox.y2", "x-min y-min x-max y-max"),
    ],
)
def test_corners(names):
    frame = rows(**dict(zip(names.split(), (10, 20, 14, 26), strict=True)))
    for box_format in (None, "xyxy"):
        assert hf.as_predictions(frame, box_format=box_format)[BOX].to_numpy().tolist() == [[10, 20, 14, 26]]
    with pytest.raises(hf.ValidationException, match="box_format is 'xywh'"):
        hf.as_predictions(frame, box_format="xywh")


@pytest.mark.parametrize("names", ["x y w h", "x y width height", "left top width height", "xmin ymin width height"])
def test_sides(names):
    frame = rows(**dict(zip(names.split(), (10, 20, 4, 6), strict=True)))
    assert hf.as_predictions(frame)[BOX].to_numpy().tolist() == [[10, 20, 14, 26]]
    with pytest.raises(hf.ValidationException, match="box_format is 'xyxy'"):
        hf.as_predictions(frame, box_format="xyxy")


@pytest.mark.parametrize("names", ["cx cy w h", "xc yc w h", "x_center y_center width height", "x y w h"])
def test_centers(names):
    frame = rows(**dict(zip(names.split(), (12, 23, 4, 6), strict=True)))
    assert hf.as_predictions(frame, box_format="cxcywh")[BOX].to_numpy().tolist() == [[10, 20, 14, 26]]


def test_sizes_of_the_picture_are_no_sides():
    frame = rows(filename="a.jpg", width=200, height=100, xmin=1, ymin=2, xmax=3, ymax=4).drop(columns="image")
    found = hf.as_predictions(frame)
    assert found[BOX].to_numpy().tolist() == [[1, 2, 3, 4]]
    assert found[["width", "height"]].to_numpy().tolist() == [[200, 100]]


@pytest.mark.parametrize(
    "box",
    [
        "[1, 2, 3.5, 4]",
        "(1,2,3.5,4)",
        "1 2 3.5 4",
        "1;2;3.5;4",
        [1, 2, 3.5, 4],
        (1, 2, 3.5, 4),
        np.array([1, 2, 3.5, 4]),
    ],
)
def test_boxes_in_one_column(box):
    assert hf.as_predictions(rows(bbox=box))[BOX].to_numpy().tolist() == [[1, 2, 3.5, 4]]
    assert hf.as_predictions(rows(bbox=box), box_format="xywh")[BOX].to_numpy().tolist() == [[1, 2, 4.5, 6]]


def test_boxes_in_an_arrow_column():
    table = pa.table({"image": ["a"], "label": ["cat"], "score": [0.5], "bbox": [[1.0, 2.0, 3.5, 4.0]]})
    assert hf.as_predictions(table)[BOX].to_numpy().tolist() == [[1, 2, 3.5, 4]]


def test_keys_of_coco_say_width_and_height():
    frame = pd.DataFrame({"image_id": [1], "category_id": [3], "bbox": [[1, 2, 3.5, 4]], "score": [0.5]})
    assert hf.as_predictions(frame)[BOX].to_numpy().tolist() == [[1, 2, 4.5, 6]]
    assert hf.as_predictions(frame, box_format="xyxy")[BOX].to_numpy().tolist() == [[1, 2, 3.5, 4]]
    one = {"image_id": 1, "category_id": 3, "bbox": [1, 2, 3.5, 4], "score": 0.5}
    for source in (one, [one], {"annotations": [one]}, {key: [value] for key, value in one.items()}):
        found = hf.as_predictions(source)
        assert found[BOX].to_numpy().tolist() == [[1, 2, 4.5, 6]]
        assert found[["image_id", "class_id"]].to_numpy().tolist() == [["1", "3"]]


@pytest.mark.parametrize("box", ["[1, 2, 3]", "x", [1, 2], 3, [[1, 2], [3, 4]]])
def test_what_is_no_box(box):
    with pytest.raises(hf.FrameError, match="list of four numbers"):
        hf.as_predictions(rows(bbox=box))


def test_boxes_that_are_inside_out_hint_at_the_format():
    with pytest.raises(hf.FrameError, match=r'inside out.*box_format="xywh"'):
        hf.as_predictions(rows(bbox=[50, 40, 30, 20]))
    with pytest.raises(hf.FrameError, match="inside out"):
        hf.as_predictions(rows(x=5, y=5, w=-1, h=4))


@pytest.mark.parametrize("value", ["high", np.inf, [1]])
@pytest.mark.parametrize("column", ["score", "x1"])
def test_what_is_no_number(column, value):
    frame = rows(x1=0, y1=0, x2=5, y2=5).astype(object)
    frame.at[0, column] = value
    with pytest.raises(hf.FrameError, match=f"{column}, row 0"):
        hf.as_predictions(frame)


def test_a_missing_coordinate():
    with pytest.raises(hf.FrameError, match="four finite numbers"):
        hf.as_predictions(rows(x1=0, y1=np.nan, x2=5, y2=5))


@pytest.mark.parametrize("gone", ["image", "label", "x1"])
def test_columns_that_are_missing(gone):
    what = {"image": "which image", "label": "which class", "x1": "no columns of boxes"}[gone]
    with pytest.raises(hf.ValidationException, match=what):
        hf.as_predictions(rows(x1=0, y1=0, x2=5, y2=5).drop(columns=gone))


def test_scores_that_are_missing():
    frame = rows(x1=0, y1=0, x2=5, y2=5).drop(columns="score")
    with pytest.raises(hf.ValidationException, match=r"no scores.*hf.as_labels"):
        hf.as_predictions(frame)
    assert len(hf.as_labels(frame)) == 1


def test_shares():
    frame = rows(cx=0.5, cy=0.5, w=0.5, h=0.25)
    found = hf.as_predictions(frame, images=SIZES, normalized=True)
    assert found[BOX].to_numpy().tolist() == [[50, 37.5, 150, 62.5]]
    with pytest.warns(hf.FormatWarning, match="normalized=True") as caught:
        hf.as_predictions(frame, images=SIZES)
    assert caught[0].filename == __file__
    for images in (None, SIZES.drop(columns="width"), SIZES.assign(height=None)):
        with pytest.raises(hf.FrameError, match="width and height"):
            hf.as_predictions(frame, images=images, normalized=True)
    ring = pd.DataFrame({"image": ["a.jpg"], "label": "cat", "polygon": [[[0, 0], [0.5, 0], [0.5, 1]]]})
    found = hf.as_labels(ring, images=SIZES, normalized=True)
    assert found["polygon"].tolist() == [[[0, 0], [100, 0], [100, 100]]]
    assert found[BOX].to_numpy().tolist() == [[0, 0, 100, 100]]


def test_csv_keeps_texts_and_digits(tmp_path):
    path = tmp_path / "found.csv"
    path.write_text(
        "\ufeffimage_id;x1;y1;x2;y2;Confidence;label;note\n"
        '007;0.1;0;5.000000000000001;5;0.30000000000000004;NA;"a;b"\n'
        "1e5;1;1;6;6;0.5;007;\n",
        encoding="utf-8",
    )
    found = hf.as_predictions(path)
    assert found["image_id"].tolist() == ["007", "1e5"]
    assert found["class_name"].tolist() == ["NA", "007"]
    assert found["x_max"].tolist() == [5.000000000000001, 6]
    assert found["score"].tolist() == [0.30000000000000004, 0.5]
    assert found["note"].iloc[0] == "a;b"


@pytest.mark.parametrize("separator", [",", "\t", "|"])
def test_csv_separators(tmp_path, separator):
    path = tmp_path / "found.tsv"
    frame = rows(x1=0, y1=0, x2=5, y2=5)
    frame.to_csv(path, sep=separator, index=False)
    assert_frame_equal(hf.as_predictions(path), hf.as_predictions(frame))


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"a,b\n1,2,3\n"])
def test_csv_that_is_none(tmp_path, content):
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(hf.ValidationException):
        hf.as_predictions(tmp_path / "a.csv")
    with pytest.raises(hf.ValidationException, match="cannot be read"):
        hf.as_predictions(tmp_path / "none.csv")


def test_ids_and_columns_of_ones_own_are_kept():
    frame = rows(x1=0, y1=0, x2=5, y2=5, model="large", z_index=3)
    frame.index = pd.Index(["p7"], name="prediction_id")
    found = hf.as_predictions(frame)
    assert found.index.tolist() == ["p7"]
    assert found.index.name == "prediction_id"
    assert found["model"].tolist() == ["large"]
    assert hf.as_labels(frame)["z_index"].tolist() == [3]
    assert hf.as_labels(frame.reset_index(drop=True).assign(label_id="l9")).index.tolist() == ["l9"]


def test_our_own_frame_comes_back_as_it_is():
    frame = hf.as_predictions(
        pd.DataFrame(
            {
                **{"image_id": ["i", "i"], "class_name": ["cat", "dog"], "score": [0.5, 0.25]},
                **dict(zip(BOX, ([1, 0], [1, 0], [3, 4], [3, 4.5]), strict=True)),
                **{"mask": [[1, 2], None], "polygon": [None, [[0, 0], [4, 0], [4, 4.5]]]},
            }
        )
    )
    assert_frame_equal(hf.as_predictions(frame), frame)
    texts = frame.assign(mask=["[1, 2]", None], polygon=[None, "[[0, 0], [4, 0], [4, 4.5]]"])
    assert_frame_equal(hf.as_predictions(texts), frame)
    with pytest.raises(hf.FrameError, match=r"polygon, row '1'.*the text of one"):
        hf.as_predictions(texts.assign(polygon=[None, "[1 2 3 ... 9]"]))


@pytest.mark.parametrize("source", [3, None, "a.txt", [1, 2], [[0, 0, 4, 4, 0.5, 1]], np.zeros((3, 6)), object()])
def test_what_is_no_source(source):
    with pytest.raises((hf.ValidationException, hf.NotFound)):
        hf.as_predictions(source)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"box_format": "yxyx"}, "box_format is"),
        ({"normalized": 1}, "normalized is"),
        ({"masks": None}, "masks is"),
        ({"threshold": 2}, "threshold is"),
        ({"images": 3}, "images is"),
    ],
)
def test_arguments_that_are_none(options, why):
    with pytest.raises(hf.ValidationException, match=why):
        hf.as_predictions(rows(x1=0, y1=0, x2=5, y2=5), **options)


@pytest.mark.parametrize("source", [[], pd.DataFrame(columns=["image", "x1", "y1", "x2", "y2", "score", "label"])])
def test_nothing(source):
    found = hf.as_predictions(source)
    wanted = hf.as_predictions(rows(x1=0, y1=0, x2=5, y2=5)).iloc[:0]
    assert found.columns.tolist() == wanted.columns.tolist()
    assert found.drop(columns="class_name").dtypes.equals(wanted.drop(columns="class_name").dtypes)


def test_a_column_that_is_not_read_is_said():
    frame = rows(bbox=[0, 0, 4, 4], segmentation=[[0, 0, 4, 0, 4, 4]])
    with pytest.warns(hf.FormatWarning, match="'segmentation' is carried along and not read"):
        hf.as_predictions(frame)
    frame = frame.rename(columns={"image": "image_id", "label": "category_id"})
    assert hf.as_predictions(frame, images=None)["polygon"].notna().all()


def test_a_label_set_with_scores():
    labels = pd.DataFrame({"image_id": "i", "class_name": ["cat"], **dict(zip(BOX, (0, 0, 4, 4), strict=True))})
    label_set = hf.io.LabelSet(SIZES, labels.assign(score=0.5), pd.DataFrame({"name": ["cat"]}, index=["c"]))
    found = hf.as_predictions(label_set)
    assert found.columns.tolist() == hf.as_predictions(rows(bbox=[0, 0, 4, 4])).columns.tolist()
    assert found[["image_id", "image_name", "class_id"]].to_numpy().tolist() == [["i", "a.jpg", "c"]]


def test_columns_that_are_called_as_attributes_of_results():
    frame = rows(bboxes=0, labels=0, pred_classes=0, bbox=[0, 0, 4, 4])
    assert hf.as_predictions(frame)["bboxes"].tolist() == [0]


def test_tables_without_their_masks():
    frame = rows(polygon=[[0, 0], [4, 0], [4, 4]])
    found = hf.as_predictions(frame, masks=False)
    assert found["polygon"].isna().all()
    assert found[BOX].to_numpy().tolist() == [[0, 0, 4, 4]]
