"""Geometry columns in place of lists, wherever labels go in."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest

import hastyframe as hf
from hastyframe.geometry import Mask, MaskArray, Polygon, PolygonArray
from hastyframe.plain import plain_geometry

BOX = ["x_min", "y_min", "x_max", "y_max"]
SQUARE = [[2, 2], [6, 2], [6, 6], [2, 6]]
TWO = [[[0, 0], [2, 0], [2, 2]], [[5, 5], [9, 5], [9, 9]]]
HOLED = [[SQUARE, [[3, 3], [4, 3], [4, 4]]]]
IMAGES = pd.DataFrame({"width": [20], "height": [10]}, index=pd.Index(["i"], name="image_id"))


def typed(labels):
    """The same labels, with geometry columns."""
    masks = MaskArray.from_runs(labels["mask"].array.__arrow_array__().combine_chunks(), labels[BOX].fillna(0))
    return labels.assign(mask=masks, polygon=PolygonArray(labels["polygon"]))


def through_csv(labels):
    text = io.StringIO(labels.to_csv())
    return pd.read_csv(text, index_col="label_id", dtype={"mask": "mask", "polygon": "polygon"})


def through_parquet(labels):
    buffer = io.BytesIO()
    labels.to_parquet(buffer)
    return pd.read_parquet(buffer)


TRIPS = {
    "as it is": lambda labels: labels,
    "csv": through_csv,
    "parquet": through_parquet,
    "objects": lambda labels: labels.astype({"mask": object, "polygon": object}),
    "convert_dtypes": lambda labels: labels.convert_dtypes(),
    "no boxes": lambda labels: labels.drop(columns=BOX).join(labels[BOX].where(labels["mask"].isna())),
    "arrow": lambda labels: __import__("pyarrow").Table.from_pandas(labels),
}


@pytest.mark.parametrize("trip", TRIPS)
def test_the_plan_of_labels_that_went_through_files_has_nothing_to_do(project, labels, trip):
    labels = project.get_labels()
    assert labels["mask"].notna().any() and labels["polygon"].notna().any()
    plan = project.plan_labels(labels, TRIPS[trip](typed(labels)))
    assert not len(plan), plan


def frame(**columns):
    return pd.DataFrame({"image_id": "i", "class_name": "a"} | columns)


def test_labels_of_geometry_columns_are_measured_painted_and_evaluated():
    one = frame(polygon=PolygonArray([SQUARE, TWO, None]), mask=MaskArray([None, None, Mask([1, 4], [3, 3, 5, 5])]))
    two = frame(polygon=[SQUARE, None, None], parts=[None, TWO, None], mask=[None, None, [1, 4]])
    two[BOX] = [[np.nan] * 4, [np.nan] * 4, [3, 3, 5, 5]]
    assert hf.add_area(one)["area"].tolist() == hf.add_area(two)["area"].tolist() == [16, 10, 4]
    maps = [next(hf.flatten(labels, IMAGES))[1] for labels in (one, two)]
    assert np.array_equal(*maps) and maps[0].any()
    with_scores = one.assign(score=0.5)
    result = hf.evaluate(one, with_scores, images=IMAGES, iou="mask")
    assert result.summary()["AP"] == pytest.approx(1)
    assert len(hf.find_duplicates(pd.concat([one, one]).reset_index())) == 3
    assert hf.clip_to_image(one, IMAGES)["polygon"].notna().sum() == 1


def test_what_fits_no_label_is_named():
    with pytest.raises(hf.FrameError, match=r"polygon, row 1: polygon of 7 points, 1 hole. It has holes"):
        hf.add_area(frame(polygon=PolygonArray([SQUARE, HOLED])))
    labels = frame(mask=MaskArray([Mask([1, 4], [3, 3, 5, 5])] * 3))
    labels[BOX] = [[3, 3, 5, 5], [2, 2, 6, 6], [3, 3, 4, 5]]
    with pytest.raises(hf.FrameError, match=r"mask, row 2: .* reaches out .* hf.fit_boxes") as caught:
        hf.add_area(labels)
    assert len(caught.value.problems) == 1
    fitted = hf.fit_boxes(labels)
    assert fitted[BOX].to_numpy().tolist() == [[3, 3, 5, 5]] * 3 and fitted["mask"].tolist() == [[1, 4]] * 3
    assert hf.add_area(labels.iloc[:2])["area"].tolist() == [4, 4]


def test_boxes_are_fitted():
    labels = frame(
        polygon=[[[0.5, 1], [4, 1], [4, 2.2]], None, None, None],
        mask=[None, [2, 1, 6, 1], None, None],
        parts=[None, None, TWO, None],
    )
    labels[BOX] = [[0, 0, 9, 9], [10, 10, 14, 12], [0, 0, 1, 1], [3, 3, 5, 5]]
    fitted = hf.fit_boxes(labels)
    assert fitted[BOX].to_numpy().tolist() == [[0, 1, 4, 3], [11, 10, 12, 12], [0, 0, 9, 9], [3, 3, 5, 5]]
    assert fitted["mask"].tolist()[1] == [1, 2]
    assert not len(hf.fit_boxes(labels.iloc[:0]))


def test_labels_are_made_of_them(project, images):
    polygons = pd.array([Polygon(SQUARE), None], "polygon")
    masks = pd.array([None, Mask([1, 4], [3, 3, 5, 5])], "mask")
    labels = pd.DataFrame({"image_id": images.index[0], "class_name": "coin", "polygon": polygons, "mask": masks})
    made = project.create_labels(labels)
    assert made["polygon"].iloc[0] == SQUARE and made["mask"].iloc[1] == [1, 4]
    assert made[BOX].iloc[1].tolist() == [3, 3, 5, 5]
    moved = labels.set_axis(made.index).assign(mask=pd.array([None, Mask([1, 6], [2, 2, 5, 4])], "mask"))
    project.edit_labels(moved)
    assert project.get_labels().loc[made.index[1], BOX].tolist() == [2, 2, 5, 4]


@pytest.mark.parametrize("iou", ["bbox", "mask"])
def test_a_picture_of_a_mask_has_the_box_around_its_pixels(iou):
    pixels = np.zeros((60, 80), bool)
    pixels[5:9, 15:25] = True
    labels = pd.DataFrame({"image_id": ["1"], "class_name": ["cat"], "x_min": 15, "y_min": 5, "x_max": 25, "y_max": 9})
    masks = pd.Series([pixels], dtype="mask")
    predictions = labels[["image_id", "class_name"]].assign(score=0.9, mask=masks)
    wide = predictions.assign(mask=pd.Series([Mask.from_array(pixels[2:20], 0, 2)], dtype="mask"))
    with_mask = labels.assign(mask=masks)
    for one, other in [(with_mask, predictions), (with_mask, wide), (predictions, with_mask.assign(score=1.0))]:
        assert hf.evaluate(one, other, iou=iou).summary()["AP"] == pytest.approx(1)


def test_a_mask_of_no_pixels_has_the_box_of_its_frame():
    empty = pd.DataFrame({"mask": pd.Series([np.zeros((3, 4)), None], dtype="mask")})
    plain = plain_geometry(empty)
    assert plain[["x_min", "y_min", "x_max", "y_max"]].iloc[0].tolist() == [0, 0, 4, 3]
    assert plain["x_max"].isna().tolist() == [False, True]
