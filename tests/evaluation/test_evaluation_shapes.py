"""Outlines and boxes where masks are compared: painted, but only where something comes near."""

import numpy as np
import pandas as pd
import pytest
from scenes import BOX, scene

import hastyframe as hf
from hastyframe.evaluation import shapes
from hastyframe.painting import paint

pytestmark = pytest.mark.filterwarnings("ignore:iou=.mask.:hastyframe.EvaluationWarning")

RESULTS = {
    "summary": lambda found: found.summary().to_frame(),
    "matches": lambda found: found.matches,
    "match": lambda found: found.match(0.1),
    "confusion": lambda found: found.confusion_matrix(),
    "errors": lambda found: found.errors(),
    "suspects": lambda found: found.suspects(),
}


def outlined(frame):
    """A third of the boxes as diamonds, a third as two parts, and the rest as they are."""
    frame = frame.copy()
    x_min, y_min, x_max, y_max = frame[BOX].to_numpy().T
    x, y = (x_min + x_max) / 2, (y_min + y_max) / 2
    diamonds = np.moveaxis(np.array([[x, y_min], [x_max, y], [x, y_max], [x_min, y]]), 2, 0).tolist()
    left = np.moveaxis(np.array([[x_min, y_min], [x, y_min], [x_min, y_max]]), 2, 0).tolist()
    right = np.moveaxis(np.array([[x_max, y_min], [x_max, y_max], [x, y_max]]), 2, 0).tolist()
    parts = [list(pair) for pair in zip(left, right, strict=True)]
    kind = np.arange(len(frame)) % 3
    frame["polygon"] = pd.Series(diamonds, frame.index).where(kind == 0, None)
    frame["parts"] = pd.Series(parts, frame.index).where(kind == 1, None)
    return frame


def as_masks(frame, images, rule):
    sizes = images[["height", "width"]].loc[frame["image_id"]].to_numpy(float)
    runs, boxes = paint(frame, sizes, "the frame", rule)
    painted = frame.drop(columns=["polygon", "parts"])
    painted[BOX] = boxes.astype(float)
    return painted.assign(mask=runs.to_list())


@pytest.mark.parametrize("rule", ["center", "coco"])
@pytest.mark.parametrize("first", RESULTS)
def test_whatever_is_asked_first_outlines_are_worth_what_they_paint(first, rule):
    images, labels, predictions = scene(4)
    labels, predictions = outlined(labels), outlined(predictions)
    painted = as_masks(labels, images, rule)
    labels["area"] = painted["area"] = hf.masks.area(painted["mask"]).astype(float)
    outlines = hf.evaluate(labels, predictions, images=images, iou="mask", rule=rule)
    masks = hf.evaluate(painted, as_masks(predictions, images, rule), images=images, iou="mask", rule=rule)
    own = ["polygon", "parts", "mask", *BOX, "label_x_min", "label_y_min", "label_x_max", "label_y_max"]
    for name in [first, *RESULTS]:
        one, other = (RESULTS[name](found).drop(columns=own, errors="ignore") for found in (outlines, masks))
        pd.testing.assert_frame_equal(one, other, check_dtype=False)


def test_only_what_a_prediction_comes_near_is_painted(monkeypatch):
    images, labels, predictions = scene(5)
    labels = outlined(labels).assign(area=100.0)
    predictions = predictions[predictions["image_id"].isin(["1", "2", "3"])]
    painted = []

    def count(frame, sizes, what, rule, **others):
        painted.append((what, int((sizes > 0).all(axis=1).sum())))
        return paint(frame, sizes, what, rule, **others)

    monkeypatch.setattr(shapes, "paint", count)
    evaluation = hf.evaluate(labels, predictions, images=images, iou="mask")
    assert painted == [("the predictions", len(predictions))]  # for their areas
    evaluation.summary()
    evaluation.per_class()
    ((what, near),) = painted[1:]
    assert what == "the labels"
    assert 0 < near < labels["image_id"].isin(["1", "2", "3"]).sum()
    evaluation.confusion_matrix()
    evaluation.errors()
    evaluation.match(0.1)
    assert painted[2:] == [("the labels", len(labels) - near)]  # all the others at once, and none again


def test_an_interrupt_while_painting_leaves_nothing_half_painted(monkeypatch):
    images, labels, predictions = scene(6)
    labels = outlined(labels).assign(area=100.0)
    predictions = predictions[predictions["image_id"].isin(["1", "2", "3"])]

    def evaluate():
        return hf.evaluate(labels, predictions, images=images, iou="mask")

    evaluation, expected = evaluate(), evaluate().match(0.1)
    evaluation.summary()

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shapes, "paint", interrupted)
        with pytest.raises(KeyboardInterrupt):
            evaluation.match(0.1)
    pd.testing.assert_frame_equal(evaluation.match(0.1), expected)


def test_outlines_far_from_all_predictions_are_checked_too():
    labels = pd.DataFrame({"image_id": "a", "class_name": "cat", "polygon": [[[50, 50], [60, 50]]], "area": 9.0})
    predictions = pd.DataFrame({"image_id": ["a"], "class_name": "cat", "score": 0.9})
    predictions[BOX] = [[0, 0, 4, 4]]
    with pytest.raises(hf.ValidationException, match=r"row 0: .*three vertices"):
        hf.evaluate(labels.assign(x_min=50, y_min=50, x_max=60, y_max=51), predictions, iou="mask")
