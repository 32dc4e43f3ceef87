"""What is wrong with frames is said with the rows that are wrong; what is a choice is documented."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scenes import BOX, scene

import hastyframe as hf

pytestmark = pytest.mark.filterwarnings("ignore:iou=.mask.:hastyframe.EvaluationWarning")


@pytest.fixture
def frames():
    images, labels, predictions = scene(0, images=5, crowds=False)
    return {"images": images, "labels": labels, "predictions": predictions}


def problems(frames, **options) -> pd.DataFrame:
    with pytest.raises(hf.FrameError, match="nothing was evaluated") as caught:
        hf.evaluate(frames["labels"], frames["predictions"], images=frames["images"], **options)
    return caught.value.problems


def changed(frames, what, column, value, rows=(3, 7)):
    frame = frames[what].copy()
    values = frame[column].astype(object)
    values.iloc[list(rows)] = value
    frame[column] = values
    return {**frames, what: frame}


def test_predictions_without_score(frames):
    with pytest.raises(hf.ValidationException, match=r"need a column 'score'.*assign\(score=1.0\)"):
        hf.evaluate(frames["labels"], frames["predictions"].drop(columns="score"))


@pytest.mark.parametrize("value", [np.nan, None, np.inf, "high"])
def test_scores_that_are_no_numbers(frames, value):
    found = problems(changed(frames, "predictions", "score", value))
    assert found[["column", "row"]].to_numpy().tolist() == [["score", "p3"], ["score", "p7"]]
    assert found["remedy"].str.contains("finite number").all()


@pytest.mark.parametrize("what", ["labels", "predictions"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("column", BOX)
def test_boxes_that_are_no_numbers(frames, what, column, value):
    found = problems(changed(frames, what, column, value))
    assert found["row"].tolist() == [f"{what[0]}3", f"{what[0]}7"]
    assert (found["column"] == "bbox").all()


@pytest.mark.parametrize("what", ["labels", "predictions"])
def test_boxes_that_are_inside_out(frames, what):
    found = problems(changed(frames, what, "x_max", -500.0))
    assert found["row"].tolist() == [f"{what[0]}3", f"{what[0]}7"]
    assert found["remedy"].str.contains("must not be less").all()


@pytest.mark.parametrize("what", ["labels", "predictions"])
def test_an_image_that_is_not_among_the_images(frames, what):
    found = problems(changed(frames, what, "image_id", "99"))
    assert found["row"].tolist() == [f"{what[0]}3", f"{what[0]}7"]
    assert found["value"].tolist() == ["99", "99"]
    assert found["remedy"].str.contains("not among the images").all()


@pytest.mark.parametrize("what", ["labels", "predictions"])
@pytest.mark.parametrize("column", ["image_id", "class_name"])
def test_what_has_no_image_or_class(frames, what, column):
    found = problems(changed(frames, what, column, None))
    assert found[["column", "row"]].to_numpy().tolist() == [[column, f"{what[0]}3"], [column, f"{what[0]}7"]]


@pytest.mark.parametrize("what", ["labels", "predictions"])
def test_ids_that_are_there_twice(frames, what):
    frame = frames[what]
    ids = frame.index.to_numpy(dtype=object).copy()
    ids[7] = ids[3]
    found = problems({**frames, what: frame.set_axis(pd.Index(ids, name=frame.index.name))})
    assert found["row"].tolist() == [ids[3], ids[3]]
    assert found["remedy"].str.contains("reset_index").all()


@pytest.mark.parametrize("what", ["labels", "predictions"])
@pytest.mark.parametrize(
    ("mask", "box", "reason"),
    [
        ([1, 13], [0, 0, 4, 3], "does not fit its box"),
        ([1, 3, 2], [0, 0, 4, 3], "does not fit its box"),
        ([0, 3], [0, 0, 4, 3], "does not fit its box"),
        ([1, 2], [0, 0, 4.5, 3], "whole pixels"),
    ],
)
def test_masks_whose_boxes_disagree(frames, what, mask, box, reason):
    frame = frames[what].copy()
    masks = [None] * len(frame)
    masks[7] = mask
    frame["mask"] = masks
    frame.loc[frame.index[7], BOX] = box
    found = problems({**frames, what: frame}, iou="mask")
    assert found["row"].tolist() == [f"{what[0]}7"]
    assert found["remedy"].str.contains(reason).all()
    hf.evaluate(*(({**frames, what: frame})[name] for name in ("labels", "predictions")))  # boxes alone are fine


def test_a_class_that_no_label_has_counts_nowhere_but_in_the_matches(frames):
    labels, predictions = frames["labels"], frames["predictions"]
    strange = predictions.iloc[:9].assign(class_name="zebra").set_axis([f"z{row}" for row in range(9)])
    with_strange = hf.evaluate(labels, pd.concat([predictions.astype({"class_name": "str"}), strange]))
    without = hf.evaluate(labels, predictions)
    pd.testing.assert_series_equal(with_strange.summary(), without.summary())
    matches = with_strange.matches
    assert (matches.loc[matches["class_name"] == "zebra", "outcome"] == "fp").sum() == 9
    assert with_strange.per_class().loc["zebra", ["predictions", "fp"]].tolist() == [9, 9]
    assert np.isnan(with_strange.per_class().loc["zebra", "AP"])
    assert with_strange.confusion_matrix().loc[:, "zebra"].sum() > 0


def test_a_class_without_labels_that_labels_know_counts_nowhere(frames):
    labels = frames["labels"].assign(class_name=frames["labels"]["class_name"].cat.add_categories(["zebra"]))
    evaluation = hf.evaluate(labels, frames["predictions"])
    assert np.isnan(evaluation.per_class().loc["zebra", "AP"])
    pd.testing.assert_series_equal(evaluation.summary(), hf.evaluate(frames["labels"], frames["predictions"]).summary())


def test_classes_go_by_id_where_names_are_not_shared(frames):
    by_name = hf.evaluate(frames["labels"], frames["predictions"])
    sides = [
        frames[what].assign(class_id=frames[what]["class_name"].astype(str).map({"bird": "2", "cat": "10", "dog": "1"}))
        for what in ("labels", "predictions")
    ]
    by_id = hf.evaluate(sides[0], sides[1].drop(columns="class_name"))
    assert list(by_id.per_class().index) == ["1", "2", "10"]
    pd.testing.assert_series_equal(by_id.summary(), by_name.summary())
    with pytest.raises(hf.ValidationException, match="'class_name' or 'class_id'"):
        hf.evaluate(frames["labels"], sides[1].drop(columns="class_name"))


def test_ids_may_be_columns_and_numbers(frames):
    plain = hf.evaluate(frames["labels"], frames["predictions"], images=frames["images"])
    labels, predictions = (frames[what].reset_index().astype({"image_id": int}) for what in ("labels", "predictions"))
    images = frames["images"].reset_index().astype({"image_id": int})
    other = hf.evaluate(labels, predictions, images=images)
    pd.testing.assert_series_equal(plain.summary(), other.summary())
    assert other.matches["prediction_id"].dropna().tolist() == plain.matches["prediction_id"].dropna().tolist()
    numbered = hf.evaluate(labels, frames["predictions"].reset_index(drop=True))
    assert numbered.matches["prediction_id"].dropna().tolist() == list(range(len(predictions)))


def test_columns_are_carried_along(frames):
    evaluation = hf.evaluate(frames["labels"], frames["predictions"].assign(mine=1), images=frames["images"])
    joined = evaluation.matches.join(evaluation.labels[["occluded"]], on="label_id").join(
        evaluation.predictions[["mine"]], on="prediction_id"
    )
    assert joined["mine"].notna().sum() == len(frames["predictions"])
    assert joined["occluded"].notna().any()


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"iou": "segm"}, "iou is"),
        ({"rule": "best"}, "rule is"),
        ({"iou_thresholds": [0.5, 0]}, "iou_thresholds"),
        ({"iou_thresholds": [1.1]}, "iou_thresholds"),
        ({"iou_thresholds": []}, "iou_thresholds"),
        ({"max_detections": ()}, "max_detections"),
        ({"max_detections": (0,)}, "max_detections"),
        ({"area_ranges": {}}, "area_ranges"),
        ({"area_ranges": {"all": (3, 1)}}, "area_ranges"),
    ],
)
def test_arguments_that_are_none(frames, options, match):
    with pytest.raises(hf.ValidationException, match=match):
        hf.evaluate(frames["labels"], frames["predictions"], **options)


def test_what_is_no_frame(frames):
    with pytest.raises(hf.ValidationException, match=r"predictions is .* must be a frame"):
        hf.evaluate(frames["labels"], [1])
    with pytest.raises(hf.ValidationException, match="The labels need a column 'image_id'"):
        hf.evaluate(frames["labels"].drop(columns="image_id"), frames["predictions"])
    with pytest.raises(hf.ValidationException, match="iou is 0"):
        hf.evaluate(frames["labels"], frames["predictions"]).match(0)


def test_ranges_of_ones_own_name_the_figures(frames):
    ranges = {"all": (0, 1e10), "tiny": (0, 400)}
    summary = hf.evaluate(
        frames["labels"], frames["predictions"], iou_thresholds=0.5, area_ranges=ranges, max_detections=(5,)
    ).summary()
    assert list(summary.index) == ["AP", "AP50", "AP_tiny", "AR5", "AR_tiny"]


# Masks ----------------------------------------------------------------------------------------------------------------


def test_polygons_and_boxes_are_painted():
    corners = [[2, 1], [8, 1], [8, 7], [2, 7]]
    labels = pd.DataFrame({"image_id": "a", "class_name": "cat", "polygon": [corners]})
    predictions = pd.DataFrame({"image_id": "a", "class_name": "cat", "score": [0.9, 0.8]})
    predictions[BOX] = [[2, 1, 8, 4], [2, 1, 8, 7]]
    predictions["mask"] = [[1, 18], None]
    matches = hf.evaluate(labels, predictions, iou="mask").match(0.4)
    assert matches["nearest_iou"].tolist() == [0.5, 1.0]
    images = pd.DataFrame({"width": [10], "height": [4]}, index=["a"])
    cut = hf.evaluate(labels, predictions, iou="mask", images=images).match(0.4)
    assert cut["nearest_iou"].tolist() == [1.0, 1.0]
    painted = hf.evaluate(labels, predictions, iou="mask", images=images, rule="coco").match(0.4)
    assert painted["nearest_iou"].tolist() == [1.0, 1.0]


def test_sizes_are_needed_where_they_are_used():
    labels = pd.DataFrame({"image_id": "a", "class_name": "cat", "polygon": [[[2, 1], [8, 1], [8, 7]]]})
    predictions = pd.DataFrame({"image_id": ["a"], "class_name": "cat", "score": 0.9})
    predictions[BOX] = [[2, 1, 8, 4]]
    with pytest.raises(hf.ValidationException, match="give images with width and height"):
        hf.evaluate(labels, predictions, iou="mask", rule="coco")
    images = pd.DataFrame({"width": [10], "height": [np.nan]}, index=["a"])
    with pytest.raises(hf.FrameError, match="has no width and height"):
        hf.evaluate(labels, predictions, iou="mask", images=images)


@pytest.mark.parametrize(("given", "what"), [("labels", "label 'far'"), ("predictions", "prediction 'far'")])
@pytest.mark.parametrize("boxed", [False, True])
def test_a_polygon_that_cannot_be_painted_is_named(given, what, boxed):
    near, far = [[2, 1], [8, 1], [8, 7]], [[2e9, 1], [8, 1], [8, 7]]
    frames = {
        side: pd.DataFrame({"image_id": "a", "class_name": "cat", "score": 1.0, "polygon": [near, near]}, ["b", "far"])
        for side in ("labels", "predictions")
    }
    frames[given]["polygon"] = [near, far]
    if boxed:
        frames = {side: frame.assign(x_min=2.0, y_min=1.0, x_max=8.0, y_max=7.0) for side, frame in frames.items()}
    with pytest.raises(hf.ValidationException, match=what):
        hf.evaluate(frames["labels"], frames["predictions"], iou="mask").summary()


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("mask", {"size": [9, 9], "counts": "abc"}, "a list of whole numbers"),
        ("mask", ["1", "2"], "a list of whole numbers"),
        ("polygon", [[0, 0, 4, 0, 4, 4]], r"a list of \[x, y\] vertices"),
        ("parts", [[0, 0], [4, 0], [4, 4]], "a list of rings"),
    ],
)
@pytest.mark.parametrize("boxed", [True, False])
def test_what_is_no_mask_or_outline_is_named(column, value, says, boxed):
    labels = pd.DataFrame({"image_id": "a", "class_name": "cat"}, ["b", "bad"])
    labels[BOX] = [[0, 0, 4, 4], [0, 0, 4, 4]]
    predictions = labels.assign(score=0.5)
    labels[column] = pd.Series([None, value], labels.index, dtype=object)
    if not boxed and column != "mask":
        labels.loc["bad", BOX] = np.nan
    with pytest.raises(hf.FrameError, match=f"{column}, row 'bad'.*{says}"):
        hf.evaluate(labels, predictions, iou="mask")


def test_parts_are_painted():
    """Two squares are no box; a third part within the second one adds nothing: 9 and 9 pixels."""
    rings = [
        [[0, 0], [3, 0], [3, 3], [0, 3]],
        [[10, 0], [13, 0], [13, 3], [10, 3]],
        [[11, 1], [12, 1], [12, 2], [11, 2]],
    ]
    labels = pd.DataFrame({"image_id": "a", "class_name": "cat", "parts": [rings]})
    predictions = pd.DataFrame({"image_id": "a", "class_name": "cat", "score": [0.9, 0.8]})
    predictions[BOX] = [[0, 0, 3, 3], [0, 0, 13, 3]]
    matches = hf.evaluate(labels, predictions, iou="mask").match(0.4)
    assert matches["nearest_iou"].iloc[:2].tolist() == [9 / 18, 18 / 39]
    boxes = hf.evaluate(labels, predictions).match(0.4)
    assert boxes["nearest_iou"].iloc[:2].tolist() == [9 / 39, 1.0]


def test_a_mask_needs_no_size():
    predictions = pd.DataFrame({"image_id": ["a"], "class_name": "cat", "score": 0.9, "mask": [[1, 12]]})
    predictions[BOX] = [[0, 0, 4, 3]]
    labels = predictions.drop(columns="score")
    images = pd.DataFrame({"width": [np.nan], "height": [np.nan]}, index=["a"])
    for given in (None, images):
        assert hf.evaluate(labels, predictions, iou="mask", images=given, rule="coco").summary()["AP"] == pytest.approx(
            1
        )
