"""Class maps, pixel by pixel."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scenes import BOX

import hastyframe as hf

NAMES = ["cat", "dog", "sky"]


def maps(seed):
    rng = np.random.default_rng(seed)
    shapes = [(4, 7), (3, 3), (5, 1)]
    truth = [(f"i{number}", rng.integers(0, 3, shape).astype(np.uint16)) for number, shape in enumerate(shapes)]
    found = [
        (name, np.where(rng.random(each.shape) < 0.6, each, rng.integers(0, 4, each.shape))) for name, each in truth
    ]
    return truth, found


@pytest.mark.parametrize("seed", range(5))
def test_figures_count_pixels(seed):
    truth, found = maps(seed)
    evaluation = hf.evaluate_semantic(iter(truth), iter(found), classes=NAMES)
    one, two = (np.concatenate([each.reshape(-1) for _, each in side]) for side in (truth, found))
    table, confusion = evaluation.per_class(), evaluation.confusion_matrix()
    assert list(table.index) == ["background", *NAMES]
    ious, accuracies = [], []
    for number, name in enumerate(table.index):
        both, either = ((one == number) & (two == number)).sum(), ((one == number) | (two == number)).sum()
        assert table.loc[name, "labelled"] == (one == number).sum()
        assert table.loc[name, "predicted"] == (two == number).sum()
        for other, column in enumerate(table.index):
            assert confusion.loc[name, column] == ((one == number) & (two == other)).sum()
        if (one == number).any():
            ious.append(both / either)
            accuracies.append(both / (one == number).sum())
            assert table.loc[name, "iou"] == pytest.approx(ious[-1])
            assert table.loc[name, "accuracy"] == pytest.approx(accuracies[-1])
    summary = evaluation.summary()
    assert summary["pixel_accuracy"] == pytest.approx((one == two).mean())
    assert summary["mean_iou"] == pytest.approx(np.mean(ious))
    assert summary["mean_accuracy"] == pytest.approx(np.mean(accuracies))
    shares = [(one == number).mean() for number in range(4) if (one == number).any()]
    assert summary["frequency_weighted_iou"] == pytest.approx(np.dot(shares, ious))
    assert table.loc["sky", "labelled"] == 0
    assert np.isnan(table.loc["sky", "accuracy"])
    assert "42 pixels" in repr(evaluation)


def test_frames_are_painted_and_the_top_one_counts():
    images = pd.DataFrame({"width": 4, "height": 2}, index=["a", "b"])
    labels = pd.DataFrame({"image_id": ["a", "a"], "class_name": ["cat", "dog"], "z_index": [1, 0]})
    labels[BOX] = [[0, 0, 2, 2], [0, 0, 4, 2]]
    predictions = pd.DataFrame({"image_id": ["a", "b"], "class_name": ["dog", "cat"]})
    predictions[BOX] = [[0, 0, 4, 2], [0, 0, 1, 1]]
    confusion = hf.evaluate_semantic(labels, predictions, images).confusion_matrix()
    assert confusion.loc["cat", "dog"] == 4
    assert confusion.loc["dog", "dog"] == 4
    assert confusion.loc["background", "cat"] == 1
    assert confusion.loc["background", "background"] == 7
    by_maps = hf.evaluate_semantic(
        hf.flatten(labels, images), hf.flatten(predictions, images, pd.DataFrame({"name": ["cat", "dog"]})),
        classes=pd.DataFrame({"name": ["cat", "dog"]}),
    )  # fmt: skip
    pd.testing.assert_frame_equal(by_maps.confusion_matrix(), confusion)


@pytest.mark.parametrize(
    ("truth", "found", "match"),
    [
        ([("a", np.zeros((2, 2)))], [("b", np.zeros((2, 2)))], "do not go together"),
        ([("a", np.zeros((2, 2)))], [("a", np.zeros((2, 3)))], "do not go together"),
        ([("a", np.zeros((2, 2), int))], [("a", np.full((2, 2), 4))], "numbers from 4 to 4"),
        ([("a", np.full((2, 2), -1))], [("a", np.zeros((2, 2), int))], "numbers from -1"),
        ([("a", np.zeros((2, 2), int))], [], "different numbers of images"),
    ],
)
def test_maps_that_do_not_go_together(truth, found, match):
    with pytest.raises(hf.ValidationException, match=match):
        hf.evaluate_semantic(truth, found, classes=NAMES)


def test_what_is_needed_is_asked_for():
    labels = pd.DataFrame({"image_id": ["a"], "class_name": ["cat"]})
    with pytest.raises(hf.ValidationException, match="give `images`"):
        hf.evaluate_semantic(labels, labels)
    with pytest.raises(hf.ValidationException, match="give `classes`"):
        hf.evaluate_semantic([], [])
