"""Ids and classes are compared by value, and an evaluation that is probably a mistake says so."""

from __future__ import annotations

import uuid
import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import hastyframe as hf

BOX = ["x_min", "y_min", "x_max", "y_max"]
BOXES = [[0, 0, 40, 40], [50, 0, 90, 40], [0, 50, 40, 90], [50, 50, 90, 90]]


def objects(image_id, classes, by="class_id", **columns) -> pd.DataFrame:
    frame = pd.DataFrame({"image_id": image_id, by: classes, **columns})
    frame[BOX] = BOXES[: len(frame)]
    return frame


def ap50(labels, predictions, **options) -> float:
    return hf.evaluate(labels, predictions.assign(score=0.5), **options).summary()["AP50"]


CLASSES = {
    "int": [1, 2, 1, 2],
    "float": [1.0, 2.0, 1.0, 2.0],
    "Int64": pd.array([1, 2, 1, 2], dtype="Int64"),
    "Arrow int": pd.array([1, 2, 1, 2], dtype="int16[pyarrow]"),
    "Arrow float": pd.array([1, 2, 1, 2], dtype="double[pyarrow]"),
    "text": ["1", "2", "1", "2"],
    "text of floats": ["1.0", "2.0", "1.0", "2.0"],
    "string": pd.array(["1", "2", "1", "2"], dtype="string"),
    "Arrow text": pd.array(["1", "2", "1", "2"], dtype=pd.ArrowDtype(pa.large_string())),
    "category of int": pd.Categorical([1, 2, 1, 2]),
    "mixed": np.array([1, "2", 1.0, np.int64(2)], dtype=object),
}


@pytest.mark.parametrize("own", CLASSES)
@pytest.mark.parametrize("other", CLASSES)
def test_classes_by_value(own, other):
    labels, predictions = objects("a", CLASSES[own]), objects("a", CLASSES[other])
    evaluation = hf.evaluate(labels, predictions.assign(score=0.5))
    assert evaluation.summary()["AP50"] == pytest.approx(1)
    assert len(evaluation.per_class()) == 2
    assert (evaluation.matches["outcome"] == "tp").all()


@pytest.mark.parametrize("own", CLASSES)
@pytest.mark.parametrize("other", CLASSES)
def test_images_by_value(own, other):
    labels, predictions = objects(CLASSES[own], "c", "class_name"), objects(CLASSES[other], "c", "class_name")
    images = pd.DataFrame({"name": ["x", "y"]}, index=pd.Index([1.0, 2.0]))
    for options in ({}, {"images": images}):
        assert ap50(labels, predictions, **options) == pytest.approx(1)
    table = hf.evaluate(labels, predictions.assign(score=0.5)).by(pd.Series({1: "train", 2: "val"}), of="images")
    assert table["AP50"].tolist() == pytest.approx([1, 1])


def test_other_values_are_other_classes():
    labels = objects("a", ["01", "1", "1.5", "x"])
    evaluation = hf.evaluate(labels, labels.assign(score=0.5))
    assert len(evaluation.per_class()) == 4
    names = objects("a", ["1.0", "1"], "class_name")
    assert len(hf.evaluate(names, names.assign(score=0.5)).per_class()) == 2, "names stay as they are"
    big = objects("a", [2**53, 2**53 + 1])
    assert len(hf.evaluate(big, big.astype({"class_id": str}).assign(score=0.5)).per_class()) == 2


def test_uuids_and_classes_that_are_shown_as_the_labels_have_them():
    keys = [uuid.uuid4() for _ in range(2)]
    labels = objects(np.array(keys, dtype=object), [7, 8])
    evaluation = hf.evaluate(labels, objects([str(key).upper() for key in keys], ["7", "8"]).assign(score=0.5))
    assert evaluation.summary()["AP50"] == pytest.approx(1)
    assert evaluation.per_class().index.tolist() == [7, 8]


def test_values_that_are_no_ids():
    good = objects("a", [1, 2])
    for column in ("image_id", "class_id"):
        bad = good.assign(**{column: np.array([b"1", b"2"], dtype=object)})
        with pytest.raises(hf.FrameError, match="2 problems in the predictions"):
            ap50(good, bad)
    with pytest.raises(hf.FrameError, match="Each image has one id"):
        ap50(good, good, images=pd.DataFrame(index=pd.Index(["1", 1.0], dtype=object)))


# Warnings -------------------------------------------------------------------------------------------------------------

SPELLINGS = {
    "folder": (["cam/1.jpg", "cam/2.jpg"], ["1.jpg", "2.jpg"], "once the folder is left off"),
    "windows": (["1.jpg", "2.jpg"], [r"C:\data\1.jpg", r"C:\data\2.jpg"], "once the folder is left off"),
    "type": (["1.jpg", "2.jpg"], ["1", "2"], "once folder and file type are left off"),
    "capitals": (["A.JPG", "B.JPG"], ["a.jpg", "b.jpg"], "but for capitals and spaces"),
    "zeros": ([1, 2], ["0001", "0002"], "once zeros in front are left off"),
    "nothing": (["a", "b"], ["c", "d"], ""),
}


@pytest.mark.parametrize("case", SPELLINGS)
def test_no_image_in_common(case):
    own, other, why = SPELLINGS[case]
    labels, predictions = objects(own, "c", "class_name"), objects(other, "c", "class_name")
    with pytest.warns(hf.EvaluationWarning, match=f"no image in common.*'{str(own[0])[:3]}.*{why}"):
        assert ap50(labels, predictions) == 0


def test_file_names_for_ids():
    labels = objects([1, 2], "c", "class_name")
    images = pd.DataFrame({"name": ["x.jpg", "y.jpg"]}, index=pd.Index([1, 2], name="image_id"))
    with pytest.raises(hf.FrameError, match="They are file names"):
        ap50(labels, objects(["x.jpg", "y.jpg"], "c", "class_name"), images=images)
    with pytest.raises(hf.FrameError, match="They are paths of files"):
        ap50(labels, objects(["in/x.jpg", "in/y.jpg"], "c", "class_name"), images=images)


@pytest.mark.parametrize(
    ("own", "other", "why"),
    [(["Cat", "dog-s"], ["cat", "dog s"], "but for capitals"), (["cat", "dog"], ["0", "1"], r"'1'\.$")],
)
def test_no_class_in_common(own, other, why):
    with pytest.warns(hf.EvaluationWarning, match=f"no class in common.*{own[0]}.*{other[0]}.*{why}"):
        ap50(objects("a", own, "class_name"), objects("a", other, "class_name"))


def test_one_in_common_or_none_at_all_is_no_doubt():
    labels = objects(["a", "b"], ["cat", "dog"], "class_name")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ap50(labels, labels.iloc[:1])
        ap50(labels, labels.iloc[:0])
        ap50(labels.iloc[:0], labels)


def test_boxes_against_masks():
    labels = objects("a", ["c"] * 2, "class_name", mask=[[1, 9]] * 2)
    boxes = labels.drop(columns="mask")
    with pytest.warns(hf.EvaluationWarning, match="boxes only"):
        ap50(labels, boxes, iou="mask")
    with pytest.warns(hf.EvaluationWarning, match="boxes only"):
        ap50(labels, boxes.assign(mask=None, polygon=None), iou="mask")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ap50(labels, labels, iou="mask")
        ap50(labels, boxes)
        ap50(boxes, boxes, iou="mask")
        ap50(labels, labels.assign(mask=[[1, 9], None]), iou="mask")


# Scores ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scores", [[-3.0, -0.5], [-1.0, 2.0], [-0.0, -1e300]])
def test_scores_below_zero_count_everywhere(scores):
    labels = objects("a", ["cat", "dog"], "class_name")
    evaluation = hf.evaluate(labels, labels.assign(score=scores))
    assert evaluation.matches["outcome"].tolist() == ["tp", "tp"]
    assert evaluation.per_class()["tp"].tolist() == [1, 1]
    assert np.trace(evaluation.confusion_matrix().to_numpy()) == 2
    assert (evaluation.match(score=min(scores))["outcome"] == "tp").sum() == 2
    assert (evaluation.match(score=3.0)["outcome"] == "fn").sum() == 2


# Widths ---------------------------------------------------------------------------------------------------------------


def test_overlaps_of_exactly_a_half_are_decided_as_in_pycocotools():
    coco = pytest.importorskip("pycocotools.coco").COCO()
    from pycocotools.cocoeval import COCOeval

    rng = np.random.default_rng(0)
    wide = np.array([[33, 79, 306 / 7, 22]])
    more = [
        [*rng.random(2) * 100, rng.integers(30, 900) / part, 2 * rng.integers(5, 60)] for part in [7, 3, 13, 640] * 50
    ]
    boxes = np.concatenate([wide, more])
    halves = boxes * [1, 1, 1, 0.5]

    def records(boxes, **keys):
        return [{"image_id": n, "category_id": 1, "bbox": b, **keys} for n, b in enumerate(boxes.tolist())]

    sized = [{**record, "id": n + 1, "area": 1.0, "iscrowd": 0} for n, record in enumerate(records(boxes))]
    coco.dataset = {"info": {}, "images": [{"id": n} for n in range(len(boxes))], "annotations": sized}
    coco.dataset["categories"] = [{"id": 1, "name": "c"}]
    coco.createIndex()
    theirs = COCOeval(coco, coco.loadRes(records(halves, score=0.5)), "bbox")
    theirs.evaluate()
    expected = [bool(image["dtMatches"][0, 0]) for image in theirs.evalImgs[: len(boxes)]]

    def frame(boxes):
        return pd.DataFrame({"image_id": range(len(boxes)), "class_name": "c"}).assign(
            x_min=boxes[:, 0], y_min=boxes[:, 1], x_max=boxes[:, 0] + boxes[:, 2], y_max=boxes[:, 1] + boxes[:, 3]
        )

    evaluation = hf.evaluate(frame(boxes), frame(halves).assign(score=0.5))
    outcome = evaluation.matches["outcome"].iloc[: len(boxes)] == "tp"
    assert outcome.tolist() == expected
    assert outcome[0] and 0 < outcome.mean() < 1


# What is probably a mistake -------------------------------------------------------------------------------------------


def three(**columns):
    """Three boxes of two classes on two images."""
    corners = {"x_min": [10.0, 5, 50], "y_min": [10.0, 5, 50], "x_max": [30.0, 15, 70], "y_max": [30.0, 15, 70]}
    there = {"image_id": ["1", "2", "2"], "class_name": ["cat", "dog", "cat"], "score": [0.9, 0.8, 0.7]}
    return pd.DataFrame(there | corners | columns)


@pytest.mark.parametrize("spelled", ["Dog", "dog ", "DOG"])
def test_one_class_of_another_spelling_is_told(spelled):
    with pytest.warns(hf.EvaluationWarning, match=f"'{spelled}' and 'dog'"):
        hf.evaluate(three(), three(class_name=["cat", spelled, "cat"]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        hf.evaluate(three(class_name=["cat", spelled, "dog"]), three(class_name=["cat", spelled, "cat"]))
        hf.evaluate(three(), three(class_name=["cat", "bird", "cat"]))


@pytest.mark.parametrize("side", ["labels", "predictions"])
def test_shares_beside_pixels_are_told(side):
    box = ["x_min", "y_min", "x_max", "y_max"]
    shares = three().assign(**(three()[box] / 100))
    sides = {"labels": three(), "predictions": three()} | {side: shares}
    with pytest.warns(hf.EvaluationWarning, match=f"boxes of the {side} lie within one pixel.*width and height"):
        hf.evaluate(**sides)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        hf.evaluate(shares, shares)
        hf.evaluate(three(), shares.iloc[:0])


def test_boxes_of_labels_are_held_against_masks_with_a_word():
    masked = three(mask=[[1, 400], [1, 100], [1, 400]])
    with pytest.warns(hf.EvaluationWarning, match="the labels are boxes only"):
        hf.evaluate(three(), masked, iou="mask")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        hf.evaluate(three(), three(), iou="mask")


@pytest.mark.parametrize("side", ["labels", "predictions"])
def test_boxes_as_lists_have_two_meanings(side):
    lists = three(bbox=[[10, 10, 20, 20]] * 3).drop(columns=["x_min", "y_min", "x_max", "y_max"])
    with pytest.raises(hf.ValidationException, match=f"{side} have a column 'bbox'.*read_coco_detections"):
        hf.evaluate(**({"labels": three(), "predictions": three()} | {side: lists}))


@pytest.mark.parametrize(
    "ids", [np.array([1, 2, 1], np.float16), [np.array(1), np.array(2), np.array(1)], pd.arrays.SparseArray([1, 2, 1])]
)
def test_class_ids_of_odd_columns(ids):
    labels = three(class_id=["1", "2", "1"]).drop(columns="class_name")
    run = hf.evaluate(labels, labels.assign(class_id=ids))
    assert run.summary()["AP"] == pytest.approx(1)


def test_levels_of_an_index_are_columns():
    grouped = three().set_index(["image_id", "class_name"])
    assert hf.evaluate(grouped, three()).summary()["AP"] == pytest.approx(1)
    ids = three().set_index(["class_name", pd.Index(["a", "b", "c"], name="prediction_id")])
    assert hf.evaluate(three(), ids).predictions.index.tolist() == ["a", "b", "c"]


def test_scores_of_decimals_and_arrays():
    decimals = three(
        score=pd.array(["0.9", "0.8", "0.7"], dtype=pd.ArrowDtype(pa.string())).astype(
            pd.ArrowDtype(pa.decimal128(5, 2))
        )
    )
    assert hf.evaluate(three(), decimals).summary()["AP"] == pytest.approx(1)
    decimals.loc[1, "score"] = None
    with pytest.raises(hf.FrameError, match="score, row 1"):
        hf.evaluate(three(), decimals)
    assert hf.evaluate(three(), three(score=[np.array(0.9), 0.8, 0.7])).summary()["AP"] == pytest.approx(1)
