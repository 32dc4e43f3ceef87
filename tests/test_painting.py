"""Labels of every kind as run-lengths."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hastyframe as hf
from hastyframe.painting import extent, kinds, paint

BOX = ["x_min", "y_min", "x_max", "y_max"]
SIZE = (12, 16)
numbers = st.integers(-4, 72).map(lambda number: number / 4)
rings = st.lists(st.tuples(numbers, numbers), min_size=3, max_size=5)


@st.composite
def labels_of_all_kinds(draw):
    rows = []
    for kind in draw(st.lists(st.sampled_from(["nothing", "box", "parts", "polygon", "mask", "both"]), max_size=8)):
        x, y = (sorted(draw(st.lists(numbers, min_size=2, max_size=2))) for _ in range(2))
        row = dict.fromkeys([*BOX, "polygon", "parts", "mask"])
        if kind != "nothing":
            row |= dict(zip(BOX, (x[0], y[0], x[1], y[1]), strict=True))
        if kind == "parts":
            row["parts"] = draw(st.lists(rings, min_size=1, max_size=3))
        if kind in ("polygon", "both"):
            row["polygon"] = draw(rings)
        if kind in ("mask", "both"):
            row |= {"x_min": 1, "y_min": 2, "x_max": 5, "y_max": 4, "mask": [1, draw(st.integers(1, 8))]}
        rows.append(row)
    index = pd.Index([f"l{row}" for row in range(len(rows))], name="label_id")
    return pd.DataFrame(rows, index, columns=[*BOX, "polygon", "parts", "mask"]).astype(dict.fromkeys(BOX, float))


@given(labels_of_all_kinds(), st.sampled_from(["center", "coco"]))
def test_all_at_once_is_one_by_one(labels, rule):
    sizes = np.full((len(labels), 2), SIZE, float)
    runs, boxes = paint(labels, sizes, "the labels", rule)
    assert runs.n == len(boxes) == len(labels)
    for row in range(len(labels)):
        alone, box = paint(labels.iloc[[row]], sizes[[row]], "the labels", rule)
        assert runs.to_list()[row] == alone.to_list()[0]
        assert boxes[row].tolist() == box[0].tolist()
    assert not runs.lengths[(kinds(labels) == "nothing").to_numpy()].any()


@given(labels_of_all_kinds(), st.sampled_from(["center", "coco"]))
def test_nothing_is_painted_outside_the_extent(labels, rule):
    sizes = np.full((len(labels), 2), SIZE, float)
    runs, boxes = paint(labels, sizes, "the labels", rule)
    around = extent(labels, sizes, "the labels", rule)
    painted = runs.lengths > 0
    assert (around[painted, :2] <= boxes[painted, :2]).all()
    assert (around[painted, 2:] >= boxes[painted, 2:]).all()
    cut = (kinds(labels) != "mask").to_numpy()
    assert (around[cut] >= 0).all()
    assert (around[cut] <= [SIZE[1], SIZE[0], SIZE[1], SIZE[0]]).all()


@given(labels_of_all_kinds())
def test_images_without_pixels_hold_masks_alone(labels):
    runs, _ = paint(labels, np.zeros((len(labels), 2)), "the labels")
    assert ((runs.lengths > 0) == labels["mask"].notna()).all()


@given(labels_of_all_kinds(), st.sampled_from(["center", "coco"]), st.randoms())
def test_some_now_and_the_others_beside_them_are_all_at_once(labels, rule, random):
    sizes = np.full((len(labels), 2), SIZE, float)
    now = np.array([random.random() < 0.5 for _ in range(len(labels))], bool)[:, None]
    some = paint(labels, sizes * now, "the labels", rule)  # and all masks
    outlines, later = labels.drop(columns="mask"), ~now & labels[["mask"]].isna().to_numpy()
    runs, boxes = paint(outlines, sizes * later, "the labels", rule, beside=some)
    expected, around = paint(labels, sizes, "the labels", rule)
    assert runs.to_list() == expected.to_list()
    assert boxes.tolist() == around.tolist()


@pytest.mark.parametrize("work", [paint, extent])
@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("polygon", [[0, 0], [1, 1]], "three vertices"),
        ("parts", [[[0, 0], [3, 0], [3, float("nan")]]], "finite"),
        ("mask", [1, 1], "whole pixels"),
    ],
)
def test_the_label_to_blame_is_named(work, column, value, says):
    labels = pd.DataFrame(0.5, ["a", "b", "c"], BOX).rename_axis("label_id")
    labels[column] = pd.Series([None, value, None], labels.index, dtype=object)
    with pytest.raises(hf.ValidationException, match=f"(label|row) 'b'.*{says}"):
        work(labels, np.full((3, 2), 9.0), "the labels", "center")


@pytest.mark.parametrize("work", [paint, extent])
def test_an_image_without_a_size_is_named_where_it_is_needed(work):
    labels = pd.DataFrame([[0, 0, 2, 2]] * 2, ["a", "b"], BOX).rename_axis("label_id")
    sizes = np.array([[9, 9], [np.nan, 9]])
    with pytest.raises(hf.ValidationException, match=r"label 'b'.*width and height"):
        work(labels, sizes, "the labels", "coco")
